// How far the viewer's clock is from the server's, learned from the `Date` of its answers. That has whole seconds; but
// answers come many times a second, so what all of them allow soon is a tenth of one.

export class ServerClock {
  private least = Number.NEGATIVE_INFINITY;
  private most = Number.POSITIVE_INFINITY;

  /** An answer of `date` (milliseconds), asked for and received at these moments of the viewer's clock. */
  heard(date: number, askedMs: number, receivedMs: number): void {
    if (!Number.isFinite(date) || receivedMs < askedMs) return;
    const least = date - receivedMs;
    const most = date + 1000 - askedMs;
    if (least > this.most || most < this.least) {
      // One of the clocks was set.
      this.least = least;
      this.most = most;
      return;
    }
    this.least = Math.max(this.least, least);
    this.most = Math.min(this.most, most);
  }

  /** The server's time at this moment of the viewer's clock; none before an answer was heard. */
  at(nowMs: number): number | undefined {
    if (!Number.isFinite(this.least) || !Number.isFinite(this.most)) return undefined;
    // Clocks that agree as far as can be told do agree.
    const offset = this.least <= 0 && 0 <= this.most ? 0 : (this.least + this.most) / 2;
    return nowMs + offset;
  }
}
