// The page of one stream: what is seen of it, and what is told meanwhile.

import { Controls, element } from "./controls.ts";
import { WatchPlayer } from "./player/watch_player.ts";
import { stateOf, type State } from "./rules/state.ts";
import { noteOf } from "./note.ts";
import { language, wordsOf } from "./words.ts";

const LOOK_MS = 100;

const tag = language(navigator.languages);
const words = wordsOf(tag);
document.documentElement.lang = tag;

const video = element("video", HTMLVideoElement);
const list = document.documentElement.dataset["list"] ?? "";
const player = new WatchPlayer(video, list, location.search);
const controls = new Controls(element("player", HTMLElement), video, player, words);

const badge = element("badge", HTMLElement);
const badgeWord = element("badge-word", HTMLElement);
const word = element("word", HTMLElement);
const more = element("more", HTMLElement);
const note = element("note", HTMLElement);
const reload = element("reload", HTMLButtonElement);
reload.textContent = words.reload;
reload.addEventListener("click", () => location.reload());

let told: State | undefined;

function look(): void {
  const state = stateOf(player.look());
  controls.update(state, player.delaySeconds());
  tellHow(state);
  if (state === told) return;
  told = state;
  tell(state);
}

function tell(state: State): void {
  badge.dataset["state"] = state;
  badgeWord.textContent = state === "playing" ? words.live : words[`${state}Short`];
  reload.hidden = state !== "refused";
  if (state === "playing" || state === "paused") return;
  word.textContent = words[state];
  more.textContent = words[`${state}More`];
}

/** A line below the picture about how it is played, if there is something to say. */
function tellHow(state: State): void {
  const { text, more } = noteOf(state, player.way, words);
  if (note.textContent !== text) note.textContent = text;
  if (note.title !== more) note.title = more;
}

look();
window.setInterval(look, LOOK_MS);
// The first frame is not kept behind the veil until then.
video.addEventListener("loadeddata", look);

// For tests and for those who look into their own console.
Object.assign(window, { msconv: { player, video } });
