// The rules of the player, each with what it is for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { firstParts } from "../src/player/early_parts.ts";
import { catchUp, wantedAhead } from "../src/rules/catch_up.ts";
import { ServerClock } from "../src/rules/clock.ts";
import { HoleJumper } from "../src/rules/holes.ts";
import { chooseLevel, type Situation } from "../src/rules/levels.ts";
import { playlistEnd } from "../src/rules/playlist_end.ts";
import { stateOf, type Facts } from "../src/rules/state.ts";
import { Throughput } from "../src/rules/throughput.ts";
import { Watchdog } from "../src/rules/watchdog.ts";

test("playback is hastened, slowed or moved so that two and a half parts lie ahead", () => {
  assert.deepEqual(catchUp(10, 10.25, wantedAhead(0.1)), { rate: 1 });
  assert.deepEqual(catchUp(10, 10.32, wantedAhead(0.1)), { rate: 1 });
  const hastened = catchUp(10, 10.6, wantedAhead(0.1));
  assert.ok("rate" in hastened && hastened.rate > 1.2 && hastened.rate < 1.22, JSON.stringify(hastened));
  assert.deepEqual(catchUp(10, 11.2, wantedAhead(0.1)), { rate: 1.25 });
  assert.deepEqual(catchUp(10, 10.1, wantedAhead(0.1)), { rate: 0.95 });
  assert.deepEqual(catchUp(10, 12, wantedAhead(0.1)), { seekTo: 11.75 });
  assert.deepEqual(catchUp(10, 10.5, wantedAhead(0.2)), { rate: 1 });
});

test("a hole is jumped once the playhead stands before it", () => {
  const holes = new HoleJumper();
  const buffered = [
    { from: 6.5, to: 7.6 },
    { from: 8, to: 11 },
  ];
  assert.equal(holes.look(0, 7.59, buffered, 0.25), undefined);
  assert.equal(holes.look(100, 7.59, buffered, 0.25), undefined);
  assert.deepEqual(holes.look(200, 7.59, buffered, 0.25), { to: 8, hole: true });
  // It moves: no hole.
  assert.equal(holes.look(250, 8.1, buffered, 0.25), undefined);
  assert.equal(holes.look(500, 8.1, buffered, 0.25), undefined);
  // At the end of everything there is nowhere to go.
  assert.equal(holes.look(600, 11, buffered, 0.25), undefined);
  assert.equal(holes.look(900, 11, buffered, 0.25), undefined);
});

test("a playhead that stands still before enough to play is moved, and given time", () => {
  const holes = new HoleJumper();
  const upTo = (to: number) => [{ from: 1, to }];
  // Where it was put before it played it may take its time.
  assert.equal(holes.look(0, 5, upTo(9), 0.25), undefined);
  assert.equal(holes.look(900, 5, upTo(9), 0.25), undefined);
  for (let n = 1; n <= 5; n += 1) assert.equal(holes.look(900 + n * 50, 5 + n / 20, upTo(9), 0.25), undefined);
  // It ran dry, and a publisher came back.
  assert.equal(holes.look(1400, 5.25, upTo(5.3), 0.25), undefined);
  assert.equal(holes.look(1450, 5.25, upTo(5.45), 0.25), undefined);
  const jump = holes.look(1500, 5.25, upTo(5.55), 0.25);
  assert.ok(jump !== undefined && !jump.hole && Math.abs(jump.to - 5.3) < 1e-9, JSON.stringify(jump));
  assert.equal(holes.look(1550, 5.3, upTo(5.6), 0.25), undefined);
  assert.equal(holes.look(1900, 5.3, upTo(5.9), 0.25), undefined);
  assert.ok(holes.look(2600, 5.3, upTo(6.5), 0.25) !== undefined);
});

test("loading that got stuck begins anew, and the player when that was in vain", () => {
  const dog = new Watchdog();
  let edge = 10;
  const seen: (string | undefined)[] = [];
  for (let now = 0; now <= 3000; now += 50) {
    if (now % 100 === 0) edge += 0.1;
    const rescue = dog.look(now, edge, 10);
    if (rescue !== undefined) seen.push(rescue);
  }
  assert.deepEqual(seen.slice(0, 3), ["reload", "reload", "rebuild"]);
});

test("a publisher that is away is nothing to be mended, nor is a buffer that grows", () => {
  const away = new Watchdog();
  for (let now = 0; now <= 5000; now += 50) assert.equal(away.look(now, 10, 10), undefined);
  const grows = new Watchdog();
  for (let now = 0; now <= 5000; now += 50) assert.equal(grows.look(now, now / 1000, now / 1000), undefined);
});

const LADDER = [1080, 720, 480, 360].map((height) => ({ height, bitsPerSecond: height * 4000 }));
const situation = (change: Partial<Situation>): Situation => ({
  levels: LADDER,
  current: 1,
  estimate: 20e6,
  height: 2000,
  troubledSeconds: Infinity,
  playedSeconds: 60,
  ...change,
});

test("the best rendition that screen and network carry is chosen", () => {
  assert.equal(chooseLevel(situation({ current: -1 })), 0);
  assert.equal(chooseLevel(situation({ current: -1, height: 450 })), 2);
  assert.equal(chooseLevel(situation({ current: -1, height: 100 })), 3);
  assert.equal(chooseLevel(situation({ current: -1, estimate: 3.3e6 })), 1);
  assert.equal(chooseLevel(situation({ current: -1, estimate: 1 })), 3);
  assert.equal(chooseLevel(situation({ levels: [] })), -1);
  assert.equal(chooseLevel(situation({ current: 9 })), 0);
});

