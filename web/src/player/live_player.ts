// Plays a ladder by hls.js, and does what that leaves undone: keeps the delay small, jumps holes, changes renditions where
// segments begin, and begins anew when loading got stuck or the stream comes back.

import Hls, { ErrorDetails, ErrorTypes, Events, type ErrorData, type HlsConfig, type LevelDetails } from "hls.js";
import { catchUp, wantedAhead } from "../rules/catch_up.ts";
import { ServerClock } from "../rules/clock.ts";
import { HoleJumper, type Range } from "../rules/holes.ts";
import { chooseLevel } from "../rules/levels.ts";
import { labelOf } from "../rules/multivariant.ts";
import { type Facts } from "../rules/state.ts";
import { Throughput } from "../rules/throughput.ts";
import { Watchdog } from "../rules/watchdog.ts";
import { autoplay } from "./autoplay.ts";
import { lastRate, rememberRate } from "./memory.ts";
import type { Rendition, RewindingPlayer } from "./player.ts";
import { playlistLoader, type Watched } from "./playlist_loader.ts";

const TICK_MS = 50;
const AGAIN_MS = 1000;
/** A fault of the decoder that comes back so soon is not mended by beginning to decode anew, milliseconds. */
const MENDED_MS = 5000;
/** Further behind the end of the playlist than this we go to it, seconds. */
const FAR = 5;
/** What hls.js shall hold beyond what lies ahead, seconds. */
const MORE = 4;
/** Who went back too far is brought so far into what is there, seconds. */
const INTO = 4;
/** What is sought for may take so long before that is told, milliseconds. */
const SEEK_MS = 2000;
/** Loading goes on for so long while the viewer has paused, milliseconds. */
const PAUSED_MS = 10_000;

