// How loud a microphone is, and what to say of it.

export type Loudness = "silent" | "quiet" | "good" | "clipping";

/** What is no audio at all, in decibels below full. */
const SILENT_DB = -60;
const QUIET_DB = -42;
/** Samples of such a size are cut off. */
const FULL = 0.985;
const SILENT_MS = 5000;
const QUIET_MS = 4000;
const CLIPPING_MS = 1500;

/** Samples as decibels below full: how loud they are together. */
export function decibels(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i += 1) sum += (samples[i] ?? 0) ** 2;
  const root = Math.sqrt(sum / Math.max(1, samples.length));
  return root === 0 ? -100 : Math.max(-100, 20 * Math.log10(root));
}

export function clips(samples: ArrayLike<number>): boolean {
  for (let i = 0; i < samples.length; i += 1) if (Math.abs(samples[i] ?? 0) >= FULL) return true;
  return false;
}

/** Watches a microphone: one silent moment is none, and one loud one is told for a while. */
export class LoudnessWatch {
  private audibleMs: number | undefined;
  private goodMs: number | undefined;
  private clippedMs = Number.NEGATIVE_INFINITY;

  heard(nowMs: number, db: number, clipped: boolean): Loudness {
    this.audibleMs ??= nowMs;
    this.goodMs ??= nowMs;
    if (db > SILENT_DB) this.audibleMs = nowMs;
    if (db > QUIET_DB) this.goodMs = nowMs;
    if (clipped) this.clippedMs = nowMs;
    if (nowMs - this.clippedMs < CLIPPING_MS) return "clipping";
    if (nowMs - this.audibleMs >= SILENT_MS) return "silent";
    return nowMs - this.goodMs >= QUIET_MS ? "quiet" : "good";
  }
}
