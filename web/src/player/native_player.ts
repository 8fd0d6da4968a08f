// Plays HLS by the browser itself, where Media Source Extensions are missing (older iPhones).

import type { Facts } from "../rules/state.ts";
import { autoplay } from "./autoplay.ts";
import type { Rendition, RewindingPlayer } from "./player.ts";

const AGAIN_MS = 1000;

export class NativePlayer implements RewindingPlayer {
  readonly current = undefined;
  readonly fixed = undefined;
  behindSeconds = 0;
  private facts: Omit<Facts, "paused" | "stillMs"> = { list: "unknown", seen: false, decodable: true };
  private timer: number;
  private retry: number | undefined;
  private playhead = Number.NaN;
  private playheadMs = performance.now();

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
  ) {
    this.timer = window.setInterval(() => this.tick(), 200);
    video.addEventListener("error", this.onError);
    void this.begin();
  }

  look(): Facts {
    return { ...this.facts, paused: this.video.paused, stillMs: performance.now() - this.playheadMs };
  }

  delaySeconds(): number | undefined {
    const began = (this.video as { getStartDate?: () => Date }).getStartDate?.().getTime();
    if (began === undefined || Number.isNaN(began)) return undefined;
    return (Date.now() - began) / 1000 - this.video.currentTime;
  }

  renditions(): Rendition[] {
    return [];
  }

  choose(): void {
    // The browser chooses.
  }

  goBack(seconds: number): void {
    this.behindSeconds = seconds;
    const { seekable } = this.video;
    if (seekable.length > 0) this.video.currentTime = Math.max(seekable.start(0), seekable.end(seekable.length - 1) - seconds);
  }

  toLive(): void {
    this.behindSeconds = 0;
    const { seekable } = this.video;
    if (seekable.length > 0) this.video.currentTime = seekable.end(seekable.length - 1);
  }

  destroy(): void {
    window.clearInterval(this.timer);
    window.clearTimeout(this.retry);
    this.video.removeEventListener("error", this.onError);
    this.video.removeAttribute("src");
    this.video.load();
  }

  private readonly onError = () => this.later();

  /** Asks for the list first: the browser would not say why it fails. */
  private async begin(): Promise<void> {
    try {
      const answer = await fetch(this.url, { cache: "no-store" });
      if (answer.ok) this.facts.list = "there";
      else if (answer.status === 404) this.facts.list = "absent";
      else if (answer.status === 401 || answer.status === 403) this.facts.list = "refused";
      else this.facts.list = "unreachable";
    } catch {
      this.facts.list = "unreachable";
    }
    if (this.facts.list !== "there") return this.later();
    this.facts.decodable = this.video.canPlayType("application/vnd.apple.mpegurl") !== "";
    if (!this.facts.decodable) return;
    this.video.src = this.url;
    autoplay(this.video);
  }

  private later(): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => void this.begin(), AGAIN_MS);
  }

  private tick(): void {
    if (this.video.readyState >= 2) this.facts.seen = true;
    if (this.video.currentTime === this.playhead) return;
    this.playhead = this.video.currentTime;
    this.playheadMs = performance.now();
  }
}
