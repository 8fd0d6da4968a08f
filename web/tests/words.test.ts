// The words of the pages: whole in both languages, with the right form behind every number; and the theme.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { shell as english } from "../src/i18n/en/shell.ts";
import { shell as russian } from "../src/i18n/ru/shell.ts";
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
const parts = readdirSync("src/i18n/en");

test("every part has both languages, and nothing of one in the other", async () => {
  assert.deepEqual(readdirSync("src/i18n/ru"), parts);
  for (const part of parts) {
    const russianText = readFileSync(`src/i18n/ru/${part}`, "utf8");
    const englishText = readFileSync(`src/i18n/en/${part}`, "utf8");
    assert.ok(!/[а-яё]/i.test(englishText), `${part}: Russian in the English words`);
    for (const [, value] of russianText.matchAll(/^ {2}\w+: "([^"]*)",$/gm)) {
      const foreign = /^[\x20-\x7e«»—…]*[a-z]{4,}[\x20-\x7e]*$/.test(value ?? "");
      assert.ok(!foreign, `${part}: not translated: ${value}`);
    }
  }
});

test("every word is used", () => {
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name) && !name.startsWith("i18n"));
  const code = sources.map((name) => readFileSync(`src/${name}`, "utf8")).join("\n");
  for (const part of parts) {
    const text = readFileSync(`src/i18n/en/${part}`, "utf8");
    for (const [, key = ""] of text.matchAll(/^ {2}(\w+):/gm)) {
      assert.ok(new RegExp(`\\b${key}\\b`).test(code), `${part}: nothing says ${key}`);
    }
  }
});
