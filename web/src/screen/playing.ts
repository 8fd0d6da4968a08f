// A player and what is seen of it, looked at many times a second, drawn anew only when something has changed.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Rendition } from "../player/player.ts";
import { prepare, WatchPlayer } from "../player/watch_player.ts";
import { stateOf, type State } from "../rules/state.ts";
import { pinnedTransport } from "../rules/transport.ts";
import type { Way } from "../rules/way.ts";
import { remember, remembered } from "../shell/storage.ts";

const LOOK_MS = 100;
/** A figure changes no more often than it can be read. */
const READ_MS = 500;
/** What lies ahead of the playhead where the viewer wants it steady, seconds. */
const STEADY_SECONDS = 4;

/** As live as it gets, or some seconds later and even. */
export type Pace = "low" | "steady";

export type Playing = {
  state: State;
  delaySeconds: number | undefined;
  /** How far the viewer went back, seconds; 0 if not. */
  behindSeconds: number;
  renditions: readonly Rendition[];
  current: string | undefined;
  fixed: string | undefined;
  way: Way;
};

export type Played = Playing & {
  player: WatchPlayer | undefined;
  video: HTMLVideoElement | undefined;
  pace: Pace;
  choosePace(pace: Pace): void;
};

const BEFORE: Playing = {
  state: "connecting",
  delaySeconds: undefined,
  behindSeconds: 0,
  renditions: [],
  current: undefined,
  fixed: undefined,
  way: { transport: "webrtc", reason: undefined, sentence: "", withoutAudio: undefined },
};

const paceNow = (): Pace => (remembered("pace") === "steady" ? "steady" : "low");

/** Asks for what `usePlaying` will play, while the page is still without words. */
export function playSoon(list: string): void {
  if (pinnedTransport(location.search) !== "hls" && paceNow() === "low") prepare(list);
}

/** Plays what is listed at `list` in the element that the reference is given. */
export function usePlaying(list: string): Played & { place: (video: HTMLVideoElement | null) => void } {
  const [playing, setPlaying] = useState(BEFORE);
  const [pace, setPace] = useState(paceNow);
  const [video, setVideo] = useState<HTMLVideoElement>();
  const player = useRef<WatchPlayer | undefined>(undefined);
  useEffect(() => {
    if (video === undefined) return;
    const asked = pinnedTransport(location.search);
    const steady = pace === "steady" && asked === undefined;
    const one = new WatchPlayer(video, list, steady ? "hls" : asked, steady ? STEADY_SECONDS : undefined);
    player.current = one;
    // For tests and for those who look into their own console.
    Object.assign(window, { msconv: { player: one, video } });
    let shown = "";
    let readMs = 0;
    const look = () => {
      const state = stateOf(one.look());
      const now = performance.now();
      if (now - readMs > READ_MS) readMs = now;
      const rest = { renditions: one.renditions(), current: one.current, fixed: one.fixed, way: one.way };
      const behindSeconds = one.behindSeconds;
      const key = JSON.stringify([state, rest, readMs, behindSeconds > 0]);
      if (key === shown) return;
      shown = key;
      setPlaying({ state, ...rest, behindSeconds, delaySeconds: state === "playing" ? one.delaySeconds() : undefined });
    };
    look();
    const timer = window.setInterval(look, LOOK_MS);
    // The first frame is not kept behind the veil until then.
    video.addEventListener("loadeddata", look);
    return () => {
      window.clearInterval(timer);
      video.removeEventListener("loadeddata", look);
      one.destroy();
      player.current = undefined;
    };
  }, [video, list, pace]);
  const choosePace = (chosen: Pace) => {
    remember("pace", chosen === "low" ? undefined : chosen);
    setPace(chosen);
  };
  const place = useRef((element: HTMLVideoElement | null) => setVideo(element ?? undefined)).current;
  return { ...playing, player: player.current, video, pace, choosePace, place };
}
