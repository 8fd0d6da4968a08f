// The words of the pages: whole in both languages, with the right form behind every number; and the theme.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { chat } from "../src/i18n/en/chat.ts";
import { console as operator } from "../src/i18n/en/console.ts";
import { list } from "../src/i18n/en/list.ts";
import { shell as english } from "../src/i18n/en/shell.ts";
import { studio } from "../src/i18n/en/studio.ts";
import { watch } from "../src/i18n/en/watch.ts";
import { chat as chatRu } from "../src/i18n/ru/chat.ts";
import { console as operatorRu } from "../src/i18n/ru/console.ts";
import { list as listRu } from "../src/i18n/ru/list.ts";
import { shell as russian } from "../src/i18n/ru/shell.ts";
import { studio as studioRu } from "../src/i18n/ru/studio.ts";
import { watch as watchRu } from "../src/i18n/ru/watch.ts";
import { languageOf } from "../src/rules/language.ts";
import { themeAfter, themeOf } from "../src/rules/theme.ts";

test("numbers have the form of the word that goes with them", () => {
  assert.deepEqual([0, 1, 2].map(english.viewers), ["0 viewers", "1 viewer", "2 viewers"]);
  assert.deepEqual(
    [0, 1, 2, 5, 11, 21, 22, 25, 112].map(russian.viewers),
    ["0 зрителей", "1 зритель", "2 зрителя", "5 зрителей", "11 зрителей", "21 зритель", "22 зрителя", "25 зрителей", "112 зрителей"],
  );
});

test("a chosen language comes before those of the browser", () => {
  assert.equal(languageOf("ru", ["en-GB"]), "ru");
  assert.equal(languageOf(null, ["de", "ru-RU", "en"]), "ru");
  assert.equal(languageOf("fr", ["de"]), "en");
  assert.equal(languageOf(null, []), "en");
});

test("the theme goes round", () => {
  assert.deepEqual([themeOf(null), themeOf("dark"), themeOf("pink")], ["system", "dark", "system"]);
  assert.deepEqual((["system", "light", "dark"] as const).map(themeAfter), ["light", "dark", "system"]);
});

/** The files of the dictionaries; node runs the tests in web/. */
const parts = readdirSync("src/i18n/en").filter((name) => name.endsWith(".ts"));
const dictionaries = { chat: [chat, chatRu], console: [operator, operatorRu], list: [list, listRu], shell: [english, russian], studio: [studio, studioRu], watch: [watch, watchRu] };
/** What is called the same in Russian. */
const NAMES = /Authorization: Bearer|Standard Webhooks|RTMP|SRT|WebRTC|HLS|RTSP|VLC|OBS|https?|msconv serve --tls-cert FILE --tls-key FILE/g;

test("every part has both languages, and nothing of one in the other", () => {
  assert.deepEqual(readdirSync("src/i18n/ru").filter((name) => name.endsWith(".ts")), parts);
  for (const part of parts) assert.ok(!/[а-яё]/i.test(readFileSync(`src/i18n/en/${part}`, "utf8")), `${part}: Russian in the English words`);
  for (const [part, [en = {}, ru = {}]] of Object.entries(dictionaries) as [string, Record<string, unknown>[]][]) {
    assert.deepEqual(Object.keys(ru).sort(), Object.keys(en).sort(), part);
    for (const [name, words] of Object.entries(ru)) {
      if (typeof words !== "string") continue;
      assert.equal(words === "", en[name] === "", name);
      assert.ok(!/[a-z]{3}/i.test(words.replace(NAMES, "")), `${part}: not translated: ${words}`);
    }
  }
});

test("every word is used", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name) && !name.startsWith("i18n"));
  const code = sources.map((name) => readFileSync(`src/${name}`, "utf8")).join("\n");
  for (const part of parts) {
    const text = readFileSync(`src/i18n/en/${part}`, "utf8");
    for (const [, key = ""] of text.matchAll(/^ {2}(\w+): /gm)) {
      // Those of a state are said as `${state}Short`.
      const [, state, end] = /^(\w+)(Short|More)$/.exec(key) ?? [];
      const said = state !== undefined && code.includes(`"${state}"`) && code.includes(`\`\${state}${end}\``);
      assert.ok(said || new RegExp(`\\b${key}\\b`).test(code), `${part}: nothing says ${key}`);
    }
  }
});
