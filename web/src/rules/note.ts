// The line below the picture: why it is not played over WebRTC, or why without audio.

import type { WatchWords } from "../i18n/words.ts";
import type { State } from "./state.ts";
import type { Way } from "./way.ts";

export type Note = {
  text: string;
  /** What the server says itself, for whoever points at it. */
  more: string;
};

const NOTHING: Note = { text: "", more: "" };

export function noteOf(state: State, way: Way, words: WatchWords): Note {
  if (state !== "playing" && state !== "paused" && state !== "returning" && way.transport === "hls") return NOTHING;
  if (way.reason !== undefined) {
    const begins = way.transport === "hls" ? words.overHls : words.overWebRtc;
    const why = way.reason === "refused" ? words.notGiven : words[way.reason];
    return { text: `${begins} ${why}`, more: way.sentence };
  }
  if (way.withoutAudio !== undefined) return { text: `${words.withoutAudio} ${way.withoutAudio}.`, more: "" };
  return NOTHING;
}
