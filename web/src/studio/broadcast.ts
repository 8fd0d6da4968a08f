// Keeps what is sent on its way: begins anew when the connection or the network has gone.

import { ApiError } from "../api.ts";
import { goingOf, type Going, type Sent } from "../rules/outgoing.ts";
import { againMs, type Quality } from "../rules/quality.ts";
import type { Source } from "./source.ts";
import type { Target } from "./target.ts";
import { WhipSession } from "./whip_session.ts";

const COUNT_MS = 1000;
/** A connection that does not answer for so long is made anew, milliseconds. */
const SILENT_MS = 4000;
/** Figures that are kept, one a second. */
const MOST = 60;

export type OnAir = {
  state: "connecting" | "live" | "returning" | "refused";
  /** The public name of the stream, once the server has said it. */
  name: string | undefined;
  sinceMs: number | undefined;
  going: Going | undefined;
  /** Bits a second of the last minute. */
  last: readonly number[];
  /** What the server said against it. */
  why: ApiError | undefined;
};

export class Broadcast {
  private onAir: OnAir = { state: "connecting", name: undefined, sinceMs: undefined, going: undefined, last: [], why: undefined };
  private session: WhipSession | undefined;
  private before: Sent | undefined;
  private bearer: string | undefined;
  private failures = 0;
  private retry: number | undefined;
  private silent: number | undefined;
  private readonly counter: number;
  private over = false;

  constructor(
    private readonly target: Target,
    private readonly source: Source,
    private readonly quality: Quality,
    private readonly changed: (onAir: OnAir) => void,
  ) {
    this.onAir.name = target.name;
    this.bearer = target.bearer;
    this.counter = window.setInterval(() => void this.count(), COUNT_MS);
    window.addEventListener("online", this.anew);
    window.addEventListener("pagehide", this.leave);
    void this.begin();
  }

  /** Other tracks are sent from now on. */
  replace(): void {
    void this.session?.replace(this.source.stream).catch(() => this.anew());
  }

  end(): void {
    this.over = true;
    window.clearInterval(this.counter);
    window.clearTimeout(this.retry);
    window.clearTimeout(this.silent);
    window.removeEventListener("online", this.anew);
    window.removeEventListener("pagehide", this.leave);
    this.session?.end();
  }

  private readonly leave = () => this.session?.end();

  private readonly anew = () => {
    if (this.over) return;
    this.lost();
    window.clearTimeout(this.retry);
    void this.begin();
  };

  private async begin(): Promise<void> {
    this.session?.end();
    this.before = undefined;
    const again = this.session !== undefined;
    this.session = undefined;
    try {
      if (again && this.target.renew !== undefined) this.bearer = await this.target.renew();
    } catch (error) {
      return this.failed(error);
    }
    if (this.over || this.session !== undefined) return;
    const session: WhipSession = new WhipSession(this.target.address, this.bearer, (state) => session === this.session && this.heard(state));
    this.session = session;
    try {
      const name = await session.begin(this.source.stream, this.quality);
      if (session === this.session && name !== undefined) this.set({ name });
    } catch (error) {
      if (session === this.session) this.failed(error);
    }
  }

  private heard(state: RTCPeerConnectionState): void {
    window.clearTimeout(this.silent);
    if (state === "connected") {
      this.failures = 0;
      this.set({ state: "live", sinceMs: this.onAir.sinceMs ?? performance.now(), why: undefined });
    } else if (state === "disconnected") {
      this.silent = window.setTimeout(() => this.anew(), SILENT_MS);
    } else if (state === "failed" || state === "closed") {
      this.failed(new ApiError(0, "unreachable", ""));
    }
  }

  private failed(error: unknown): void {
    const why = error instanceof ApiError ? error : new ApiError(0, "unreachable", String(error));
    this.failures += 1;
    this.session?.end();
    // Our own session of a moment ago may still be there (409), and the server may be busy or away.
    const final = why.status >= 400 && why.status < 500 && !(why.status === 409 && this.onAir.sinceMs !== undefined) && why.status !== 429;
    if (final) return this.set({ state: "refused", why, going: undefined });
    this.lost(why);
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => void this.begin(), againMs(this.failures));
  }

  private lost(why?: ApiError): void {
    this.set({ state: this.onAir.sinceMs === undefined ? "connecting" : "returning", going: undefined, why });
  }

  private async count(): Promise<void> {
    const { session } = this;
    if (session === undefined || this.onAir.state !== "live") return;
    const now = await session.sent().catch(() => undefined);
    if (now === undefined || session !== this.session || this.over) return;
    const going = goingOf(this.before, now);
    const first = this.before === undefined;
    this.before = now;
    if (!first) this.set({ going, last: [...this.onAir.last, going.bitsPerSecond].slice(-MOST) });
  }

  private set(change: Partial<OnAir>): void {
    this.onAir = { ...this.onAir, ...change };
    if (!this.over) this.changed(this.onAir);
  }
}
