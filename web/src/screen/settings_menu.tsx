// The menu of the player: which rendition, and how late.

import { useState } from "preact/hooks";
import { watchWords } from "../i18n/words.ts";
import { nameOf, ordered, rateOf } from "../rules/renditions.ts";
import { Entry, Menu } from "../shell/menu.tsx";
import { languageNow } from "../shell/preferences.ts";
import type { Played } from "./playing.ts";

export function SettingsMenu({ played, onOpen }: { played: Played; onOpen(open: boolean): void }) {
  const [open, setOpen] = useState(false);
  const w = watchWords();
  const language = languageNow();
  const { renditions, current, fixed, pace, player } = played;
  const playing = renditions.find((one) => one.label === current);
  const name = playing === undefined ? "" : nameOf(playing, language);
  const word = fixed === undefined ? [w.automatic, name].filter(Boolean).join(" · ") : name;
  const show = (now: boolean) => {
    setOpen(now);
    onOpen(now);
  };
  return (
    <Menu id="qualities" buttonId="quality" open={open} onOpen={show} label={w.settings} buttonClass="quality" button={<span>{renditions.length > 1 ? word : w.quality}</span>}>
      {renditions.length > 1 && (
        <div role="group" aria-label={w.quality}>
          <Entry checked={fixed === undefined} onChoose={() => player?.choose(undefined)}>{w.automatic}</Entry>
          {ordered(renditions).map((one) => (
            <Entry key={one.label} checked={fixed === one.label} more={rateOf(one.bitsPerSecond, language)} onChoose={() => player?.choose(one.label)}>
              {nameOf(one, language)}
            </Entry>
          ))}
        </div>
      )}
      <div role="group" aria-label={w.pace}>
        <p aria-hidden="true">{w.pace}</p>
        <Entry checked={pace === "low"} more={w.lowDelayMore} onChoose={() => played.choosePace("low")}>{w.lowDelay}</Entry>
        <Entry checked={pace === "steady"} more={w.steadyMore} onChoose={() => played.choosePace("steady")}>{w.steady}</Entry>
      </div>
    </Menu>
  );
}
