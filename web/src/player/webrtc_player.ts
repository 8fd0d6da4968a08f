// Plays over WebRTC. The server chooses the rendition. A session that is over is followed by another one, which takes the
// place of what is seen only when it has something to show.

import { renditionsOf, type Rendition } from "../rules/multivariant.ts";
import type { Facts } from "../rules/state.ts";
import type { Reason } from "../rules/transport.ts";
import { autoplay } from "./autoplay.ts";
import type { Player } from "./player.ts";
import { type Fate, WhepSession } from "./whep_session.ts";

const TICK_MS = 100;
const AGAIN_MS = 1000;
/** Standing still for so long we ask whether the server still has the session, and as often, milliseconds. */
const ASK_MS = 1000;
/** A connection without answers that has stood still for so long is made anew, milliseconds. */
const STALE_MS = 2000;
/** The session goes on for so long while the viewer has paused, milliseconds. */
const PAUSED_MS = 10_000;

export type Hooks = {
  /** It shows something from now on, in the video element: whatever played before lets go of that. */
  shows(): void;
  /** It cannot be had like this. */
  gaveUp(reason: Reason, sentence: string): void;
};

/** A session that was begun before there was a player for it. */
let early: WhepSession | undefined;

/** Asks for a stream before there is anything to show it in. */
export function askEarly(list: string): void {
  early = new WhepSession(list, undefined, () => undefined);
}

