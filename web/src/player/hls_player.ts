// The player for HLS in this browser. It is loaded only where it is needed: hls.js is most of the pages' script.

import Hls from "hls.js";
import { LivePlayer } from "./live_player.ts";
import { NativePlayer } from "./native_player.ts";
import type { Player } from "./player.ts";

export function hlsPlayer(video: HTMLVideoElement, list: string, label: string | undefined, ahead: number | undefined): Player {
  return Hls.isSupported() ? new LivePlayer(video, list, label, ahead) : new NativePlayer(video, list);
}
