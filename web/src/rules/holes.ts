// A playhead that stands still though there is something to play. Before a hole in what is buffered hls.js waits three
// seconds. And after each time that it ran dry Chromium wants twice as much before it goes on, up to seconds; a jump makes
// it forget that.

/** How long the playhead stands still before it is moved, milliseconds. */
const STILL_MS = 150;
/** A jump within what is buffered gets so long to be of use, milliseconds. */
const AGAIN_MS = 1000;
/** Movements after which it plays, and has not just been put somewhere. */
const PLAYS = 3;

export type Range = { from: number; to: number };
/** Where to go, and whether that is over a hole. */
export type Jump = { to: number; hole: boolean };

/** Watches the playhead. */
export class HoleJumper {
  private last = Number.NaN;
  private since = 0;
  private moves = 0;
  private jumpedMs = Number.NEGATIVE_INFINITY;

  /** Where to go from `playhead`, if it has stood still and there is something to play, `ahead` seconds of it; else nothing. */
  look(nowMs: number, playhead: number, buffered: readonly Range[], ahead: number): Jump | undefined {
    if (playhead !== this.last) {
      this.last = playhead;
      this.since = nowMs;
      this.moves += 1;
      return undefined;
    }
    if (nowMs - this.since < STILL_MS) return undefined;
    const within = buffered.find((range) => range.from <= playhead + 0.001 && playhead < range.to - 0.02);
    if (within === undefined) {
      const next = buffered.find((range) => range.from > playhead);
      return next === undefined ? undefined : { to: next.from, hole: true };
    }
    const enough = within.to - playhead >= ahead && this.moves > PLAYS;
    if (!enough || nowMs - this.jumpedMs < AGAIN_MS) return undefined;
    this.jumpedMs = nowMs;
    return { to: Math.max(playhead + 0.001, within.to - ahead), hole: false };
  }
}
