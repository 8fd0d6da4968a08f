// What stands above every page: where one is, where one may go, the theme and the language.

import type { ComponentChildren } from "preact";
import { shellWords } from "../i18n/words.ts";
import type { Language } from "../rules/language.ts";
import { themeAfter } from "../rules/theme.ts";
import { Icon } from "./icons.tsx";
import { chooseLanguage, chooseTheme, languageNow, themeNow } from "./preferences.ts";

const LANGUAGES: readonly [Language, string][] = [["en", "English"], ["ru", "Русский"]];

type Props = { at: "list" | "watch" | "studio" | "console"; operator?: boolean; children?: ComponentChildren };

export function Header({ at, operator, children }: Props) {
  const w = shellWords();
  return (
    <header class="top">
      <a class="skip" href="#main">{w.toContent}</a>
      <a class="brand" href="/" aria-current={at === "list" ? "page" : undefined}>
        <i aria-hidden="true" />
        <span>msconv</span>
      </a>
      <div class="middle">{children}</div>
      <nav aria-label={w.sites}>
        {operator === true && <a class="button" href="/console">{w.console}</a>}
        {at !== "studio" && <a class="button primary" href="/studio">{w.goLive}</a>}
      </nav>
      <ThemeSwitch />
      <LanguageSwitch />
    </header>
  );
}

function ThemeSwitch() {
  const w = shellWords();
  const theme = themeNow();
  const name = { system: w.themeSystem, light: w.themeLight, dark: w.themeDark }[theme];
  return (
    <button type="button" class="round" id="theme" title={name} aria-label={name} onClick={() => chooseTheme(themeAfter(theme))}>
      <Icon name={theme} />
    </button>
  );
}

function LanguageSwitch() {
  const now = languageNow();
  return (
    <div class="languages" role="group" aria-label={shellWords().language}>
      {LANGUAGES.map(([tag, name]) => (
        <button type="button" lang={tag} title={name} aria-label={`${tag} ${name}`} aria-pressed={tag === now} onClick={() => void chooseLanguage(tag)}>
          {tag}
        </button>
      ))}
    </div>
  );
}
