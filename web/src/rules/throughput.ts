// What the network carries, told from how long pieces take to load next to how long they last. A rate in bits would be of
// little use: pieces of 100 ms are small, and mostly it is the way there and back that is measured.

/** After so many seconds of media a measurement counts half. */
const HALF_LIFE = 2;

export class Throughput {
  private load = 0;
  private media = 0;

  /** A piece of `mediaSeconds` took `loadSeconds`. */
  heard(mediaSeconds: number, loadSeconds: number): void {
    if (!(mediaSeconds > 0) || !(loadSeconds >= 0)) return;
    const kept = 0.5 ** (mediaSeconds / HALF_LIFE);
    this.load = this.load * kept + loadSeconds;
    this.media = this.media * kept + mediaSeconds;
  }

  /** The rate in bits a second that could be loaded like this, where a rendition of `bitsPerSecond` is; none yet at first. */
  estimate(bitsPerSecond: number): number | undefined {
    if (this.media < 0.5) return undefined;
    return bitsPerSecond / Math.max(this.load / this.media, 0.01);
  }
}
