// The viewer's language and theme: what was chosen, else what the browser says. A change is told to whoever draws.

import { load } from "../i18n/words.ts";
import { languageOf, type Language } from "../rules/language.ts";
import { themeOf, type Theme } from "../rules/theme.ts";
import { remember, remembered } from "./storage.ts";

const told = new Set<() => void>();
let language: Language = "en";
let theme: Theme = "system";

/** Reads what was chosen before, and shows it in the document. To be called once, before anything is drawn. */
export async function begin(): Promise<void> {
  language = languageOf(remembered("language"), navigator.languages);
  theme = themeOf(remembered("theme"));
  show();
  await load(language);
}

export const languageNow = (): Language => language;
export const themeNow = (): Theme => theme;

export async function chooseLanguage(chosen: Language): Promise<void> {
  await load(chosen);
  language = chosen;
  remember("language", chosen);
  show();
}

export function chooseTheme(chosen: Theme): void {
  theme = chosen;
  remember("theme", chosen === "system" ? undefined : chosen);
  show();
}

/** Calls `draw` after each change. */
export function onChange(draw: () => void): void {
  told.add(draw);
}

function show(): void {
  const { documentElement: root } = document;
  root.lang = language;
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  for (const draw of told) draw();
}
