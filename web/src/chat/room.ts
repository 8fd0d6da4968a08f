// A room as a page has it: messages, who the viewer is, what he may do, and what he has said that is not there yet.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { type Author, ChatLog, type Frame, type Message, type Room } from "../rules/chat_log.ts";
import { Connection, type Line } from "./connection.ts";

/** What was said and has not come back yet. */
export type Pending = { ref: string; text: string };
export type Trouble = { code: string; detail: string; retryMs: number | undefined };

export type Chat = {
  line: Line;
  you: Author | undefined;
  room: Room | undefined;
  viewers: number;
  messages: readonly Message[];
  pending: readonly Pending[];
  /** Until when the viewer may not write; null is for good. */
  banned: string | null | undefined;
  trouble: Trouble | undefined;
  /** When he may write again, by the page's clock, milliseconds. */
  readyMs: number;
  /** Whether there may be older messages. */
  more: boolean;
};

const BEFORE: Chat = {
  line: "connecting",
  you: undefined,
  room: undefined,
  viewers: 0,
  messages: [],
  pending: [],
  banned: undefined,
  trouble: undefined,
  readyMs: 0,
  more: true,
};

const PAGE = 50;

export class RoomKeeper {
  private chat = BEFORE;
  private readonly log = new ChatLog();
  private readonly connection: Connection;
  private loading = false;
  /** Whether whoever reads here has shown that the stream is his. */
  private readonly owner: boolean;
  private wantedName: string | undefined;

  constructor(
    id: string,
    private readonly changed: (chat: Chat) => void,
    bearer: string | undefined,
  ) {
    this.owner = bearer !== undefined;
    this.connection = new Connection(id, { heard: (frame) => this.heard(frame), line: (line) => this.line(line), known: () => this.log.seq }, bearer);
    Object.assign(window, { msconvChat: this });
  }

  /** Over what it goes, for tests. */
  get way(): string {
    return this.connection.way;
  }

  end(): void {
    this.connection.end();
  }

  say(text: string): void {
    const ref = Math.random().toString(36).slice(2);
    this.set({ pending: [...this.chat.pending, { ref, text }], trouble: undefined });
    void this.send({ ref, text });
  }

  name(name: string): void {
    this.set({ trouble: undefined });
    if (this.connection.name(name)) return;
    // Without a socket it goes with the next message.
    this.wantedName = name;
    const { you } = this.chat;
    if (you !== undefined) this.set({ you: { ...you, name } });
  }

  /** A request of a moderator; what goes wrong is told like everything else. */
  async moderate(method: string, path: string, body?: unknown): Promise<void> {
    try {
      await this.connection.ask(method, path, body);
      this.set({ trouble: undefined });
    } catch (error) {
      this.failed(error);
    }
  }

  async older(): Promise<void> {
    const first = this.chat.messages[0];
    if (this.loading || !this.chat.more || first === undefined) return;
    this.loading = true;
    try {
      const { items } = await this.connection.ask<{ items: Frame[] }>("GET", `/messages?before=${first.seq}&limit=${PAGE}`);
      this.log.add(items.filter((one): one is { type: "message" } & Message => one.type === "message"), true);
      this.set({ messages: this.log.all, more: items.length === PAGE });
    } catch {
      // Scrolling asks again.
    }
    this.loading = false;
  }

  private async send({ ref, text }: Pending): Promise<void> {
    try {
      if (await this.connection.say(text, ref, this.wantedName)) this.drop(ref);
      this.wantedName = undefined;
      const slow = this.chat.room?.slow_s ?? 0;
      if (slow > 0 && this.chat.you?.role !== "moderator") this.set({ readyMs: performance.now() + slow * 1000 });
    } catch (error) {
      this.drop(ref);
      this.failed(error, text);
    }
  }

  private heard(frame: Frame): void {
    const changed = this.log.take(frame);
    if (changed) this.set({ messages: this.log.all });
    if (frame.type === "message" && frame.ref) this.drop(frame.ref);
    else if (frame.type === "hello") {
      this.set({ you: this.asOwner(frame.you), room: frame.room, viewers: frame.viewers, banned: undefined, more: frame.history.length >= PAGE || this.log.all.length >= PAGE });
      this.repeat(frame.history);
    } else if (frame.type === "you") this.set({ you: this.asOwner(frame.you), trouble: undefined });
    else if (frame.type === "room") this.set({ room: frame });
    else if (frame.type === "viewers") this.set({ viewers: frame.count });
    else if (frame.type === "banned") this.set({ banned: isOver(frame.until) ? undefined : frame.until });
    else if (frame.type === "error") {
      const said = this.chat.pending.find((one) => one.ref === frame.ref);
      if (frame.ref !== undefined) this.drop(frame.ref);
      this.trouble(frame.code, frame.detail, frame.retry_after_ms, said?.text);
    }
  }

  /** The owner moderates by his requests, whatever the socket takes him for. */
  private asOwner(you: Author): Author {
    return this.owner ? { ...you, role: "moderator" } : you;
  }

  private line(line: Line): void {
    this.set({ line });
  }

  /** Says again what was on its way when the connection went; what has arrived is not said twice. */
  private repeat(history: readonly Message[]): void {
    const mine = new Set(history.filter((one) => one.from.id === this.chat.you?.id).map((one) => one.text));
    for (const one of this.chat.pending) {
      if (mine.has(one.text)) this.drop(one.ref);
      else void this.send(one);
    }
  }

  private drop(ref: string): void {
    if (this.chat.pending.some((one) => one.ref === ref)) this.set({ pending: this.chat.pending.filter((one) => one.ref !== ref) });
  }

  private failed(error: unknown, text?: string): void {
    if (error instanceof ApiError) this.trouble(error.code, error.message, (error.retryAfter ?? 0) * 1000 || undefined, text);
    else this.trouble("unavailable", "", undefined, text);
  }

  private trouble(code: string, detail: string, retryMs: number | undefined, text?: string): void {
    this.set({ trouble: { code, detail, retryMs }, ...(retryMs === undefined ? {} : { readyMs: performance.now() + retryMs }) });
    if (text !== undefined) this.refused?.(text);
  }

  /** Called with a text that was not taken, so that nobody has to write it again. */
  refused: ((text: string) => void) | undefined;

  private set(change: Partial<Chat>): void {
    this.chat = { ...this.chat, ...change };
    this.changed(this.chat);
  }
}

function isOver(until: string | null): boolean {
  return until !== null && Date.parse(until) <= Date.now();
}

export function useRoom(id: string, bearer: string | undefined): { chat: Chat; keeper: RoomKeeper | undefined } {
  const [chat, setChat] = useState(BEFORE);
  const keeper = useRef<RoomKeeper | undefined>(undefined);
  useEffect(() => {
    const one = new RoomKeeper(id, setChat, bearer);
    keeper.current = one;
    return () => one.end();
  }, [id, bearer]);
  return { chat, keeper: keeper.current };
}
