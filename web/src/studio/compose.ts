// The screen with the camera in its corner, as one picture.

import type { Quality } from "../rules/quality.ts";

/** The camera's share of the width, and its distance from the edges. */
const SHARE = 0.24;
const EDGE = 0.02;

export class Composer {
  readonly track: MediaStreamTrack;
  private readonly worker: Worker | undefined;
  private readonly timer: number | undefined;
  private readonly screen: HTMLVideoElement;
  private readonly camera: HTMLVideoElement;
  private readonly canvas = document.createElement("canvas");

  constructor(screen: MediaStream, camera: MediaStream, quality: Quality) {
    this.screen = playing(screen);
    this.camera = playing(camera);
    this.canvas.width = quality.width;
    this.canvas.height = quality.height;
    const [track] = this.canvas.captureStream(quality.fps).getVideoTracks();
    if (track === undefined) throw new Error("the browser cannot record a canvas");
    this.track = track;
    this.worker = ticker();
    if (this.worker === undefined) this.timer = window.setInterval(() => this.draw(), 1000 / quality.fps);
    this.worker?.addEventListener("message", () => this.draw());
    this.worker?.postMessage(quality.fps);
    this.draw();
  }

  end(): void {
    window.clearInterval(this.timer);
    this.worker?.terminate();
    this.track.stop();
    for (const one of [this.screen, this.camera]) one.srcObject = null;
  }

  private draw(): void {
    const context = this.canvas.getContext("2d", { alpha: false });
    if (context === null) return;
    const { width, height } = this.canvas;
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    fit(context, this.screen, 0, 0, width, height);
    const { videoWidth, videoHeight } = this.camera;
    if (videoWidth === 0) return;
    const [w, gap] = [width * SHARE, width * EDGE];
    const h = (w * videoHeight) / videoWidth;
    context.save();
    context.beginPath();
    rounded(context, width - w - gap, height - h - gap, w, h, w * 0.05);
    context.clip();
    context.drawImage(this.camera, width - w - gap, height - h - gap, w, h);
    context.restore();
  }
}

function playing(stream: MediaStream): HTMLVideoElement {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  void video.play().catch(() => undefined);
  return video;
}

function fit(context: CanvasRenderingContext2D, video: HTMLVideoElement, x: number, y: number, width: number, height: number): void {
  if (video.videoWidth === 0) return;
  const scale = Math.min(width / video.videoWidth, height / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  context.drawImage(video, x + (width - w) / 2, y + (height - h) / 2, w, h);
}

function rounded(context: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, r: number): void {
  context.moveTo(x + r, y);
  context.arcTo(x + w, y, x + w, y + h, r);
  context.arcTo(x + w, y + h, x, y + h, r);
  context.arcTo(x, y + h, x, y, r);
  context.arcTo(x, y, x + w, y, r);
}

type Policies = { createPolicy(name: string, rules: { createScriptURL(address: string): string }): { createScriptURL(address: string): string } };

/** The worker of this page; it is the only script whose address the page makes up, so browsers want to be told that it is ours. */
function ticker(): Worker | undefined {
  const address = document.documentElement.dataset["ticker"];
  if (address === undefined) return undefined;
  try {
    const policies = (window as { trustedTypes?: Policies }).trustedTypes;
    const trusted = policies?.createPolicy(`msconv-ticker-${Math.random().toString(36).slice(2)}`, { createScriptURL: (one) => one });
    return new Worker(trusted?.createScriptURL(address) ?? address, { type: "module" });
  } catch {
    return undefined;
  }
}
