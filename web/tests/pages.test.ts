// The rules of the list and of the pages around the player.

import assert from "node:assert/strict";
import { test } from "node:test";
import { listed } from "../src/rules/listing.ts";
import { delayText, nameOf, ordered } from "../src/rules/renditions.ts";
import { clockOf, spanOf } from "../src/rules/span.ts";
import { actOf } from "../src/rules/viewer_keys.ts";

const line = (name: string, viewers: number, started_at: string) => ({ name, public_id: name.toLowerCase(), state: "live", viewers, started_at });
const lines = [line("Relay", 1, "2026-11-30T10:00:00Z"), line("Lecture 10", 5, "2026-11-30T09:00:00Z"), line("Lecture 2", 5, "2026-11-30T11:00:00Z")];

test("the list is searched by words and put in order", () => {
  const names = (looked: string, order: "viewers" | "newest" | "name") => listed(lines, looked, order, "en").map((one) => one.name);
  assert.deepEqual(names("", "viewers"), ["Lecture 2", "Lecture 10", "Relay"]);
  assert.deepEqual(names("", "newest"), ["Lecture 2", "Relay", "Lecture 10"]);
  assert.deepEqual(names("", "name"), ["Lecture 2", "Lecture 10", "Relay"]);
  assert.deepEqual(names(" LECT  10", "name"), ["Lecture 10"]);
  assert.deepEqual(names("nothing", "name"), []);
});

test("how long something lasts", () => {
  assert.deepEqual(spanOf(0, 72 * 60_000), { days: 0, hours: 1, minutes: 12 });
  assert.deepEqual(spanOf(0, 49 * 3_600_000), { days: 2, hours: 1, minutes: 0 });
  assert.deepEqual(spanOf(5000, 0), { days: 0, hours: 0, minutes: 0 });
  assert.deepEqual([clockOf(133_000), clockOf(3_733_000), clockOf(-5)], ["02:13", "1:02:13", "00:00"]);
});

test("renditions are named by their height, the best first", () => {
  const rendition = (label: string, width: number, height: number, bitsPerSecond: number) => ({ label, width, height, bitsPerSecond });
  const all = [rendition("a", 640, 360, 1e6), rendition("b", 1920, 1080, 5e6), rendition("c", 1080, 1920, 5e6), rendition("d", 0, 0, 64_000)];
  assert.deepEqual(ordered(all).map((one) => nameOf(one, "en")), ["1080p", "1080p", "360p", "0.1 Mb/s"]);
});

test("a delay that nobody believes is not told", () => {
  assert.deepEqual([delayText(0.84, "ru", "с"), delayText(0.01, "en", "s"), delayText(-1, "en", "s"), delayText(undefined, "en", "s")], ["0,8 с", "< 0.1 s", "", ""]);
});

test("keys do nothing where somebody writes", () => {
  const at = { modified: false, inText: false, onButton: false, inList: false };
  assert.equal(actOf({ ...at, key: "k" }), "play");
  assert.equal(actOf({ ...at, key: "л" }), "play");
  assert.equal(actOf({ ...at, key: "?" }), "keys");
  assert.equal(actOf({ ...at, key: " " }), "play");
  assert.equal(actOf({ ...at, key: " ", onButton: true }), undefined);
  assert.equal(actOf({ ...at, key: "ArrowUp", inList: true }), undefined);
  assert.equal(actOf({ ...at, key: "k", inText: true }), undefined);
  assert.equal(actOf({ ...at, key: "k", modified: true }), undefined);
});
