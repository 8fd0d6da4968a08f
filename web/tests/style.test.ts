// The colours of the pages: text and its ground are far enough apart, and dark is the same however it was chosen.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const style = readFileSync("src/style.css", "utf8");

function tokens(selector: string): Map<string, string> {
  const at = style.indexOf(`${selector} {`);
  assert.ok(at >= 0, selector);
  const block = style.slice(at, style.indexOf("}", at));
  return new Map([...block.matchAll(/(--[\w-]+): ([^;]+);/g)].map(([, name = "", value = ""]) => [name, value]));
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const themes = { light: tokens(":root"), dark: tokens(':root[data-theme="dark"]') };

for (const [theme, colours] of Object.entries(themes)) {
  const of = (name: string) => colours.get(`--${name}`) ?? assert.fail(`${theme} has no ${name}`);
  test(`text can be read on every ground of the ${theme} theme`, () => {
    for (const ground of ["page", "surface", "sunken"]) {
      for (const text of ["text", "faint", "red", "good", "warn", "link"]) {
        const far = contrast(of(text), of(ground));
        assert.ok(far >= 4.5, `${text} on ${ground}: ${far.toFixed(2)}`);
      }
    }
  });
  test(`parts of the ${theme} theme can be told from their ground`, () => {
    for (const ground of ["page", "surface"]) {
      for (const part of ["edge", "focus"]) {
        const far = contrast(of(part), of(ground));
        assert.ok(far >= 3, `${part} on ${ground}: ${far.toFixed(2)}`);
      }
    }
  });
}

test("dark is the same by choice and by the system", () => {
  assert.deepEqual(tokens(":root:not([data-theme])"), themes.dark);
});

test("what is dangerous is written in white", () => {
  const ground = /\.button\.danger \{[^}]*background: (#\w+)/.exec(style)?.[1] ?? assert.fail("no ground");
  assert.ok(contrast("#ffffff", ground) >= 4.5);
});
