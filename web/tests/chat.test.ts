// The rules of the chat: each message once and in order, links that lead to web pages only, names that can be read.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatLog, type Message } from "../src/rules/chat_log.ts";
import { contrast, luminance, nameColours, rgbOf } from "../src/rules/colour.ts";
import { pieces } from "../src/rules/links.ts";

const from = { id: "a", name: "anna", colour: 20, role: "viewer" } as const;
const message = (seq: number): Message => ({ seq, id: `m${seq}`, from, text: `text ${seq}`, at: "2026-11-30T10:00:00Z" });
const ids = (log: ChatLog) => log.all.map((one) => one.seq);

test("a message that comes twice is there once, and late ones stand where they belong", () => {
  const log = new ChatLog();
  log.take({ type: "message", ...message(5) });
  assert.equal(log.take({ type: "message", ...message(5) }), false);
  log.add([message(3), message(4), message(5)]);
  log.take({ type: "message", ...message(7) });
  log.take({ type: "message", ...message(6) });
  assert.deepEqual(ids(log), [3, 4, 5, 6, 7]);
  assert.equal(log.seq, 7);
});

test("what was deleted does not come back with an older answer", () => {
  const log = new ChatLog();
  log.add([message(1), message(2)]);
  log.take({ type: "delete", seq: 3, ids: ["m1"] });
  log.add([message(1)], true);
  assert.deepEqual(ids(log), [2]);
  log.take({ type: "clear", seq: 4 });
  log.add([message(2)], true);
  log.take({ type: "message", ...message(5) });
  assert.deepEqual(ids(log), [5]);
});

test("no more are kept than anybody reads", () => {
  const log = new ChatLog();
  for (let seq = 1; seq <= 1500; seq += 1) log.take({ type: "message", ...message(seq) });
  assert.deepEqual([log.all.length, log.all[0]?.seq], [1000, 501]);
});

test("only addresses of web pages become links", () => {
  const links = (text: string) => pieces(text).flatMap((piece) => (piece.href === undefined ? [] : [piece.text]));
  assert.deepEqual(links("see https://example.org/a?b=1, and (http://x.test/y_(z))."), ["https://example.org/a?b=1", "http://x.test/y_(z)"]);
  for (const text of ["javascript:alert(1)", "data:text/html,x", "xhttps://a.b", "https://user:pass@a.b/", "http://", "ftp://a.b", "//a.b", "vbscript:x"]) {
    assert.deepEqual(links(text), [], text);
  }
  for (const text of ["", "a", "<b>https://a.test/<i>", "https://a.test https://b.test"]) {
    assert.equal(pieces(text).map((piece) => piece.text).join(""), text);
  }
});

test("every name can be read on both grounds", () => {
  const parse = (colour: string) => luminance(rgbOf(...(/hsl\((\d+) (\d+)% (\d+)%\)/.exec(colour)?.slice(1).map(Number) as [number, number, number])));
  for (let hue = 0; hue < 360; hue += 5) {
    const { onLight, onDark } = nameColours(hue);
    assert.ok(contrast(parse(onLight), luminance([255, 255, 255])) >= 4.5, `${hue}: ${onLight}`);
    assert.ok(contrast(parse(onDark), luminance([28, 33, 44])) >= 4.5, `${hue}: ${onDark}`);
  }
});
