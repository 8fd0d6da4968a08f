// The player: the picture, what is told over it, and its controls.

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { watchWords } from "../i18n/words.ts";
import { Controls, type Around } from "./controls.tsx";
import { Glyph } from "./glyphs.tsx";
import { followKeys, type KeysAround } from "./keys.ts";
import { tellSystem } from "./media_session.ts";
import type { Played, usePlaying } from "./playing.ts";
import { Remote } from "./remote.ts";

/** Controls go after so long without a movement, milliseconds. */
const IDLE_MS = 2800;

export type ScreenProps = {
  title: string;
  played: ReturnType<typeof usePlaying>;
  around?: Around;
  keys?: KeysAround;
  children?: ComponentChildren;
};

export function Screen({ title, played, around = {}, keys = {}, children }: ScreenProps) {
  const w = watchWords();
  const frame = useRef<HTMLElement>(null);
  const [, draw] = useReducer((n: number, _: void) => n + 1, 0);
  const remote = useRef<Remote | undefined>(undefined);
  const { state, video, place } = played;
  const idle = useIdle(frame, state === "playing");
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    if (video === undefined || frame.current === null) return;
    const one = new Remote(video, frame.current, () => draw());
    remote.current = one;
    const changed = () => draw();
    for (const name of ["play", "pause", "volumechange"]) video.addEventListener(name, changed);
    const fit = () => {
      if (video.videoWidth > 0 && video.videoHeight > 0) document.documentElement.style.setProperty("--aspect", String(video.videoWidth / video.videoHeight));
    };
    video.addEventListener("resize", fit);
    document.addEventListener("fullscreenchange", changed);
    const unfollow = followKeys(one, () => held.current, () => idle.wake());
    draw();
    return unfollow;
  }, [video]);
  useEffect(() => tellSystem(title, remote.current), [title, video]);
  const seen = state === "playing" || state === "paused" || state === "returning";
  const told = state !== "playing" && state !== "paused";
  return (
    <section class="player" id="player" ref={frame} data-state={state} data-idle={idle.idle ? "" : undefined} tabIndex={-1} aria-label={title}>
      <video
        id="video"
        playsInline
        ref={place}
        // A finger on the picture shows the controls; a mouse has them already.
        onClick={(event) => (event as unknown as PointerEvent).pointerType === "mouse" && seen && remote.current?.togglePlay()}
        onDblClick={() => void remote.current?.toggleFull()}
      />
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
      <Controls played={played} remote={remote.current} around={around} onMenu={idle.hold} />
    </section>
  );
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
