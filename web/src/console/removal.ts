// Something that is done a while after it was asked for, so that it can be taken back.

/** How long it can be taken back, milliseconds. */
const PATIENCE_MS = 10_000;

export class Later {
  private timer: number | undefined;
  private readonly leaving = () => this.now();

  constructor(
    readonly id: string,
    readonly name: string,
    private readonly work: () => Promise<unknown>,
    private readonly done: (failed: unknown) => void,
  ) {
    this.timer = window.setTimeout(this.leaving, PATIENCE_MS);
    window.addEventListener("pagehide", this.leaving);
  }

  /** Not to be done after all. */
  undo(): void {
    window.clearTimeout(this.timer);
    this.timer = undefined;
    window.removeEventListener("pagehide", this.leaving);
  }

  /** To be done at once, if it is still to be done. */
  now(): void {
    if (this.timer === undefined) return;
    this.undo();
    this.work().then(() => this.done(undefined), this.done);
  }
}