export class WebRtcPlayer implements Player {
  /** How often it had to begin anew, for whoever looks for a fault. */
  readonly helped = { sessions: 0 };
  private shown: WhepSession | undefined;
  private next: WhepSession | undefined;
  /** One that will ask again. */
  private waits: WhepSession | undefined;
  private timer: number;
  private retry: number | undefined;
  private list: Facts["list"] = "unknown";
  private seen = false;
  private decodable = true;
  private lostMs = Number.NEGATIVE_INFINITY;
  private pausedMs: number | undefined;
  private askedMs = 0;
  private known: readonly Rendition[] = [];

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private label: string | undefined,
    private readonly hooks: Hooks,
    /** Whether something else is seen meanwhile. */
    private readonly behind: boolean,
  ) {
    this.timer = window.setInterval(() => this.tick(), TICK_MS);
    video.addEventListener("play", this.onPlay);
    video.addEventListener("loadeddata", this.onChange);
    window.addEventListener("pagehide", this.onHide);
    window.addEventListener("pageshow", this.onShow);
    this.begin();
  }

  look(): Facts {
    const now = performance.now();
    const stillMs = this.shown?.reception.stillMs(now) ?? now - this.lostMs;
    return { list: this.list, seen: this.seen, decodable: this.decodable, paused: this.video.paused, stillMs };
  }

  delaySeconds(): number | undefined {
    return this.shown?.reception.delaySeconds;
  }

  get roundTripSeconds(): number | undefined {
    return this.shown?.reception.roundTripSeconds;
  }

  renditions(): readonly Rendition[] {
    return this.known;
  }

  get current(): string | undefined {
    const height = this.video.videoHeight;
    return this.shown?.label ?? this.known.find((one) => one.height === height)?.label;
  }

  get fixed(): string | undefined {
    return this.label;
  }

  /** Why there is no audio, where the stream has some. */
  get withoutAudio(): string | undefined {
    return this.shown?.withoutAudio;
  }

  choose(label: string | undefined): void {
    if (label === this.label) return;
    this.label = label;
    this.begin();
  }

  destroy(): void {
    window.clearInterval(this.timer);
    this.video.removeEventListener("play", this.onPlay);
    this.video.removeEventListener("loadeddata", this.onChange);
    window.removeEventListener("pagehide", this.onHide);
    window.removeEventListener("pageshow", this.onShow);
    this.endAll();
    if (!this.behind || this.seen) this.video.srcObject = null;
  }

  /** Whether another session is on its way. */
  private get asks(): boolean {
    return this.next !== undefined || this.waits !== undefined;
  }

  private readonly onChange = () => this.tick();

  private readonly onPlay = () => {
    if (this.shown === undefined && !this.asks && this.seen) this.begin();
  };

  private readonly onHide = () => this.endAll();

  /** A page that was kept and is shown again. */
  private readonly onShow = (event: PageTransitionEvent) => {
    if (event.persisted) this.begin();
  };

  private endAll(): void {
    window.clearTimeout(this.retry);
    this.shown?.end();
    this.next?.end();
    this.waits?.end();
    this.shown = undefined;
    this.next = undefined;
    this.waits = undefined;
  }

  private begin(): void {
    window.clearTimeout(this.retry);
    this.next?.end();
    this.waits?.end();
    this.waits = undefined;
    this.next = this.label === undefined ? early : undefined;
    if (this.next !== undefined) {
      this.next.answers = this.onChange;
      // It may have been answered already.
      queueMicrotask(this.onChange);
    }
    early = undefined;
    this.next ??= new WhepSession(this.url, this.label, this.onChange);
    this.helped.sessions += 1;
  }

  private beginLater(): void {
    window.clearTimeout(this.retry);
    this.next?.end();
    this.next = undefined;
    this.retry = window.setTimeout(() => this.begin(), AGAIN_MS);
  }

  /** The same offer once more: browsers do not like to make one after the other for hours. */
  private askLater(session: WhepSession): void {
    window.clearTimeout(this.retry);
    this.waits = session;
    this.next = undefined;
    this.retry = window.setTimeout(() => {
      this.waits = undefined;
      this.next = session;
      session.ask();
    }, AGAIN_MS);
  }

  private tick(): void {
    const now = performance.now();
    const lost = this.shown?.look(now).is === "lost";
    if (this.next !== undefined) this.lookAt(this.next, this.next.look(now), now);
    this.pause(now);
    if (this.shown === undefined) return;
    if (lost) {
      this.lostMs = now - this.shown.reception.stillMs(now);
      this.shown.end();
      this.shown = undefined;
      if (!this.asks) this.begin();
      return;
    }
    const still = this.shown.reception.stillMs(now);
    if (still >= ASK_MS && now - this.askedMs >= ASK_MS && !this.video.paused) {
      this.askedMs = now;
      void this.askAbout(this.shown, still);
    }
  }

  /** A session that is to be shown. */
  private lookAt(session: WhepSession, fate: Fate, now: number): void {
    if (fate.is === "asking") return;
    if (fate.is === "unanswered") {
      if (this.list !== "absent") this.list = "unreachable";
      return this.askLater(session);
    }
    if (fate.is === "refused" && fate.why === "absent") {
      this.list = "absent";
      return this.askLater(session);
    }
    if (fate.is === "refused" || fate.is === "failed" || fate.is === "lost") return this.failed(fate);
    this.list = "there";
    this.decodable = true;
    // Where nothing is seen yet the browser shows the first frame as soon as it has one.
    if (!this.seen && !this.behind && this.video.srcObject !== session.stream) this.attach(session);
    const first = this.video.srcObject === session.stream && this.video.readyState >= 2 && this.video.videoWidth > 0;
    if (fate.is !== "shows" && !first) return;
    // It came back meanwhile, and as it was asked for: it stays.
    const returned = this.shown !== undefined && this.shown.label === this.label && this.shown.reception.stillMs(now) === 0;
    this.next = undefined;
    if (returned) return session.end();
    this.shown?.end();
    this.shown = session;
    if (this.behind && !this.seen) this.hooks.shows();
    if (this.video.srcObject !== session.stream) this.attach(session);
    if (!this.behind && !this.seen) this.hooks.shows();
    this.seen = true;
    void this.learnRenditions();
  }

  private attach(session: WhepSession): void {
    const { video } = this;
    const wasPaused = this.seen && video.paused;
    video.playbackRate = 1;
    video.srcObject = session.stream;
    if (!wasPaused) autoplay(video);
  }

  private failed(fate: Extract<Fate, { is: "refused" | "failed" | "lost" }>): void {
    if (fate.is === "lost") return this.beginLater();
    // A rendition that is not there any more is no reason to give up the others.
    if (this.label !== undefined && fate.is === "refused") {
      this.label = undefined;
      return this.begin();
    }
    const why = fate.why === "absent" ? "refused" : fate.why;
    this.list = "there";
    this.decodable = why !== "codec" && why !== "reordered";
    this.beginLater();
    this.hooks.gaveUp(why, fate.is === "refused" ? fate.sentence : "");
  }

  /** What is seen stands still: its publisher is gone for a moment, or the session is. */
  private async askAbout(session: WhepSession, still: number): Promise<void> {
    const stale = session.disconnected && still > STALE_MS;
    const known = await session.known();
    if (session !== this.shown || session.reception.stillMs(performance.now()) === 0) return;
    if (known === undefined) this.list = "unreachable";
    else if (known) this.list = "there";
    if ((known === false || (stale && known === true)) && !this.asks) this.begin();
    if (known === true && this.label !== undefined && still > STALE_MS) await this.lookForPinned();
  }

  /** Leaves a chosen rendition that is not offered any more. */
  private async lookForPinned(): Promise<void> {
    await this.learnRenditions();
    if (this.known.length > 0 && !this.known.some((one) => one.label === this.label)) this.choose(undefined);
  }

  private async learnRenditions(): Promise<void> {
    try {
      const answer = await fetch(this.url, { cache: "no-store" });
      if (answer.ok) this.known = renditionsOf(await answer.text());
    } catch {
      // Then without a menu.
    }
  }

  /** Loads nothing for a viewer who has paused for long. What was seen last stays. */
  private pause(now: number): void {
    if (!this.video.paused || !this.seen) this.pausedMs = undefined;
    else this.pausedMs ??= now;
    if (this.pausedMs !== undefined && now - this.pausedMs > PAUSED_MS && this.shown !== undefined) this.endAll();
  }
}
