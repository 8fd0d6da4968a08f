// The rules of going back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { watch as english } from "../src/i18n/en/watch.ts";
import { watch as russian } from "../src/i18n/ru/watch.ts";
import { firstPlaylist, isWindow, listedSeconds, placeOf, stepOf, Window } from "../src/rules/window.ts";

test("a window is what a playlist lists, without what is not there", () => {
  const segments = "#EXTINF:2.0,\n1.m4s\n#EXTINF:1.96,\n2.m4s\n";
  assert.equal(listedSeconds(`#EXTM3U\n${segments}#EXT-X-PART:DURATION=0.1,URI="3.0.m4s"\n`), 3.96);
  assert.equal(listedSeconds(`#EXTM3U\n#EXTINF:2.0,\n#EXT-X-GAP\n0.m4s\n${segments}`), 3.96);
  assert.equal(listedSeconds(""), 0);
  assert.equal(firstPlaylist("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n720p/i.m3u8?token=x\n", "http://a/live/cam/index.m3u8"), "http://a/live/cam/720p/i.m3u8?token=x");
  assert.equal(firstPlaylist("#EXTM3U\n", "http://a/"), undefined);
});

test("less than a minute is no window, and a longer one grows as far as the server keeps it", () => {
  assert.deepEqual([12, 59.9, 60, 600].map(isWindow), [false, false, true, true]);
  const young = new Window(600);
  assert.equal(young.at(0), 0);
  young.heard(20, 1000);
  assert.deepEqual([young.at(1000), young.at(40_000), young.at(41_000), young.at(1e9)], [0, 0, 60, 600]);
  assert.equal(young.againSeconds, 40);
  young.heard(0, 2000);
  assert.deepEqual([young.at(1e9), young.againSeconds], [0, 60]);
  young.heard(58, 3000);
  assert.equal(young.againSeconds, 5);
  young.heard(300, 4000);
  assert.deepEqual([young.at(14_000), young.againSeconds], [310, 60]);
});

test("nobody is put before the oldest, and next to live is live", () => {
  assert.deepEqual([30, 3.9, 4, 0, -5, Number.NaN].map((behind) => placeOf(behind, 120)), [30, 0, 4, 0, 0, 0]);
  assert.deepEqual([120, 1e9].map((behind) => placeOf(behind, 120)), [114, 114]);
  assert.equal(placeOf(30, 0), 0);
});

test("arrows go a little, pages a minute, and the ends to the ends", () => {
  const steps = ["ArrowLeft", "ArrowRight", "PageDown", "PageUp", "Home", "End", "x", "Tab"];
  assert.deepEqual(steps.map((key) => stepOf(key, 100, 600)), [105, 95, 160, 40, 600, 0, undefined, undefined]);
});

test("how far behind is said in words", () => {
  assert.deepEqual([english.behind(0, 0, 5), english.behind(0, 1, 32), english.behind(2, 0, 1)], ["5 s behind live", "1 min 32 s behind live", "2 h 0 min 1 s behind live"]);
  assert.equal(russian.behind(0, 1, 32), "на 1 мин 32 с позади эфира");
});