test("a better rendition waits until playback was steady, a cheaper one does not", () => {
  assert.equal(chooseLevel(situation({})), 0);
  assert.equal(chooseLevel(situation({ troubledSeconds: 5 })), 1);
  assert.equal(chooseLevel(situation({ playedSeconds: 5 })), 1);
  assert.equal(chooseLevel(situation({ troubledSeconds: 0.2 })), 2);
  assert.equal(chooseLevel(situation({ estimate: 2e6, troubledSeconds: 2 })), 3);
  // A measurement alone is no reason while all goes well.
  assert.equal(chooseLevel(situation({ estimate: 2e6 })), 1);
  // Neither up nor down where the rate is nearly that of the one above.
  assert.equal(chooseLevel(situation({ estimate: 4.5e6 })), 1);
  // A player that became small.
  assert.equal(chooseLevel(situation({ height: 300 })), 3);
});

test("what the network carries is told from how long pieces take", () => {
  const network = new Throughput();
  assert.equal(network.estimate(1e6), undefined);
  for (let n = 0; n < 40; n += 1) network.heard(0.1, 0.02);
  assert.ok(Math.abs((network.estimate(1e6) ?? 0) - 5e6) < 1);
  // It becomes slower than the media: after some seconds it says so.
  for (let n = 0; n < 40; n += 1) network.heard(0.1, 0.15);
  const slow = network.estimate(1e6) ?? 0;
  assert.ok(slow < 1e6 && slow > 0.6e6, String(slow));
  network.heard(Number.NaN, 1);
  network.heard(0.1, -1);
  assert.equal(network.estimate(1e6), slow);
});

test("the server's clock is found within a tenth of a second from whole seconds", () => {
  const clock = new ServerClock();
  assert.equal(clock.at(0), undefined);
  // The viewer's clock is 5.3 s behind; answers take 20 ms, ten of them a second.
  for (let server = 1_000_040; server < 1_003_000; server += 97) {
    const viewer = server - 5300;
    clock.heard(Math.floor(server / 1000) * 1000, viewer - 20, viewer);
  }
  const found = clock.at(0) ?? 0;
  assert.ok(Math.abs(found - 5300) < 100, String(found));
  clock.heard(Number.NaN, 0, 0);
  assert.ok(Math.abs((clock.at(0) ?? 0) - 5300) < 100);
});

test("clocks that agree as far as can be told are left alone", () => {
  const clock = new ServerClock();
  for (let now = 1_000_040; now < 1_003_000; now += 97) clock.heard(Math.floor(now / 1000) * 1000, now - 20, now);
  assert.equal(clock.at(77), 77);
});

test("a playlist's end changes with a part, a segment and nothing else", () => {
  const head = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:4\n";
  const body = "#EXTINF:2,\na-4.m4s\n#EXT-X-PART:DURATION=0.1,URI=\"a-5.0.m4s\"\n";
  const report = "#EXT-X-RENDITION-REPORT:URI=\"../b/i.m3u8\",LAST-MSN=5,LAST-PART=0\n";
  const end = playlistEnd(head + body);
  assert.equal(playlistEnd("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n" + body + report), end);
  assert.notEqual(playlistEnd(`${head}${body}#EXT-X-PART:DURATION=0.1,URI="a-5.1.m4s"\n`), end);
  assert.notEqual(playlistEnd(`${head}${body}#EXTINF:0.1,\na-5.m4s\n`), end);
});

test("a player begins with the parts of the last keyframe", () => {
  const part = (name: string, more = "") => `#EXT-X-PART:DURATION=0.1,URI="${name}.m4s"${more}\n`;
  const text = `#EXTM3U\n${part("a-1.0", ",INDEPENDENT=YES")}${part("a-1.1")}${part("a-2.0", ",INDEPENDENT=YES")}${part("a-2.1")}`;
  const base = "http://host/live/cam/720p/i.m3u8";
  assert.deepEqual(firstParts(text, base), ["http://host/live/cam/720p/a-2.0.m4s", "http://host/live/cam/720p/a-2.1.m4s"]);
  assert.deepEqual(firstParts("#EXTM3U\n", base), []);
});

test("nothing is called over before the server said so", () => {
  const facts: Facts = { list: "unknown", seen: false, decodable: true, paused: true, stillMs: 9e9 };
  const state = (change: Partial<Facts>) => stateOf({ ...facts, ...change });
  assert.equal(state({}), "connecting");
  assert.equal(state({ list: "unreachable" }), "connecting");
  assert.equal(state({ list: "there" }), "connecting");
  assert.equal(state({ list: "absent" }), "waiting");
  assert.equal(state({ list: "there", seen: true, paused: false, stillMs: 40 }), "playing");
  assert.equal(state({ list: "there", seen: true, paused: false, stillMs: 900 }), "returning");
  assert.equal(state({ list: "there", seen: true }), "paused");
  assert.equal(state({ list: "unreachable", seen: true, paused: false }), "returning");
  assert.equal(state({ list: "absent", seen: true }), "ended");
  assert.equal(state({ list: "refused", seen: true }), "refused");
  assert.equal(state({ list: "there", decodable: false }), "unplayable");
});
