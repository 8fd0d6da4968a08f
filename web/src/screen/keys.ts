// Keys that work wherever the focus is, but for fields.

import { actOf } from "../rules/viewer_keys.ts";
import type { Remote } from "./remote.ts";

/** What keys do that is not the player's own. */
export type KeysAround = { theatre?: () => void; chat?: () => void; keys?: () => void };

/** Follows the keys until the answer is called. `acts` is called for each that did something. */
export function followKeys(remote: Remote, around: () => KeysAround, acts: () => void): () => void {
  const key = (event: KeyboardEvent) => {
    const at = event.target instanceof Element ? event.target : document.body;
    const act = actOf({
      key: event.key,
      modified: event.ctrlKey || event.metaKey || event.altKey,
      inText: at.matches("input:not([type=range]), textarea, select") || at.closest("dialog") !== null,
      onButton: at.matches("button, a, summary, input"),
      inList: at.closest('[role="log"], [role="menu"], [role="tablist"]') !== null,
    });
    if (act === undefined) return;
    const { theatre, chat, keys } = around();
    ({
      play: () => remote.togglePlay(),
      mute: () => remote.toggleMute(),
      full: () => void remote.toggleFull(),
      captions: () => remote.toggleCaptions(),
      louder: () => remote.louder(1),
      quieter: () => remote.louder(-1),
      back: () => remote.seek(-1),
      forth: () => remote.seek(1),
      live: () => remote.toLive(),
      theatre: () => theatre?.(),
      chat: () => chat?.(),
      keys: () => keys?.(),
    })[act]();
    event.preventDefault();
    acts();
  };
  document.addEventListener("keydown", key);
  return () => document.removeEventListener("keydown", key);
}
