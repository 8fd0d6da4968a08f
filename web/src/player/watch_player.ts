// Plays over WebRTC, and over HLS where that cannot be. One of them has the video element at any moment.

import type { Facts } from "../rules/state.ts";
import { type Transport, TransportChoice } from "../rules/transport.ts";
import type { Way } from "../rules/way.ts";
import { placeOf } from "../rules/window.ts";
import type { Player, Rendition, RewindingPlayer } from "./player.ts";
import { askEarly, type Hooks, WebRtcPlayer } from "./webrtc_player.ts";

const AGAIN_MS = 1000;
/** What stood still for so long, and moves again, may be another stream, milliseconds. */
const INTERRUPTED_MS = 2000;
/** Another place may take so long to be shown before that is told, milliseconds. */
const MOVED_MS = 3000;

export class WatchPlayer implements Player {
  private webrtc: WebRtcPlayer | undefined;
  private hls: RewindingPlayer | undefined;
  private loading = false;
  private over = false;
  private readonly choice: TransportChoice;
  private sentence = "";
  private last: Facts = { list: "unknown", seen: false, decodable: true, paused: false, stillMs: Number.POSITIVE_INFINITY };
  private interrupted = false;
  private label: string | undefined;
  /** How far back there is something to see, seconds; 0 where that is not known or next to nothing. */
  windowSeconds = 0;
  /** How far the viewer went back, seconds, and when. */
  private back = 0;
  private movedMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly list: string,
    /** The transport that the viewer asked for, if they did. */
    pinned: Transport | undefined,
    /** How many seconds shall lie ahead of what is seen, over HLS; as few as can be unless said. */
    private readonly ahead?: number,
  ) {
    this.choice = new TransportChoice(pinned, hasWebRtc());
    if (this.choice.now === "webrtc") this.webrtc = this.overWebRtc(false);
    else void this.overHls();
  }

  look(): Facts {
    const seen = this.last.seen;
    const facts = this.player?.look() ?? { ...this.last };
    if (performance.now() - this.movedMs < MOVED_MS && facts.list === "unknown") [facts.list, facts.stillMs] = ["there", 0];
    // What has just taken over plays by itself, as soon as it can.
    this.last = { ...facts, seen: facts.seen || seen, paused: facts.paused && facts.seen };
    if (this.hls !== undefined) this.lookForAnother(this.last);
    return this.last;
  }

  delaySeconds(): number | undefined {
    return this.player?.delaySeconds();
  }

  renditions(): readonly Rendition[] {
    return this.player?.renditions() ?? [];
  }

  get roundTripSeconds(): number | undefined {
    return this.hls === undefined ? this.webrtc?.roundTripSeconds : undefined;
  }

  get current(): string | undefined {
    return this.player?.current;
  }

  get fixed(): string | undefined {
    return this.player?.fixed;
  }

  get way(): Way {
    const { webrtc, hls } = this;
    return {
      transport: hls !== undefined || webrtc === undefined ? "hls" : "webrtc",
      reason: this.choice.reason,
      sentence: this.sentence,
      withoutAudio: hls === undefined ? webrtc?.withoutAudio : undefined,
    };
  }

  /** How often what plays had to help itself, for whoever looks for a fault. */
  get helped(): unknown {
    return (this.player as { helped?: unknown } | undefined)?.helped;
  }

  choose(label: string | undefined): void {
    this.label = label;
    this.player?.choose(label);
  }

  get behindSeconds(): number {
    return this.back === 0 ? 0 : (this.hls?.behindSeconds ?? this.back);
  }

  /** Shows what was so many seconds ago, over HLS; what is live, where that is next to nothing. */
  goTo(behind: number): void {
    const place = placeOf(behind, this.windowSeconds);
    if (place === 0) return this.toLive();
    this.back = place;
    if (this.hls === undefined) return void this.overHls();
    this.leaveWebRtc();
    this.hls.goBack(place);
  }

  /** So many seconds back, or forth if negative; whether that can be. */
  step(seconds: number): boolean {
    if (this.windowSeconds === 0) return false;
    if (seconds > 0 || this.back > 0) this.goTo(this.behindSeconds + seconds);
    return true;
  }

  /** Shows what is live again, over WebRTC if that is the way. */
  toLive(): void {
    this.back = 0;
    this.hls?.toLive();
    if (this.hls !== undefined && this.choice.now === "webrtc") this.webrtc ??= this.overWebRtc(true);
  }

  destroy(): void {
    this.over = true;
    this.leaveWebRtc();
    this.hls?.destroy();
    this.hls = undefined;
  }

  /** What has the video element. */
  private get player(): Player | undefined {
    return this.hls ?? this.webrtc;
  }

  private overWebRtc(behind: boolean): WebRtcPlayer {
    const hooks: Hooks = {
      shows: () => {
        this.choice.works();
        this.hls?.destroy();
        this.hls = undefined;
      },
      gaveUp: (reason, sentence) => {
        this.choice.failed(reason);
        this.sentence = sentence;
        if (this.choice.now === "webrtc") return;
        this.label = (this.hls ?? this.webrtc)?.fixed;
        this.leaveWebRtc();
        if (this.hls === undefined) void this.overHls();
      },
    };
    return new WebRtcPlayer(this.video, this.list, this.label, hooks, behind);
  }

  private leaveWebRtc(): void {
    this.webrtc?.destroy();
    this.webrtc = undefined;
  }

  private async overHls(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      const { hlsPlayer, keepFrame } = await import("./hls_player.ts");
      // Whoever wanted to go back may have thought better of it.
      if (this.over || (this.back === 0 && this.choice.now === "webrtc")) return;
      if (this.webrtc !== undefined && this.hls === undefined) {
        keepFrame(this.video);
        this.label = this.webrtc.fixed;
        this.leaveWebRtc();
      }
      this.movedMs = performance.now();
      this.hls ??= hlsPlayer(this.video, this.list, this.label, this.ahead, this.back || undefined);
    } catch {
      window.setTimeout(() => void this.overHls(), AGAIN_MS);
    } finally {
      this.loading = false;
    }
  }

  /** Asks for WebRTC again when the stream has come back: it may have no B-frames now, or another codec. */
  private lookForAnother(facts: Facts): void {
    if (facts.list === "absent" || (facts.seen && !facts.paused && facts.stillMs > INTERRUPTED_MS)) {
      this.interrupted = true;
    } else if (this.interrupted && facts.list === "there" && facts.stillMs < 300) {
      this.interrupted = false;
      if (this.choice.again && this.webrtc === undefined) this.webrtc = this.overWebRtc(true);
    }
  }
}

/** Begins with what can be begun before there is a player. */
export function prepare(list: string): void {
  if (hasWebRtc()) askEarly(list);
}

let webRtc: boolean | undefined;

/** Whether connections can be made; browsers may be told to make none. */
function hasWebRtc(): boolean {
  if (webRtc === undefined) {
    try {
      new RTCPeerConnection().close();
      webRtc = true;
    } catch {
      webRtc = false;
    }
  }
  return webRtc;
}
