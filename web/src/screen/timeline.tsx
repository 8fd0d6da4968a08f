// The bar to go back on, where the server keeps enough of the stream: from the oldest of it to what is live.

import { useEffect, useRef, useState } from "preact/hooks";
import { watchWords } from "../i18n/words.ts";
import { firstPlaylist, listedSeconds, stepOf, Window } from "../rules/window.ts";
import type { Played } from "./playing.ts";

export function Timeline({ list, most, played }: { list: string; most: number; played: Played }) {
  const w = watchWords();
  const { player, state } = played;
  const shown = state === "playing" || state === "paused" || state === "returning";
  const seconds = useWindow(list, most, shown);
  /** Where the viewer drags it to. */
  const [held, setHeld] = useState<number>();
  if (player !== undefined) player.windowSeconds = seconds;
  if (!shown || seconds === 0) return null;
  const behind = Math.min(seconds, held ?? played.behindSeconds);
  const words = behind < 1 ? w.live : w.behind(Math.floor(behind / 3600), Math.floor(behind / 60) % 60, Math.floor(behind) % 60);
  const go = (to: number) => {
    setHeld(undefined);
    player?.goTo(Math.max(0, to));
  };
  return (
    <div class="timeline" id="timeline" data-back={String(behind >= 1)}>
      <input
        type="range"
        id="rewind"
        aria-label={w.rewind}
        aria-valuetext={words}
        min={-Math.round(seconds)}
        max="0"
        value={-Math.round(behind)}
        style={{ "--at": `${(100 * (1 - behind / seconds)).toFixed(2)}%` }}
        onInput={(event) => setHeld(-Number(event.currentTarget.value))}
        onChange={(event) => go(-Number(event.currentTarget.value))}
        onKeyDown={(event) => {
          const to = stepOf(event.key, played.behindSeconds, seconds);
          if (to === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          go(to);
        }}
      />
      <span class="where" id="where">{words}</span>
      <button type="button" class="button" id="to-live" disabled={behind < 1} onClick={() => go(0)}>
        <i aria-hidden="true" />
        {w.toLive}
      </button>
    </div>
  );
}

/** How far back there is something to see, seconds; 0 where that is next to nothing. */
function useWindow(list: string, most: number, shown: boolean): number {
  const [seconds, setSeconds] = useState(0);
  const extent = useRef(new Window(most)).current;
  useEffect(() => {
    if (!shown) return;
    let timer: number | undefined;
    let over = false;
    const ask = async () => {
      try {
        extent.heard(await readWindow(list), performance.now());
      } catch {
        // Then what was known before.
      }
      if (over) return;
      setSeconds(extent.at(performance.now()));
      timer = window.setTimeout(() => void ask(), extent.againSeconds * 1000);
    };
    void ask();
    const growing = window.setInterval(() => setSeconds(Math.round(extent.at(performance.now()))), 1000);
    return () => {
      over = true;
      window.clearTimeout(timer);
      window.clearInterval(growing);
    };
  }, [list, shown]);
  return seconds;
}

async function readWindow(list: string): Promise<number> {
  const all = await fetch(list, { cache: "no-store" });
  const playlist = all.ok ? firstPlaylist(await all.text(), all.url) : undefined;
  if (playlist === undefined) return 0;
  const one = await fetch(playlist, { cache: "no-store" });
  return one.ok ? listedSeconds(await one.text()) : 0;
}
