// The way to a room: a WebSocket, or where a proxy lets none through, server-sent events and requests. It comes back by
// itself, and asks for what happened meanwhile.

import { ApiError, ask, streamPath } from "../api.ts";
import type { Author, Frame, Message } from "../rules/chat_log.ts";

/** Sockets that were never opened, one after the other, before events are tried. */
const TRIES = 2;
/** A socket that can be written to; said as a number, since there may be no sockets at all. */
const OPEN = 1;
const LEAST_MS = 500;
const MOST_MS = 10_000;
/** Pages of what happened meanwhile at most. */
const PAGES = 20;

export type Line = "connecting" | "open" | "lost" | "absent" | "refused";

export type Ears = {
  heard(frame: Frame): void;
  /** How it is with the way. */
  line(line: Line): void;
  /** The number of what is known; 0 before anything is. */
  known(): number;
};

export class Connection {
  private socket: WebSocket | undefined;
  private events: EventSource | undefined;
  private failures = 0;
  private unopened = 0;
  private timer: number | undefined;
  private over = false;
  private found = false;
  private readonly base: string;

  constructor(
    readonly id: string,
    private readonly ears: Ears,
    private readonly bearer: string | undefined,
  ) {
    this.base = streamPath(id, "/chat");
    window.addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
    this.begin();
  }

  /** Over what it goes, for whoever looks for a fault. */
  get way(): "socket" | "events" {
    return this.unopened >= TRIES ? "events" : "socket";
  }

  end(): void {
    this.over = true;
    window.clearTimeout(this.timer);
    window.removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    this.close();
  }

  /** Says something, and whether it is there now. Over the socket that comes as a frame, as an error does; without one that is thrown. */
  async say(text: string, ref: string, name?: string): Promise<boolean> {
    const open = this.socket?.readyState === OPEN;
    if (open) this.socket?.send(JSON.stringify({ type: "say", text, ref }));
    else this.ears.heard({ type: "message", ...(await this.ask<Message>("POST", "/messages", { text, ref, name })) });
    return !open;
  }

  /** Takes another name. Without a socket it goes with the next message. */
  name(name: string): boolean {
    if (this.socket?.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify({ type: "name", name }));
    return true;
  }

  /** A request below the room's address. */
  ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    return ask(method, this.base + path, { body, bearer: this.bearer });
  }

  private readonly again = () => {
    if (document.hidden || this.timer === undefined) return;
    window.clearTimeout(this.timer);
    this.begin();
  };

  private begin(): void {
    this.timer = undefined;
    if (!this.over) void this.enter();
  }

  /** Asks whether there is a room first, where that is not known: a socket says nothing of why it was not opened. */
  private async enter(): Promise<void> {
    if (!this.found && !(await this.asked())) return this.later();
    if (this.over) return;
    if (this.way === "events") this.listen();
    else this.open();
  }

  /** Whether the server has the room and lets us in. */
  private async asked(): Promise<boolean> {
    try {
      await this.ask("GET", "/messages?limit=1");
      this.found = true;
    } catch (error) {
      this.found = false;
      this.failures += 1;
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 404) this.ears.line("absent");
      else if (status === 401 || status === 403) this.ears.line("refused");
      // Without an answer it is not the socket's fault.
      this.unopened = Math.min(this.unopened, TRIES - 1);
    }
    return this.found;
  }

  private open(): void {
    let opened = false;
    const place = new URL(`${this.base}/ws`, location.href);
    place.protocol = place.protocol === "https:" ? "wss:" : "ws:";
    let socket: WebSocket;
    try {
      socket = new WebSocket(place, "msconv.chat.v1");
    } catch {
      this.unopened = TRIES;
      return this.later();
    }
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      if (!opened) this.unopened = 0;
      opened = true;
      this.take(event.data);
    });
    socket.addEventListener("close", () => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      if (!opened) this.unopened += 1;
      void this.lost();
    });
  }

  private listen(): void {
    const events = new EventSource(`${this.base}/events`);
    this.events = events;
    events.addEventListener("message", (event) => events === this.events && this.take(event.data));
    events.addEventListener("error", () => {
      if (events !== this.events) return;
      events.close();
      this.events = undefined;
      void this.lost();
    });
  }

  private take(text: unknown): void {
    let frames: unknown;
    try {
      frames = JSON.parse(String(text));
    } catch {
      return;
    }
    for (const frame of (Array.isArray(frames) ? frames : [frames]) as Frame[]) this.one(frame);
  }

  private one(frame: Frame): void {
    if (frame.type === "hello") {
      this.failures = 0;
      const known = this.ears.known();
      const missing = known > 0 && frame.seq > known;
      this.ears.heard(frame);
      this.ears.line("open");
      if (missing) void this.catchUp(known, frame.seq);
    } else if (frame.type === "gap") {
      void this.catchUp(frame.from - 1, frame.to);
    } else {
      this.ears.heard(frame);
    }
  }

  /** Everything that happened after a number, up to another one. */
  private async catchUp(after: number, to: number): Promise<void> {
    let from = after;
    for (let page = 0; page < PAGES && from < to && !this.over; page += 1) {
      try {
        const { items, next } = await this.ask<{ items: Frame[]; next?: number | null }>("GET", `/messages?after=${from}&limit=200`);
        for (const frame of items) this.ears.heard(frame);
        if (next === undefined || next === null) return;
        from = next;
      } catch {
        // The next time that it comes back.
        return;
      }
    }
  }

  /** It is gone: why, the server says. */
  private async lost(): Promise<void> {
    if (this.over) return;
    this.failures += 1;
    this.ears.line(this.ears.known() > 0 ? "lost" : "connecting");
    await this.asked();
    this.later();
  }

  private later(): void {
    if (this.over) return;
    const wait = Math.min(MOST_MS, LEAST_MS * 2 ** Math.min(6, this.failures - 1));
    this.timer = window.setTimeout(() => this.begin(), wait * (0.75 + Math.random() / 2));
  }

  private close(): void {
    const { socket, events } = this;
    this.socket = undefined;
    this.events = undefined;
    socket?.close();
    events?.close();
  }
}

export type { Author };
