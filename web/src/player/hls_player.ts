// The player for HLS in this browser. It is loaded only where it is needed: hls.js is most of the pages' script.

import Hls from "hls.js";
import { LivePlayer } from "./live_player.ts";
import { NativePlayer } from "./native_player.ts";
import type { RewindingPlayer } from "./player.ts";

export function hlsPlayer(video: HTMLVideoElement, list: string, label: string | undefined, ahead: number | undefined, back: number | undefined): RewindingPlayer {
  return Hls.isSupported() ? new LivePlayer(video, list, label, ahead, back) : new NativePlayer(video, list);
}

/** Leaves what is seen where it is, until there is something else. */
export function keepFrame(video: HTMLVideoElement): void {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  if (canvas.width > 0) video.poster = canvas.toDataURL("image/jpeg");
}