export class LivePlayer implements RewindingPlayer {
  private hls: Hls | undefined;
  private timer: number;
  private retry: number | undefined;
  private watched: Watched = { clock: new ServerClock(), progressMs: performance.now() };
  private holes = new HoleJumper();
  private watchdog = new Watchdog();
  private throughput = new Throughput();
  /** What the playlist lists, seconds of the media, and since when it ends there. */
  private oldest = 0;
  private edge = 0;
  private edgeMs = 0;
  /** Whether hls.js has put the playhead where it begins. */
  private begun = false;
  private edgeSn = -1;
  private partSeconds = 0.1;
  private playhead = Number.NaN;
  private playheadMs = performance.now();
  private troubledMs = Number.NEGATIVE_INFINITY;
  private begunMs = performance.now();
  /** When the player of hls.js was made, and when it was mended last. */
  private madeMs = 0;
  private mendedMs = Number.NEGATIVE_INFINITY;
  private pausedMs: number | undefined;
  private chosenMs = 0;
  private wanted = -1;
  /** How often it had to help itself, for whoever looks for a fault. */
  readonly helped = { holes: 0, jumps: 0, reloads: 0, rebuilds: 0 };
  private facts: Omit<Facts, "paused" | "stillMs"> = { list: "unknown", seen: false, decodable: true };

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    /** The label of the rendition that the viewer chose, if they did. */
    private pinned: string | undefined,
    /** How many seconds shall lie ahead of the playhead; as few as can be unless said. */
    private readonly ahead: number | undefined,
    /** How far back the viewer went, seconds, if they did. */
    private back: number | undefined,
  ) {
    this.timer = window.setInterval(() => this.tick(), TICK_MS);
    video.addEventListener("waiting", this.onWaiting);
    this.begin();
  }

  look(): Facts {
    return { ...this.facts, paused: this.video.paused, stillMs: performance.now() - this.playheadMs };
  }

  delaySeconds(): number | undefined {
    const shown = this.hls?.playingDate?.getTime();
    const now = this.watched.clock.at(Date.now());
    if (shown === undefined || now === undefined) return undefined;
    return (now - shown) / 1000;
  }

  renditions(): Rendition[] {
    return (this.hls?.levels ?? []).map((level) => ({
      label: labelOf(level.uri),
      width: level.width,
      height: level.height,
      bitsPerSecond: level.bitrate,
    }));
  }

  get current(): string | undefined {
    return this.renditions()[this.level]?.label;
  }

  get fixed(): string | undefined {
    return this.pinned;
  }

  choose(label: string | undefined): void {
    this.pinned = label;
    this.decide(performance.now());
  }

  get behindSeconds(): number {
    if (this.back !== undefined && this.begun && !this.video.seeking) {
      // The playlist grows in steps.
      const since = Math.min(5, (performance.now() - this.edgeMs) / 1000);
      this.back = Math.max(0, this.edge + since - this.video.currentTime);
    }
    return this.back ?? 0;
  }

  goBack(seconds: number): void {
    this.back = seconds;
    this.sought(seconds);
    if (this.begun) this.video.currentTime = Math.max(this.oldest + INTO, this.edge - seconds);
  }

  toLive(): void {
    const { video } = this;
    if (this.back === undefined) {
      const end = ranges(video.buffered).at(-1)?.to;
      if (end !== undefined) video.currentTime = Math.max(0, end - this.wantedAhead());
      return;
    }
    this.back = undefined;
    this.sought(this.ahead ?? 3 * this.partSeconds);
    const live = this.hls?.liveSyncPosition ?? undefined;
    if (this.begun && live !== undefined) video.currentTime = live;
  }

  destroy(): void {
    window.clearInterval(this.timer);
    window.clearTimeout(this.retry);
    this.video.removeEventListener("waiting", this.onWaiting);
    this.hls?.destroy();
  }

  /** The index of the rendition that is loaded, or -1. */
  private get level(): number {
    return this.hls?.loadLevel ?? -1;
  }

  private readonly onWaiting = () => {
    if (this.facts.seen && !this.video.paused) this.troubledMs = performance.now();
  };

  /** Another place is shown from now on, so far behind the end. Parts are for who is at the end. */
  private sought(seconds: number): void {
    const { hls } = this;
    this.playheadMs = performance.now() + SEEK_MS;
    this.video.playbackRate = 1;
    this.watchdog = new Watchdog();
    if (hls === undefined) return;
    hls.lowLatencyMode = this.back === undefined;
    hls.targetLatency = seconds;
  }

  private begin(): void {
    window.clearTimeout(this.retry);
    this.madeMs = performance.now();
    this.hls?.destroy();
    this.watchdog = new Watchdog();
    this.edgeSn = -1;
    this.begun = false;
    const hls = new Hls(settings(this.watched, this.ahead, this.back));
    this.hls = hls;
    hls.on(Events.MEDIA_ATTACHED, () => autoplay(this.video));
    hls.on(Events.MANIFEST_PARSED, () => {
      this.facts.list = "there";
      this.wanted = this.chooseNow(-1);
      hls.startLevel = this.wanted;
      hls.loadLevel = this.wanted;
    });
    hls.on(Events.FRAG_LOADED, (_, { frag, part }) => {
      const { loading } = (part ?? frag).stats;
      // What is loaded at first comes all at once, and says little of later.
      if (this.begun && frag.level === hls.loadLevel) this.throughput.heard((part ?? frag).duration, (loading.end - loading.start) / 1000);
    });
    hls.on(Events.FRAG_BUFFERED, () => {
      if (!this.begun) this.begunMs = performance.now();
      this.begun = true;
    });
    hls.on(Events.LEVEL_UPDATED, (_, { details }) => this.listed(hls, details));
    hls.on(Events.ERROR, (_, error) => this.failed(hls, error));
    hls.loadSource(this.url);
    hls.attachMedia(this.video);
  }

  private listed(hls: Hls, details: LevelDetails): void {
    if (details.edge !== this.edge) this.edgeMs = performance.now();
    this.edge = details.edge;
    this.oldest = details.fragmentStart;
    this.partSeconds = details.partTarget || this.partSeconds;
    const sn = details.lastPartSn;
    const begins = this.edgeSn >= 0 && sn > this.edgeSn;
    this.edgeSn = sn;
    if (begins && this.wanted >= 0 && this.wanted !== hls.loadLevel && this.wanted < hls.levels.length) {
      hls.loadLevel = this.wanted;
      this.throughput = new Throughput();
      this.edgeSn = -1;
    }
  }

  private failed(hls: Hls, error: ErrorData): void {
    if (hls !== this.hls) return;
    const status = error.response?.code ?? 0;
    if (error.details === ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
      this.facts.list = "there";
      this.facts.decodable = false;
      return this.beginLater();
    }
    const list = error.details === ErrorDetails.MANIFEST_LOAD_ERROR || error.details === ErrorDetails.MANIFEST_LOAD_TIMEOUT;
    if (list) {
      if (status === 404) this.facts.list = "absent";
      else if (status === 401 || status === 403) this.facts.list = "refused";
      else this.facts.list = this.facts.list === "absent" ? "absent" : "unreachable";
      if (this.facts.list === "absent") this.facts.decodable = true;
      return this.listLater(hls);
    }
    // The rendition is gone, or the whole of it: the list says which.
    const now = performance.now();
    if (error.details === ErrorDetails.LEVEL_LOAD_ERROR && status >= 400 && status < 500) {
      return now - this.madeMs > AGAIN_MS ? this.begin() : this.beginLater();
    }
    if (!error.fatal) return;
    if (error.type === ErrorTypes.MEDIA_ERROR && now - this.mendedMs > MENDED_MS) {
      this.mendedMs = now;
      return hls.recoverMediaError();
    }
    if (error.type === ErrorTypes.NETWORK_ERROR && status === 0) this.facts.list = "unreachable";
    this.beginLater();
  }

  private listLater(hls: Hls): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => hls.loadSource(this.url), AGAIN_MS);
  }

  private beginLater(): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.begin(), AGAIN_MS);
  }

  private tick(): void {
    const { video, hls } = this;
    const now = performance.now();
    if (hls === undefined) return;
    if (video.currentTime !== this.playhead) {
      this.playhead = video.currentTime;
      this.playheadMs = now;
    }
    if (video.readyState >= 2) this.facts.seen = true;
    this.load(hls, now);
    if (!this.begun || video.readyState === 0 || video.seeking) return;
    const buffered = ranges(video.buffered);
    const end = buffered.at(-1)?.to;
    if (end === undefined) return;
    if (!video.paused) {
      if (this.back !== undefined) return this.keepBack(now, video.currentTime, buffered);
      if (this.edge - video.currentTime > FAR + (this.ahead ?? 0) && end < this.edge - FAR) {
        const live = hls.liveSyncPosition;
        if (live !== null) video.currentTime = live;
        return;
      }
      if (this.jumped(now, video.currentTime, buffered)) return;
      this.keepPace(end);
      this.rescue(hls, now, end);
    }
    if (now - this.chosenMs > 1000) this.decide(now);
  }

  /** Over what is not there. */
  private jumped(now: number, playhead: number, buffered: Range[]): boolean {
    const jump = this.holes.look(now, playhead, buffered, this.wantedAhead());
    if (jump === undefined) return false;
    this.helped[jump.hole ? "holes" : "jumps"] += 1;
    this.video.currentTime = jump.to;
    return true;
  }

  /** Whoever went back is left there, unless the window has moved on meanwhile. */
  private keepBack(now: number, playhead: number, buffered: Range[]): void {
    if (playhead < this.oldest) this.video.currentTime = this.oldest + INTO;
    else this.jumped(now, playhead, buffered);
    if (now - this.chosenMs > 1000) this.decide(now);
  }

  private wantedAhead(): number {
    return this.ahead ?? wantedAhead(this.partSeconds);
  }

  private keepPace(end: number): void {
    const ahead = end - this.video.currentTime;
    if (ahead < 0) return;
    if (ahead < this.partSeconds / 4) this.troubledMs = performance.now();
    const pace = catchUp(this.video.currentTime, end, this.wantedAhead());
    if ("seekTo" in pace) this.video.currentTime = pace.seekTo;
    else if (this.video.playbackRate !== pace.rate) this.video.playbackRate = pace.rate;
  }

  private rescue(hls: Hls, now: number, end: number): void {
    const rescue = this.watchdog.look(now, this.edge, end);
    if (rescue === "rebuild") {
      this.helped.rebuilds += 1;
      this.begin();
    } else if (rescue === "reload") {
      this.helped.reloads += 1;
      hls.stopLoad();
      hls.startLoad(-1);
    }
  }

  /** Loads nothing for a viewer who has paused for long, and again when that is over. */
  private load(hls: Hls, now: number): void {
    if (!this.video.paused || !this.facts.seen) {
      if (this.pausedMs === Number.POSITIVE_INFINITY) hls.startLoad(-1);
      this.pausedMs = undefined;
    } else if (this.pausedMs === undefined) {
      this.pausedMs = now;
    } else if (now - this.pausedMs > PAUSED_MS && this.pausedMs !== Number.POSITIVE_INFINITY) {
      this.pausedMs = Number.POSITIVE_INFINITY;
      hls.stopLoad();
    }
  }

  private decide(now: number): void {
    this.chosenMs = now;
    this.wanted = this.chooseNow(this.level);
    if (this.facts.seen) rememberRate(this.estimate() ?? Number.NaN);
  }

  private estimate(): number | undefined {
    return this.throughput.estimate(this.hls?.levels[this.level]?.bitrate ?? Number.NaN);
  }

  private chooseNow(current: number): number {
    const levels = this.hls?.levels ?? [];
    const pinned = levels.findIndex((level) => labelOf(level.uri) === this.pinned);
    if (pinned >= 0) return pinned;
    return chooseLevel({
      levels: levels.map((level) => ({ bitsPerSecond: level.bitrate, height: level.height })),
      current,
      estimate: this.estimate() ?? lastRate(),
      height: this.video.clientHeight * window.devicePixelRatio,
      troubledSeconds: (performance.now() - this.troubledMs) / 1000,
      playedSeconds: (performance.now() - this.begunMs) / 1000,
    });
  }
}

