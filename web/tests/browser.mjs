// A real browser for tests in any language: `node browser.mjs PROFILE_FOLDER [chromium flags]`. Each line on stdin is a JSON list,
// each answer a line of JSON on stdout: {"ok": value} or {"error": words}. It ends when stdin does.
//   ["open", URL, {width, height, language, dark, touch, user, password, before}]   a page in a context of its own; `before` is a
//                                                           script that runs before those of the page
//   ["eval", EXPRESSION]                                    its value in the page
//   ["click", SELECTOR]   ["key", NAME]   ["shot", PATH]
//   ["asked"]                                               requests since the last time, as "METHOD PATH"
//   ["said"]                                                errors and refused policies since the last time
import { chromium } from "playwright-core";
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
let context;
let page;
let said = [];
let asked = [];

const commands = {
  async open(url, how = {}) {
    await context?.close();
    context = await browser.newContext({
      viewport: { width: how.width ?? 1280, height: how.height ?? 800 },
      deviceScaleFactor: how.scale ?? 1,
      locale: how.language ?? "en-GB",
      reducedMotion: "no-preference",
      colorScheme: how.dark ? "dark" : "light",
      hasTouch: how.touch ?? false,
      isMobile: how.touch ?? false,
      ...(how.user === undefined ? {} : { httpCredentials: { username: how.user, password: how.password } }),
    });
    page = await context.newPage();
    said = [];
    asked = [];
    if (how.before !== undefined) await page.addInitScript(how.before);
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("console", (line) => {
      const address = line.location().url;
      if (process.env.BROWSER_LOG) process.stderr.write(`${(performance.now() / 1000).toFixed(3)} ${line.text()}\n`);
      if (line.type() === "error") said.push(`${line.text()} ${address}`);
    });
    page.on("request", (request) => {
      asked.push(`${request.method()} ${new URL(request.url()).pathname}`);
      if (new URL(request.url()).host !== new URL(url).host && !request.url().startsWith("blob:")) said.push(`elsewhere: ${request.url()}`);
    });
    const answer = await page.goto(url, { waitUntil: "commit" });
    return answer.status();
  },
  eval: (expression) => page.evaluate(expression),
  click: (selector) => page.click(selector, { timeout: 20_000 }),
  key: (name) => page.keyboard.press(name),
  move: (x, y) => page.mouse.move(x, y),
  shot: (path) => page.screenshot({ path }),
  async asked() {
    const all = asked;
    asked = [];
    return all;
  },
  async said() {
    const all = said;
    said = [];
    return all;
  },
};

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
