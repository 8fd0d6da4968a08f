// The messages of a room as one viewer has them: each once, in the order of their numbers, whichever way they came.

export type Author = { id: string; name: string; colour: number; role: "viewer" | "moderator" };
export type Message = { seq: number; id: string; from: Author; text: string; at: string; ref?: string | null };

/** What the server tells (docs/reference/chat.md). What is not known is ignored. */
export type Frame =
  | { type: "hello"; you: Author; room: Room; history: Message[]; seq: number; viewers: number; state: string }
  | ({ type: "message" } & Message)
  | { type: "delete"; seq: number; ids: string[] }
  | { type: "clear"; seq: number }
  | { type: "you"; you: Author }
  | { type: "banned"; until: string | null }
  | ({ type: "room" } & Room)
  | { type: "viewers"; count: number }
  | { type: "stream"; state: string }
  | { type: "gap"; from: number; to: number }
  | { type: "error"; code: string; detail: string; retry_after_ms?: number; ref?: string };

export type Room = { slow_s: number; open: boolean; newcomers_wait_s: number; max_chars: number; pinned: Message | null };

/** Messages that are kept; the oldest go. */
const MOST = 1000;
/** Ids of deleted messages that are kept, so that an older answer does not bring them back. */
const MOST_GONE = 2000;

export class ChatLog {
  private messages: readonly Message[] = [];
  private readonly known = new Set<string>();
  private readonly gone = new Set<string>();
  private clearedTo = 0;
  /** The number of what happened last, as far as nothing is missing before it. */
  seq = 0;

  get all(): readonly Message[] {
    return this.messages;
  }

  /** Takes what the server told; whether anything has changed. */
  take(frame: Frame): boolean {
    if ("seq" in frame) this.seq = Math.max(this.seq, frame.seq);
    if (frame.type === "hello") return this.add(frame.history);
    if (frame.type === "message") return this.add([frame]);
    if (frame.type === "clear") {
      this.clearedTo = Math.max(this.clearedTo, frame.seq);
      return this.keep((one) => one.seq > frame.seq);
    }
    if (frame.type !== "delete") return false;
    for (const id of frame.ids) this.gone.add(id);
    for (const id of this.gone) {
      if (this.gone.size <= MOST_GONE) break;
      this.gone.delete(id);
    }
    const ids = new Set(frame.ids);
    return this.keep((one) => !ids.has(one.id));
  }

  /** Adds messages, older or newer; `older` ones are kept even where there are too many. */
  add(some: readonly Message[], older = false): boolean {
    const fresh = some.filter((one) => !this.known.has(one.id) && !this.gone.has(one.id) && one.seq > this.clearedTo);
    if (fresh.length === 0) return false;
    for (const one of fresh) this.known.add(one.id);
    const last = this.messages.at(-1)?.seq ?? 0;
    const inOrder = fresh.every((one, i) => one.seq > (fresh[i - 1]?.seq ?? last));
    const all = [...this.messages, ...fresh];
    if (!inOrder) all.sort((a, b) => a.seq - b.seq);
    const surplus = older ? 0 : all.length - MOST;
    for (const one of all.slice(0, Math.max(0, surplus))) this.known.delete(one.id);
    this.messages = surplus > 0 ? all.slice(surplus) : all;
    return true;
  }

  private keep(wanted: (one: Message) => boolean): boolean {
    const kept = this.messages.filter(wanted);
    if (kept.length === this.messages.length) return false;
    this.messages = kept;
    return true;
  }
}