function settings(watched: Watched, ahead: number | undefined, back: number | undefined): Partial<HlsConfig> {
  const sync = back ?? ahead;
  const errorRetry = { maxNumRetry: 20, retryDelayMs: 300, maxRetryDelayMs: 300 };
  const timeoutRetry = { maxNumRetry: 20, retryDelayMs: 0, maxRetryDelayMs: 0 };
  return {
    // For whoever looks for a fault: /watch/NAME#debug
    debug: location.hash === "#debug",
    lowLatencyMode: back === undefined,
    // The page keeps the distance, and the rendition.
    maxLiveSyncPlaybackRate: 1,
    liveSyncOnStallIncrease: 0,
    testBandwidth: false,
    startFragPrefetch: false,
    backBufferLength: 10,
    maxBufferLength: Math.max(8, (ahead ?? 0) + MORE),
    ...(sync === undefined ? {} : { liveSyncDuration: sync }),
    // Who went back would load all up to the end.
    maxMaxBufferLength: 30 + (ahead ?? 0),
    maxBufferHole: 0.3,
    // Fragmented MP4 is handed on as it is; a worker would only be another step on the way.
    enableWorker: false,
    pLoader: playlistLoader(watched),
    manifestLoadPolicy: {
      default: { maxTimeToFirstByteMs: 10_000, maxLoadTimeMs: 10_000, timeoutRetry: null, errorRetry: null },
    },
    playlistLoadPolicy: {
      default: { maxTimeToFirstByteMs: 8_000, maxLoadTimeMs: 10_000, timeoutRetry, errorRetry },
    },
    fragLoadPolicy: {
      default: { maxTimeToFirstByteMs: 8_000, maxLoadTimeMs: 20_000, timeoutRetry, errorRetry },
    },
  };
}

function ranges(buffered: TimeRanges): Range[] {
  return Array.from({ length: buffered.length }, (_, i) => ({ from: buffered.start(i), to: buffered.end(i) }));
}
