// A real browser for tests in any language: `node browser.mjs PROFILE_FOLDER [chromium flags]`. Each line on stdin is a JSON list,
// each answer a line of JSON on stdout: {"ok": value} or {"error": words}. It ends when stdin does.
//   ["open", URL, {width, height, language, dark, touch, user, password, before}]   a page in a context of its own; `before` is a
//                                                           script that runs before those of the page
//   ["eval", EXPRESSION]                                    its value in the page
//   ["click", SELECTOR]   ["key", NAME]   ["shot", PATH]
//   ["fill", SELECTOR, TEXT]   ["axe"]                      what keeps people out of the page, each as "rule: where"
//   ["page", NAME]                                          another page, in a browser context of its own, that commands are for now
//   ["tab", NAME, URL]                                      another page of the same person, that commands are for now
//   ["frame", EXPRESSION]                                   its value in the first frame of the page
//   ["asked"]                                               requests since the last time, as "METHOD PATH"
//   ["said"]                                                errors and refused policies since the last time
import { chromium } from "playwright-core";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const [profile, ...flags] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  env: { ...process.env, HOME: profile, TMPDIR: profile },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    ...flags,
  ],
});
const pages = new Map();
/** The page that commands are for. */
let now = { said: [], asked: [] };
pages.set("", now);

const commands = {
  async open(url, how = {}) {
    await now.context?.close();
    now.context = await browser.newContext({
      viewport: { width: how.width ?? 1280, height: how.height ?? 800 },
      deviceScaleFactor: how.scale ?? 1,
      locale: how.language ?? "en-GB",
      reducedMotion: "no-preference",
      colorScheme: how.dark ? "dark" : "light",
      hasTouch: how.touch ?? false,
      isMobile: how.touch ?? false,
      ...(how.user === undefined ? {} : { httpCredentials: { username: how.user, password: how.password } }),
    });
    now.page = await now.context.newPage();
    now.said = [];
    now.asked = [];
    follow(now, url);
    if (how.before !== undefined) await now.page.addInitScript(how.before);
    const answer = await now.page.goto(url, { waitUntil: "commit" });
    return answer.status();
  },
  page(name) {
    if (!pages.has(name)) pages.set(name, { said: [], asked: [] });
    now = pages.get(name);
  },
  async tab(name, url) {
    const { context } = now;
    commands.page(name);
    now.context = context;
    now.page = await context.newPage();
    follow(now, url);
    return (await now.page.goto(url, { waitUntil: "commit" })).status();
  },
  frame: (expression) => now.page.frames()[1]?.evaluate(expression),
  eval: (expression) => now.page.evaluate(expression),
  click: (selector) => now.page.click(selector, { timeout: 20_000 }),
  fill: (selector, text) => now.page.fill(selector, text, { timeout: 20_000 }),
  key: (name) => now.page.keyboard.press(name),
  move: (x, y) => now.page.mouse.move(x, y),
  shot: (path) => now.page.screenshot({ path }),
  async axe() {
    await now.page.evaluate(await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8"));
    return now.page.evaluate(async () => {
      const { violations } = await window.axe.run(document);
      return violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(" ")} (${[...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ")})`).join(", ")}`);
    });
  },
  async asked() {
    const all = now.asked;
    now.asked = [];
    return all;
  },
  async said() {
    const all = now.said;
    now.said = [];
    return all;
  },
};

/** Writes down what a page asks for and complains of. */
function follow(one, url) {
  const { page } = one;
  page.on("pageerror", (error) => one.said.push(String(error)));
  page.on("console", (line) => {
    const address = line.location().url;
    if (process.env.BROWSER_LOG) process.stderr.write(`${(performance.now() / 1000).toFixed(3)} ${line.text()}\n`);
    if (line.type() === "error") one.said.push(`${line.text()} ${address}`);
  });
  page.on("request", (request) => {
    one.asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
    const own = /^(blob|data):/.test(request.url()) || new URL(request.url()).host === new URL(url).host;
    if (!own) one.said.push(`elsewhere: ${request.url()}`);
  });
}

process.stdout.write('{"ok":"ready"}\n');
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const [name, ...args] = JSON.parse(line);
    answer = { ok: (await commands[name](...args)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
