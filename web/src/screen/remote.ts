// What a viewer does with a video element: play, volume, full screen, and what browsers call differently.

import type { WatchPlayer } from "../player/watch_player.ts";
import { lastVolume, rememberVolume } from "../player/memory.ts";

/** A step of the arrow keys. */
const STEP = 0.1;
const SEEK_SECONDS = 5;

export class Remote {
  /** Whether the viewer has said whether they want to hear it. Before that it is the browser that wants a gesture. */
  decided = false;

  constructor(
    readonly video: HTMLVideoElement,
    private readonly frame: HTMLElement,
    private readonly player: () => WatchPlayer | undefined,
    private readonly changed: () => void,
  ) {
    video.volume = lastVolume();
  }

  togglePlay(): void {
    if (this.video.paused) void this.video.play().catch(() => undefined);
    else this.video.pause();
  }

  toggleMute(): void {
    this.decided = true;
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 1;
    this.changed();
  }

  setVolume(volume: number): void {
    this.decided = true;
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.video.muted = volume <= 0;
    rememberVolume(this.video.volume);
    this.changed();
  }

  louder(steps: number): void {
    this.setVolume((this.video.muted ? 0 : this.video.volume) + steps * STEP);
  }

  /** Back and forth within what the server keeps, or else what is loaded. */
  seek(steps: number): void {
    if (this.player()?.step(-steps * SEEK_SECONDS) === true) return;
    const { buffered, currentTime } = this.video;
    if (buffered.length === 0 || this.video.srcObject !== null) return;
    const [from, to] = [buffered.start(0), buffered.end(buffered.length - 1)];
    this.video.currentTime = Math.min(to, Math.max(from, currentTime + steps * SEEK_SECONDS));
  }

  toLive(): void {
    this.player()?.toLive();
    void this.video.play().catch(() => undefined);
  }

  get canFill(): boolean {
    return document.fullscreenEnabled || "webkitEnterFullscreen" in this.video;
  }

  async toggleFull(): Promise<void> {
    try {
      if (document.fullscreenElement !== null) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await this.frame.requestFullscreen();
      else (this.video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
    } catch {
      // The browser said no.
    }
  }

  get canFloat(): boolean {
    return document.pictureInPictureEnabled && !this.video.disablePictureInPicture;
  }

  async toggleFloat(): Promise<void> {
    try {
      if (document.pictureInPictureElement !== null) await document.exitPictureInPicture();
      else await this.video.requestPictureInPicture();
    } catch {
      // The browser said no.
    }
  }

  /** Captions that the stream has, if it has any. */
  get captions(): TextTrack | undefined {
    return [...this.video.textTracks].find((track) => track.kind === "captions" || track.kind === "subtitles");
  }

  toggleCaptions(): void {
    const track = this.captions;
    if (track !== undefined) track.mode = track.mode === "showing" ? "hidden" : "showing";
    this.changed();
  }
}
