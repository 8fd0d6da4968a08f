// Builds the pages into web/dist, from which build.rs of the program takes them: `node build.mjs`. Names of assets hold a hash
// of their content, so that they can be kept for ever; beside each text stands its gzipped form.
// A page is src/PAGE.html and src/PAGE.tsx, and it has no more script than it may (MOST).
// `node build.mjs --tests` builds the tests instead, for `node --test`.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The pages, and how much script each may begin with, gzipped, in bytes. Loaded after it are the chat, dialogs and, where it is needed, hls.js. */
const MOST = { list: 15e3, watch: 25e3, embed: 25e3, studio: 25e3, console: 25e3 };
const MOST_STYLE = 8e3;
const LANGUAGES = ["en", "ru"];
const jsx = { jsx: "automatic", jsxImportSource: "preact" };

const here = fileURLToPath(new URL(".", import.meta.url));
process.chdir(here);

if (process.argv.includes("--tests")) {
  await rm("target", { recursive: true, force: true });
  const tests = (await readdir("tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    entryPoints: tests.map((name) => join("tests", name)),
    outdir: "target/tests",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    ...jsx,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
} else {
  const files = new Map();
  /** The names of assets with the hash, by those without. */
  const names = new Map();
  const keepAsset = (name, contents) => {
    files.set(`assets/${name}`, Buffer.from(contents));
    files.set(`assets/${name}.gz`, gzipSync(contents, { level: 9 }));
  };
  const common = {
    outdir: "dist/assets",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "esm",
    ...jsx,
    target: ["chrome100", "firefox100", "safari15"],
    // Audio is in each rendition, so the build of hls.js without other audio does. Its types are those of the whole.
    alias: { "hls.js": "hls.js/light" },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
  };
  const made = async (options) => {
    const built = await build({ ...common, ...options });
    for (const file of built.outputFiles) {
      const name = basename(file.path);
      names.set(name.replace(/-[A-Z0-9]{8}(?=\.)/, ""), name);
      keepAsset(name, file.contents);
    }
    return built.metafile.outputs;
  };
  const styles = (await readdir("src")).filter((name) => name.endsWith(".css")).map((name) => `src/${name}`);
  await made({ entryPoints: ["src/player/hls_player.ts", "src/studio/ticker.ts", "src/icon.svg", ...styles], loader: { ".svg": "copy" } });
  // The player of hls.js is the same for all pages, and no part of theirs.
  const apart = {
    name: "apart",
    setup: (build) => build.onResolve({ filter: /hls_player\.ts$/ }, () => ({ path: `./${names.get("hls_player.js")}`, external: true })),
  };
  // What is carried of others, under which terms.
  let licences = "";
  for (const name of ["hls.js", "preact"]) {
    licences += `The scripts of these pages hold ${name}, under this licence:\n\n${await readFile(`node_modules/${name}/LICENSE`, "utf8")}\n\n`;
  }
  const hash = createHash("sha256").update(licences).digest("hex").slice(0, 8).toUpperCase();
  names.set("licences.txt", `licences-${hash}.txt`);
  keepAsset(`licences-${hash}.txt`, licences);
  for (const page of Object.keys(MOST)) {
    // What is said by parts that come later comes with them, where a page says so.
    const words = await wordsOf(page, common);
    const after = existsSync(`src/i18n/en/pages/${page}.later.ts`) ? await wordsOf(`${page}.later`, common) : undefined;
    for (const { name, texts } of after === undefined ? [words] : [words, after]) {
      for (const language of LANGUAGES) keepAsset(name.replace("{{language}}", language), texts[language]);
    }
    // A page shares nothing with others: it has no more than it needs, and packs better in one piece.
    const outputs = await made({ entryPoints: [`src/${page}.tsx`], splitting: true, plugins: [apart], chunkNames: `${page}-part-[hash]` });
    const entry = Object.keys(outputs).find((path) => outputs[path].entryPoint === `src/${page}.tsx`);
    // What the script imports at once is asked for with it. What it may import later is not.
    const chunks = reached(outputs, entry, "import-statement").map((path) => basename(path));
    // So are the words in the language that the browser wants, which the server knows.
    const preloads = [...chunks, words.name].map((name) => `<link rel="modulepreload" href="/assets/${name}" />\n    `);
    const text = await readFile(`src/${page}.html`, "utf8");
    const whole = text
      .replace('<script type="module"', `${preloads.join("")}$&`)
      .replace("<html ", `<html data-words="/assets/${open(words)}"${after === undefined ? "" : ` data-later="/assets/${open(after)}"`} `);
    const linked = whole.replace(/\/assets\/([\w.*{}-]+)/g, (_, name) => {
      if (chunks.includes(name) || /[*{]/.test(name)) return `/assets/${name}`;
      if (!names.has(name)) throw new Error(`${page}.html names ${name}, which is not built`);
      return `/assets/${names.get(name)}`;
    });
    files.set(`${page}.html`, Buffer.from(linked));
    weigh(page, linked, [basename(entry), ...chunks, words.name.replace("{{language}}", "ru")], files);
  }
  await keep(files);
}

/** The words of a page, one file for each language: of src/i18n/en/pages/list.ts comes list.en-HASH.js. Gives their names with the
    language left open, so they have one hash; and what is in each. */
async function wordsOf(page, common) {
  const texts = {};
  for (const language of LANGUAGES) {
    const contents = `export * from "./src/i18n/${language}/pages/${page}.ts";`;
    const { outputFiles } = await build({ ...common, stdin: { contents, resolveDir: here, sourcefile: page } });
    texts[language] = outputFiles[0].contents;
  }
  const hash = createHash("sha256");
  for (const language of LANGUAGES) hash.update(texts[language]);
  return { name: `${page}.{{language}}-${hash.digest("hex").slice(0, 8).toUpperCase()}.js`, texts };
}

/** Their name as the script has it, which knows the language. */
function open({ name }) {
  return name.replace("{{language}}", "*");
}

/** The scripts that a script imports in this way, and those that they import. */
function reached(outputs, entry, kind) {
  const found = new Set();
  const look = (path) => {
    for (const one of outputs[path].imports) {
      if (one.external || one.kind !== kind || found.has(one.path)) continue;
      found.add(one.path);
      look(one.path);
    }
  };
  look(entry);
  return [...found];
}

/** Fails where a page has more script or style than it may. */
function weigh(page, html, scripts, files) {
  const size = (name) => files.get(`assets/${name}.gz`).length;
  const script = scripts.reduce((sum, name) => sum + size(name), 0);
  const style = [...html.matchAll(/\/assets\/([\w-]+\.css)/g)].reduce((sum, [, name]) => sum + size(name), 0);
  console.log(`${page}: ${script} of ${MOST[page]} bytes of script, ${style} of ${MOST_STYLE} of style`);
  if (script > MOST[page] || style > MOST_STYLE) throw new Error(`${page} is too large`);
}

/** Makes web/dist hold these files and no others. What is the same is not touched, so that cargo does not build anew. */
async function keep(files) {
  await mkdir("dist/assets", { recursive: true });
  for (const name of await readdir("dist", { recursive: true })) {
    if (name !== "assets" && !files.has(name)) await rm(join("dist", name), { recursive: true });
  }
  for (const [name, bytes] of files) {
    const before = await readFile(join("dist", name)).catch(() => undefined);
    if (before === undefined || !before.equals(bytes)) await writeFile(join("dist", name), bytes);
  }
}
