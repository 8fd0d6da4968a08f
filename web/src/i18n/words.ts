// The words of the page in the viewer's language. Each page has a file of them for each language (en/pages, ru/pages), which is
// loaded when that language is wanted; the English ones are the type of all.

import type { Language } from "../rules/language.ts";
import type { chat } from "./en/chat.ts";
import type { console } from "./en/console.ts";
import type { list } from "./en/list.ts";
import type { shell } from "./en/shell.ts";
import type { studio } from "./en/studio.ts";
import type { watch } from "./en/watch.ts";

type All = { chat: typeof chat; console: typeof console; list: typeof list; shell: typeof shell; studio: typeof studio; watch: typeof watch };
export type WatchWords = All["watch"];

let words: Partial<All> = {};
/** The files that are taken up, as the document names them. */
const files = ["words"];

/** Takes up the words of this language. */
export async function load(language: Language): Promise<void> {
  const { dataset } = document.documentElement;
  const parts = await Promise.all(files.map((name) => import((dataset[name] ?? "").replace("*", language)) as Promise<Partial<All>>));
  words = Object.assign({}, ...parts);
}

/** Takes up those of what comes later, too. */
export function loadLater(language: Language): Promise<void> {
  if (!files.includes("later")) files.push("later");
  return load(language);
}

function part<Part extends keyof All>(name: Part): () => All[Part] {
  return () => {
    const found = words[name];
    if (found === undefined) throw new Error(`this page has no words of ${name}`);
    return found as All[Part];
  };
}

export const chatWords = part("chat");
export const consoleWords = part("console");
export const listWords = part("list");
export const shellWords = part("shell");
export const studioWords = part("studio");
export const watchWords = part("watch");
