// The player: the picture, what is told over it, and its controls.

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { watchWords } from "../i18n/words.ts";
import { Controls, type Around } from "./controls.tsx";
import { Glyph } from "./glyphs.tsx";
import { followKeys, type KeysAround } from "./keys.ts";
import { tellSystem } from "./media_session.ts";
import type { State } from "../rules/state.ts";
import type { Played, usePlaying } from "./playing.ts";
import { Remote } from "./remote.ts";

/** Controls go after so long without a movement, milliseconds. */
const IDLE_MS = 2800;

/** What is there so soon needs nothing in its place, milliseconds. */
const POSTER_MS = 700;

export type ScreenProps = {
  list: string;
  title: string;
  played: ReturnType<typeof usePlaying>;
  around?: Around;
  keys?: KeysAround;
  /** What goes below the picture, and over it where there is nothing below: full screen, or `inside`. */
  below?: ComponentChildren;
  inside?: boolean;
  children?: ComponentChildren;
};

export function Screen({ list, title, played, around = {}, keys = {}, below, inside = false, children }: ScreenProps) {
  const w = watchWords();
  const frame = useRef<HTMLElement>(null);
  const [, draw] = useReducer((n: number, _: void) => n + 1, 0);
  const remote = useRef<Remote | undefined>(undefined);
  const { state, video, place } = played;
  const idle = useIdle(frame, state === "playing");
  const held = useRef({ keys, player: played.player });
  held.current = { keys, player: played.player };
  useEffect(() => {
    if (video === undefined || frame.current === null) return;
    const one = new Remote(video, frame.current, () => held.current.player, () => draw());
    remote.current = one;
    const changed = () => draw();
    for (const name of ["play", "pause", "volumechange"]) video.addEventListener(name, changed);
    const fit = () => {
      if (video.videoWidth > 0 && video.videoHeight > 0) document.documentElement.style.setProperty("--aspect", String(video.videoWidth / video.videoHeight));
    };
    video.addEventListener("resize", fit);
    document.addEventListener("fullscreenchange", changed);
    const unfollow = followKeys(one, () => held.current.keys, () => idle.wake());
    draw();
    return unfollow;
  }, [video]);
  useEffect(() => tellSystem(title, remote.current), [title, video]);
  const seen = state === "playing" || state === "paused" || state === "returning";
  const told = state !== "playing" && state !== "paused";
  const over = inside || document.fullscreenElement !== null;
  return (
    <>
      <section class="player" id="player" ref={frame} data-state={state} data-idle={idle.idle ? "" : undefined} tabIndex={-1} aria-label={title}>
        <video
          id="video"
          playsInline
          ref={place}
          // A finger on the picture shows the controls; a mouse has them already.
          onClick={(event) => (event as unknown as PointerEvent).pointerType === "mouse" && seen && remote.current?.togglePlay()}
          onDblClick={() => void remote.current?.toggleFull()}
        />
        <Poster list={list} state={state} />
        <div class="veil" id="veil">
          <span class="spinner" aria-hidden="true"><i /><i /><i /></span>
          <div role="status">
            <p class="word" id="word">{told && w[state]}</p>
            <p class="more" id="more">{told && w[`${state}More`]}</p>
          </div>
          <button type="button" class="plain" id="reload" hidden={state !== "refused"} onClick={() => location.reload()}>{w.reload}</button>
        </div>
        <button type="button" class="large-play" id="large-play" hidden={state !== "paused"} aria-label={w.play} onClick={() => remote.current?.togglePlay()}>
          <Glyph name="play" />
        </button>
        <button type="button" class="unmute" id="unmute" hidden={!(seen && video?.muted === true && remote.current?.decided === false)} onClick={() => remote.current?.toggleMute()}>
          <Glyph name="muted" />
          <span>{w.unmuteHere}</span>
        </button>
        {children}
        {over && below}
        <Controls played={played} remote={remote.current} around={around} onMenu={idle.hold} />
      </section>
      {!over && below}
    </>
  );
}

/** The last that is known of what is not seen: behind the words, where they stay for longer than a moment. */
function Poster({ list, state }: { list: string; state: State }) {
  const [wanted, setWanted] = useState(false);
  const [there, setThere] = useState(false);
  const waits = state === "connecting" || state === "waiting" || state === "ended";
  useEffect(() => {
    if (!waits) return setWanted(false);
    const timer = window.setTimeout(() => setWanted(true), state === "connecting" ? POSTER_MS : 0);
    return () => window.clearTimeout(timer);
  }, [waits, state]);
  if (!waits || !wanted) return null;
  return <img class="poster" src={list.replace("index.m3u8", "thumbnail.jpg")} alt="" data-there={String(there)} onLoad={() => setThere(true)} onError={() => setThere(false)} />;
}

/** Whether nothing was moved or pressed over the picture for a while. */
function useIdle(frame: { current: HTMLElement | null }, plays: boolean): { idle: boolean; wake(): void; hold(held: boolean): void } {
  const [idle, setIdle] = useState(false);
  const held = useRef(false);
  const timer = useRef<number | undefined>(undefined);
  const wake = useRef(() => {
    setIdle(false);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => sleep.current(), IDLE_MS);
  }).current;
  const sleep = useRef(() => {
    const used = frame.current?.querySelector(".controls :focus-visible") ?? null;
    if (!held.current && used === null) setIdle(true);
  });
  useEffect(() => {
    const { current } = frame;
    if (current === null) return;
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) current.addEventListener(name, wake);
    const left = () => sleep.current();
    current.addEventListener("pointerleave", left);
    wake();
  }, []);
  useEffect(wake, [plays]);
  return { idle: idle && plays, wake, hold: (now) => (held.current = now) };
}

export type { Played };
