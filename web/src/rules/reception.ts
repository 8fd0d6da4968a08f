// What comes over a connection, told from the browser's figures: whether it moves, and how late it is shown.

/** The browser's figures of one moment. Counters count from the beginning of the connection; times are seconds. */
export type Figures = {
  /** Whether video was agreed on. */
  video: boolean;
  framesDecoded: number;
  audioPackets: number;
  /** What all decoded frames waited together, from their first packet on. */
  processingSeconds: number;
  roundTripSeconds: number;
};

/** A gap is one only next to what lies between frames otherwise: so many times as long. */
const GAP = 2.5;
/** Of what is averaged the newest counts this much. */
const NEWEST = 0.2;

/** Watches one connection. */
export class Reception {
  private before: Figures | undefined;
  private movedMs = Number.NaN;
  private apartMs = 0;
  private delay: number | undefined;

  heard(nowMs: number, now: Figures): void {
    const { before } = this;
    const decoded = now.framesDecoded - (before?.framesDecoded ?? 0);
    const moved = now.video ? decoded > 0 : now.audioPackets > (before?.audioPackets ?? 0);
    if (moved) {
      const apart = (nowMs - this.movedMs) / Math.max(1, decoded);
      this.apartMs = this.apart(apart);
      this.movedMs = nowMs;
    }
    if (decoded > 0 && now.processingSeconds > 0) {
      const each = Math.max(0, now.processingSeconds - (before?.processingSeconds ?? 0)) / decoded;
      const delay = each + now.roundTripSeconds / 2;
      this.delay = this.delay === undefined ? delay : this.delay + NEWEST * (delay - this.delay);
    }
    this.before = now;
  }

  /** How far frames are apart, now that two were so far: a gap among many frames changes little. */
  private apart(ms: number): number {
    if (!(ms < 5000)) return this.apartMs;
    if (this.apartMs === 0) return ms;
    return this.apartMs + NEWEST * (Math.min(ms, 3 * this.apartMs) - this.apartMs);
  }

  /** Whether anything was shown. */
  get seen(): boolean {
    return !Number.isNaN(this.movedMs);
  }

  /** How long it has stood still, milliseconds. */
  stillMs(nowMs: number): number {
    if (!this.seen) return 0;
    const still = nowMs - this.movedMs;
    return still < GAP * this.apartMs ? 0 : still;
  }

  /** How long a packet goes to the server and back, seconds. */
  get roundTripSeconds(): number | undefined {
    return this.before?.roundTripSeconds;
  }

  /** How far behind the server what is seen is, seconds; none without video. */
  get delaySeconds(): number | undefined {
    return this.delay;
  }
}
