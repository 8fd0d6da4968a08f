// The rules of the studio: how loud it is, what goes out, when it is tried again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clips, decibels, LoudnessWatch } from "../src/rules/loudness.ts";
import { goingOf, heights, type Sent } from "../src/rules/outgoing.ts";
import { againMs, qualityOf } from "../src/rules/quality.ts";

test("loudness is in decibels below full", () => {
  assert.equal(decibels([]), -100);
  assert.equal(decibels([0, 0]), -100);
  assert.equal(Math.round(decibels([1, -1])), 0);
  assert.equal(Math.round(decibels([0.1, -0.1])), -20);
  assert.deepEqual([clips([0.5, -0.99]), clips([0.9])], [true, false]);
});

test("one silent moment is none, and one loud one is told for a while", () => {
  const watch = new LoudnessWatch();
  assert.equal(watch.heard(0, -20, false), "good");
  assert.equal(watch.heard(3000, -80, false), "good");
  assert.equal(watch.heard(4500, -80, false), "quiet");
  assert.equal(watch.heard(5100, -80, false), "silent");
  assert.equal(watch.heard(6000, -1, true), "clipping");
  assert.equal(watch.heard(7000, -20, false), "clipping");
  assert.equal(watch.heard(8000, -20, false), "good");
});

test("what goes out is told from two moments", () => {
  const sent = (atMs: number, bytes: number, packets: number, lost: number, frames: number): Sent => ({ atMs, bytes, packets, lost, frames, width: 1280, height: 720, roundTripSeconds: 0.02 });
  const going = goingOf(sent(1000, 1000, 100, 0, 10), sent(3000, 501_000, 198, 2, 70));
  assert.deepEqual([going.bitsPerSecond, going.fps, going.lostShare], [2_000_000, 30, 0.02]);
  assert.equal(goingOf(undefined, sent(0, 5, 5, 5, 5)).bitsPerSecond, 0);
  // Counters that begin anew are no negative rates.
  assert.equal(goingOf(sent(0, 500, 9, 9, 9), sent(1000, 100, 1, 0, 1)).bitsPerSecond, 0);
  assert.deepEqual(heights([0, 5, 10]), [0, 0.5, 1]);
});

test("it is tried again, ever later, and the usual quality is a middle one", () => {
  assert.deepEqual([1, 2, 3, 20].map(againMs), [500, 1000, 2000, 10_000]);
  assert.deepEqual([qualityOf(null).name, qualityOf("1080p 30").height, qualityOf("8k").name], ["720p 30", 1080, "720p 30"]);
});
