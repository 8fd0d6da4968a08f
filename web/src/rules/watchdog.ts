// Loading that got stuck: the playlist goes on and nothing is buffered any more. Loading again helps, or else a new player.

/** How long that may last, milliseconds. */
const STUCK_MS = 600;
/** How often loading is begun anew before the player is made anew. */
const TRIES = 2;

export type Rescue = "reload" | "rebuild";

/** Watches the end of the playlist and the end of the buffer. */
export class Watchdog {
  private edge = Number.NaN;
  private bufferedTo = Number.NaN;
  private edgeMoves = 0;
  private since = 0;
  private tries = 0;

  /** What to do, if anything. `edge`: where the playlist ends; both in seconds of the media. */
  look(nowMs: number, edge: number, bufferedTo: number): Rescue | undefined {
    if (bufferedTo !== this.bufferedTo) {
      this.begin(nowMs, edge, bufferedTo);
      this.tries = 0;
      return undefined;
    }
    if (edge !== this.edge) {
      this.edge = edge;
      this.edgeMoves += 1;
    }
    // One step may be what is being loaded at this moment.
    if (this.edgeMoves < 2) {
      this.since = Math.max(this.since, this.edgeMoves === 0 ? nowMs : this.since);
      return undefined;
    }
    if (nowMs - this.since < STUCK_MS) return undefined;
    this.tries += 1;
    this.begin(nowMs, edge, bufferedTo);
    return this.tries > TRIES ? "rebuild" : "reload";
  }

  private begin(nowMs: number, edge: number, bufferedTo: number): void {
    this.edge = edge;
    this.bufferedTo = bufferedTo;
    this.edgeMoves = 0;
    this.since = nowMs;
  }
}
