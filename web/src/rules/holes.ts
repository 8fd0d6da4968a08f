// Holes in what is buffered: where a picture is missing the browser stands still before it, and hls.js waits three seconds.

/** How long the playhead stands still before a hole is jumped, milliseconds. */
const STILL_MS = 150;

export type Range = { from: number; to: number };

/** Watches the playhead. */
export class HoleJumper {
  private last = Number.NaN;
  private since = 0;

  /** Where to go from `playhead`, if it has stood still and something begins ahead; else nothing. */
  look(nowMs: number, playhead: number, buffered: readonly Range[]): number | undefined {
    if (playhead !== this.last) {
      this.last = playhead;
      this.since = nowMs;
      return undefined;
    }
    if (nowMs - this.since < STILL_MS) return undefined;
    const within = buffered.find((range) => range.from <= playhead + 0.001 && playhead < range.to - 0.02);
    if (within !== undefined) return undefined;
    return buffered.find((range) => range.from > playhead)?.from;
  }
}
