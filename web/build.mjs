// Builds the pages into web/dist, from which build.rs of the program takes them: `node build.mjs`. Names of assets hold a hash
// of their content, so that they can be kept for ever; beside each text stands its gzipped form.
// `node build.mjs --tests` builds the tests instead, for `node --test`.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

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
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
} else {
  const built = await build({
    entryPoints: ["src/watch.ts", "src/watch.css", "src/icon.svg"],
    loader: { ".svg": "copy" },
    outdir: "dist/assets",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    target: ["chrome100", "firefox100", "safari15"],
    // Audio is in each rendition, so the build of hls.js without other audio does. Its types are those of the whole.
    alias: { "hls.js": "hls.js/light" },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const files = new Map();
  const names = new Map();
  for (const file of built.outputFiles) {
    const name = basename(file.path);
    names.set(name.replace(/-[A-Z0-9]{8}(?=\.)/, ""), name);
    files.set(`assets/${name}`, Buffer.from(file.contents));
    files.set(`assets/${name}.gz`, gzipSync(file.contents, { level: 9 }));
  }
  // What is carried of others, under which terms.
  const licence = await readFile("node_modules/hls.js/LICENSE");
  const licences = Buffer.concat([Buffer.from("The scripts of these pages hold hls.js, under this licence:\n\n"), licence]);
  const hash = createHash("sha256").update(licences).digest("hex").slice(0, 8).toUpperCase();
  names.set("licences.txt", `licences-${hash}.txt`);
  files.set(`assets/licences-${hash}.txt`, licences);
  files.set(`assets/licences-${hash}.txt.gz`, gzipSync(licences, { level: 9 }));
  for (const page of ["watch.html"]) {
    const text = await readFile(join("src", page), "utf8");
    // What the script imports at once is asked for with it. What it may import later is not.
    const outputs = Object.entries(built.metafile.outputs);
    const early = outputs.find(([, output]) => output.entryPoint === "src/watch.ts")[1].imports;
    const chunks = early.filter((one) => one.kind === "import-statement").map((one) => basename(one.path));
    const preloads = chunks.map((name) => `<link rel="modulepreload" href="/assets/${name}" />\n    `);
    const whole = text.replace('<script type="module"', `${preloads.join("")}$&`);
    const linked = whole.replace(/\/assets\/([\w.-]+)/g, (_, name) => {
      if (chunks.includes(name)) return `/assets/${name}`;
      if (!names.has(name)) throw new Error(`${page} names ${name}, which is not built`);
      return `/assets/${names.get(name)}`;
    });
    files.set(page, Buffer.from(linked));
  }
  await keep(files);
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
