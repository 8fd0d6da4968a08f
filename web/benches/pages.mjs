// How long the pages take in a real Chromium, and how large they are: `node web/benches/pages.mjs MSCONV`, by
// `scripts/bench.sh pages`. Never part of the tests. A server and one ffmpeg are started, a clip of 720p with a keyframe every 2 s goes
// over RTMP, and each page is opened by a browser that has nothing of it yet; then once more by one that has.
//   MSCONV_BENCH_ROUNDS    how often each page is opened (10)
//   MSCONV_BENCH_TIMELINE  says what the last page of each kind waited for
import { chromium } from "playwright-core";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROUNDS = Number(process.env.MSCONV_BENCH_ROUNDS ?? 10);
const TIMELINE = process.env.MSCONV_BENCH_TIMELINE !== undefined;
const folder = mkdtempSync(join(tmpdir(), "msconv-pages-"));
const children = [];

function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.push(child);
  return child;
}

async function until(what, test) {
  const end = performance.now() + 20_000;
  for (;;) {
    if (await test()) return;
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** A server on free ports; its addresses. */
async function serve(program) {
  const free = ["rtmp", "rtsp", "rtp", "stat", "api", "metrics", "web"].map((name) => `--${name}-port=0`);
  const child = start(program, ["serve", "--json", ...free], { env: { ...process.env, MSCONV_HOME: folder, HOME: folder }, cwd: folder });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  let ready;
  await until("the server", () => {
    try {
      ready = JSON.parse(said);
    } catch {
      return false;
    }
    return true;
  });
  return ready;
}

function makeClip() {
  const clip = join(folder, "clip.flv");
  const film = process.env.MSCONV_TEST_FILM;
  const input = film ? ["-stream_loop", "5", "-i", film] : ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30"];
  const audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-map", "0:v", "-map", "1:a", "-t", "20"];
  const coded = "-vf scale=1280:720,fps=30 -c:v libx264 -preset veryfast -bf 0 -g 60 -keyint_min 60 -sc_threshold 0 -b:v 2500k -maxrate 2500k -bufsize 2500k -c:a aac -b:a 128k -ac 2 -f flv";
  const made = spawnSync("ffmpeg", ["-nostdin", "-loglevel", "error", "-y", ...input, ...audio, ...coded.split(" "), clip], { stdio: "inherit" });
  if (made.status !== 0) throw new Error("no clip");
  return clip;
}

/** Notes when the first frame is on the screen, by the browser's own clock since the page was asked for. */
const FIRST_FRAME = `(() => {
  const look = () => {
    const video = document.getElementById("video");
    if (video === null) return requestAnimationFrame(look);
    video.requestVideoFrameCallback((now) => { window.firstFrame = now; });
  };
  look();
})();`;

async function open(browser, address, before, context) {
  const own = context ?? (await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" }));
  const page = await own.newPage();
  await page.addInitScript(FIRST_FRAME);
  await page.goto(address, { waitUntil: "commit" });
  const paint = () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const frame = () => page.evaluate(() => window.firstFrame);
  await until(`${address}: a paint`, async () => (await paint()) !== undefined);
  if (before === "frame") await until(`${address}: a frame`, async () => (await frame()) !== undefined);
  const times = { paint: await paint(), frame: await frame() };
  const timeline = await page.evaluate(() =>
    performance.getEntries().filter((one) => ["navigation", "resource", "paint"].includes(one.entryType)).map((one) => [
      one.name.replace(location.origin, ""), Math.round(one.startTime), Math.round(one.responseStart ?? 0), Math.round(one.responseEnd ?? one.startTime), one.encodedBodySize ?? 0,
    ]));
  await page.close();
  if (context === undefined) await own.close();
  return { ...times, timeline };
}

const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const row = (name, all, goal) => console.log(`| ${name} | ${median(all).toFixed(0)} ms | ${Math.max(...all).toFixed(0)} ms | ${goal} |`);

async function measure(browser, web) {
  const kinds = [
    ["list page to first paint", "/", "paint", "200 ms"],
    ["watch page to first paint", "/watch/cam", "paint", ""],
    ["watch page to first frame, WebRTC", "/watch/cam", "frame", "500 ms"],
    ["embedded to first frame, WebRTC", "/embed/cam", "frame", "500 ms"],
    ["watch page to first frame, HLS", "/watch/cam?protocol=hls", "frame", ""],
  ];
  console.log(`\n| ${ROUNDS} times each, load ${loadavg()[0].toFixed(1)} | median | worst | goal |\n|---|---|---|---|`);
  const lines = [];
  for (const [name, path, what, goal] of kinds) {
    const all = [];
    let last;
    for (let round = 0; round < ROUNDS; round += 1) {
      // Another moment of the group of pictures each time.
      await new Promise((done) => setTimeout(done, 130 + 370 * (round % 5)));
      last = await open(browser, `http://${web}${path}`, what);
      all.push(last[what]);
    }
    row(name, all, goal);
    lines.push([name, last]);
  }
  for (const [name, path, what] of [kinds[0], kinds[2]]) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
    await open(browser, `http://${web}${path}`, what, context);
    const all = [];
    for (let round = 0; round < ROUNDS; round += 1) all.push((await open(browser, `http://${web}${path}`, what, context))[what]);
    row(`${name}, seen before`, all, "");
    await context.close();
  }
  if (TIMELINE) for (const [name, { timeline, paint, frame }] of lines) {
    console.log(`\n${name}: paint ${paint?.toFixed(0)}, frame ${frame?.toFixed(0)}; begun, first byte, whole, bytes`);
    for (const [what, ...figures] of timeline.sort((a, b) => a[1] - b[1])) console.log(`  ${figures.map((one) => String(one).padStart(6)).join("")}  ${what}`);
  }
}

/** What a page makes a browser load, gzipped: with its first script, and in whole, as far as it is loaded by itself. */
async function sizes(browser, web) {
  console.log("\n| page | script before anything plays or is drawn | all script that it loads by itself | style |\n|---|---|---|---|");
  for (const path of ["/", "/watch/cam", "/embed/cam", "/studio", "/console"]) {
    const html = await (await fetch(`http://${web}${path}`)).text();
    const context = await browser.newContext({ locale: "en-GB" });
    const page = await context.newPage();
    await page.goto(`http://${web}${path}`, { waitUntil: "networkidle", timeout: 5000 }).catch(() => undefined);
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map((one) => [new URL(one.name).pathname, one.encodedBodySize]));
    await context.close();
    const sum = (end, only) => [...new Map(loaded)].filter(([name]) => name.endsWith(end) && only(name)).reduce((all, [, size]) => all + size, 0);
    // The words of the language are no part of the document, but waited for.
    const first = sum(".js", (name) => html.includes(name));
    console.log(`| ${path} | ${first} | ${sum(".js", (name) => !name.includes("hls_player"))} | ${sum(".css", () => true)} |`);
  }
}

try {
  const { web, rtmp } = await serve(resolve(process.argv[2]));
  const clip = makeClip();
  start("ffmpeg", ["-nostdin", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "flv", `rtmp://${rtmp}/live/cam`]);
  await until("the stream", async () => (await fetch(`http://${web}/live/cam/index.m3u8`)).ok);
  const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args, env: { ...process.env, HOME: folder, TMPDIR: folder } });
  await sizes(browser, web);
  await measure(browser, web);
  await browser.close();
} finally {
  for (const child of children) child.kill();
  await Promise.all(children.map((child) => child.exitCode ?? new Promise((done) => child.once("exit", done))));
  rmSync(folder, { recursive: true, force: true });
}
