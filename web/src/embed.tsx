// A stream alone, for other pages to show within theirs.

import { watchWords } from "./i18n/words.ts";
import { playSoon, usePlaying } from "./screen/playing.ts";
import { Screen } from "./screen/screen.tsx";
import { isWindow } from "./rules/window.ts";
import { later } from "./shell/later.tsx";
import { mount } from "./shell/mount.tsx";

const { list = "", name = "", window: kept } = document.documentElement.dataset;
const seconds = Number(kept);
const Timeline = later(() => import("./screen/timeline.tsx").then((part) => part.Timeline));

function Embed() {
  const played = usePlaying(list);
  return (
    <main id="main">
      <h1 class="unseen">{name}</h1>
      <Screen list={list} title={name} played={played} inside below={isWindow(seconds) && <Timeline list={list} most={seconds} played={played} />}>
        <a class="home" href={location.pathname.replace(/^\/embed\//, "/watch/")} target="_blank" rel="noopener" title={watchWords().watchHere}>
          <i aria-hidden="true" />
          {name}
        </a>
      </Screen>
    </main>
  );
}

playSoon(list);
void mount(Embed);
