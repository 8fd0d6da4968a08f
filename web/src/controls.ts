// The controls over the picture.

import { lastVolume, rememberVolume } from "./player/memory.ts";
import type { Player } from "./player/player.ts";
import type { State } from "./rules/state.ts";
import { QualityMenu } from "./quality_menu.ts";
import type { Words } from "./words.ts";

/** Controls go after so long without a movement, milliseconds. */
const IDLE_MS = 2800;

/** An element of the page by its id. */
export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

export class Controls {
  private readonly play = element("play", HTMLButtonElement);
  private readonly largePlay = element("large-play", HTMLButtonElement);
  private readonly mute = element("mute", HTMLButtonElement);
  private readonly volume = element("volume", HTMLInputElement);
  private readonly full = element("full", HTMLButtonElement);
  private readonly unmute = element("unmute", HTMLButtonElement);
  private readonly live = element("live", HTMLElement);
  private readonly delay = element("delay", HTMLElement);
  private readonly bar = element("controls", HTMLElement);
  private readonly menu: QualityMenu;
  private idle: number | undefined;
  private state: State = "connecting";
  /** Whether the viewer has said whether they want to hear it. Before that it is the browser that wants a gesture. */
  private decided = false;
  private shownDelayMs = 0;

  constructor(
    private readonly frame: HTMLElement,
    private readonly video: HTMLVideoElement,
    player: Player,
    private readonly words: Words,
  ) {
    this.menu = new QualityMenu(player, words);
    video.volume = lastVolume();
    this.live.textContent = words.live;
    this.volume.setAttribute("aria-label", words.volume);
    element("unmute-word", HTMLElement).textContent = words.unmuteHere;
    this.largePlay.setAttribute("aria-label", words.play);
    this.play.addEventListener("click", () => this.togglePlay());
    this.largePlay.addEventListener("click", () => this.togglePlay());
    this.mute.addEventListener("click", () => this.toggleMute());
    this.unmute.addEventListener("click", () => this.toggleMute());
    this.volume.addEventListener("input", () => this.setVolume(Number(this.volume.value)));
    this.full.addEventListener("click", () => void this.toggleFull());
    video.addEventListener("click", (event) => this.clicked(event));
    video.addEventListener("dblclick", () => void this.toggleFull());
    for (const name of ["play", "pause", "volumechange"]) video.addEventListener(name, () => this.show());
    video.addEventListener("resize", () => this.fit());
    document.addEventListener("fullscreenchange", () => this.show());
    document.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) {
      frame.addEventListener(name, () => this.wake());
    }
    frame.addEventListener("pointerleave", () => this.sleep());
    this.full.hidden = !document.fullscreenEnabled && !("webkitEnterFullscreen" in video);
    this.show();
    this.wake();
  }

  /** Shows the state; the delay no more often than it can be read. */
  update(state: State, delaySeconds: number | undefined): void {
    if (state !== this.state) {
      this.state = state;
      this.frame.dataset["state"] = state;
      this.show();
      this.wake();
    }
    this.menu.update();
    const now = performance.now();
    if (now - this.shownDelayMs < 500) return;
    this.shownDelayMs = now;
    const shown = state === "playing" && delaySeconds !== undefined && delaySeconds > -0.5 && delaySeconds < 600;
    const figure = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    const small = shown && delaySeconds < 0.05;
    const told = shown ? `${figure.format(small ? 0.1 : delaySeconds)} ${this.words.seconds}` : "";
    this.delay.textContent = small ? `< ${told}` : told;
    this.delay.title = this.words.delay;
  }

  private show(): void {
    const { video, words } = this;
    const paused = video.paused;
    this.frame.dataset["paused"] = String(paused);
    this.frame.dataset["muted"] = String(video.muted || video.volume === 0);
    this.frame.dataset["full"] = String(document.fullscreenElement !== null);
    label(this.play, paused ? words.play : words.pause);
    label(this.mute, video.muted ? words.unmute : words.mute);
    label(this.full, document.fullscreenElement === null ? words.fullScreen : words.leaveFullScreen);
    this.volume.value = String(video.muted ? 0 : video.volume);
    const seen = this.state === "playing" || this.state === "paused" || this.state === "returning";
    this.play.disabled = !seen;
    this.largePlay.hidden = this.state !== "paused";
    this.unmute.hidden = !(seen && video.muted && !this.decided);
  }

  private fit(): void {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth > 0 && videoHeight > 0) {
      document.documentElement.style.setProperty("--aspect", String(videoWidth / videoHeight));
    }
  }

  private clicked(event: MouseEvent): void {
    // A finger on the picture shows the controls; a mouse has them already.
    if ((event as PointerEvent).pointerType === "mouse") this.togglePlay();
  }

  private togglePlay(): void {
    if (this.play.disabled) return;
    if (this.video.paused) void this.video.play().catch(() => undefined);
    else this.video.pause();
  }

  private toggleMute(): void {
    this.decided = true;
    this.video.muted = !this.video.muted;
    if (!this.video.muted && this.video.volume === 0) this.video.volume = 1;
    this.show();
  }

  private setVolume(volume: number): void {
    this.decided = true;
    this.video.volume = Math.min(1, Math.max(0, volume));
    this.video.muted = volume <= 0;
    rememberVolume(this.video.volume);
  }

  private async toggleFull(): Promise<void> {
    try {
      if (document.fullscreenElement !== null) await document.exitFullscreen();
      else if (document.fullscreenEnabled) await this.frame.requestFullscreen();
      else (this.video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
    } catch {
      // The browser said no.
    }
  }

  private key(event: KeyboardEvent): void {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || target instanceof HTMLInputElement) return;
    const onButton = target instanceof HTMLButtonElement;
    if (event.key === "k" || (event.key === " " && !onButton)) this.togglePlay();
    else if (event.key === "m") this.toggleMute();
    else if (event.key === "f") void this.toggleFull();
    else if (event.key === "ArrowUp" && !onButton) this.setVolume(this.video.volume + 0.1);
    else if (event.key === "ArrowDown" && !onButton) this.setVolume(this.video.volume - 0.1);
    else return;
    event.preventDefault();
    this.wake();
  }

  private wake(): void {
    delete this.frame.dataset["idle"];
    window.clearTimeout(this.idle);
    this.idle = window.setTimeout(() => this.sleep(), IDLE_MS);
  }

  private sleep(): void {
    const inUse = this.bar.contains(document.activeElement) && document.activeElement?.matches(":focus-visible");
    if (this.state === "playing" && !this.menu.open && !inUse) this.frame.dataset["idle"] = "";
  }
}

function label(button: HTMLButtonElement, words: string): void {
  if (button.title === words) return;
  button.title = words;
  button.setAttribute("aria-label", words);
}
