// The rules of playing over WebRTC, each with what it is for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { noteOf } from "../src/rules/note.ts";
import { labelOf, renditionsOf } from "../src/rules/multivariant.ts";
import { type Figures, Reception } from "../src/rules/reception.ts";
import { pinnedTransport, type Reason, TransportChoice } from "../src/rules/transport.ts";
import { authorization, iceServers, refusalOf, sentenceOf, whepAddress, withStereo } from "../src/rules/whep.ts";
import { watch as english } from "../src/i18n/en/watch.ts";
import { watch as russian } from "../src/i18n/ru/watch.ts";

test("WebRTC comes first, and HLS for as long as it cannot be", () => {
  const choice = new TransportChoice(undefined, true);
  assert.deepEqual([choice.now, choice.reason, choice.again], ["webrtc", undefined, false]);
  const tried: [Reason, boolean][] = [
    ["reordered", true],
    ["codec", true],
    ["refused", true],
    // The network is the same when the stream comes back.
    ["blocked", false],
    ["frozen", false],
  ];
  for (const [reason, again] of tried) {
    choice.failed(reason);
    assert.deepEqual([choice.now, choice.reason, choice.again], ["hls", reason, again]);
  }
  choice.works();
  assert.deepEqual([choice.now, choice.reason], ["webrtc", undefined]);
  const without = new TransportChoice(undefined, false);
  assert.deepEqual([without.now, without.reason, without.again], ["hls", "unsupported", false]);
});

test("a pinned transport is not left", () => {
  assert.equal(pinnedTransport("?token=a&protocol=hls"), "hls");
  assert.equal(pinnedTransport("?protocol=webrtc"), "webrtc");
  for (const query of ["", "?protocol=", "?protocol=rtsp", "?protocols=hls"]) assert.equal(pinnedTransport(query), undefined);
  const hls = new TransportChoice("hls", true);
  assert.deepEqual([hls.now, hls.reason, hls.again], ["hls", undefined, false]);
  const webrtc = new TransportChoice("webrtc", true);
  webrtc.failed("reordered");
  assert.deepEqual([webrtc.now, webrtc.reason, webrtc.again], ["webrtc", "reordered", false]);
});

test("the address of WHEP stands beside that of the list", () => {
  assert.equal(whepAddress("/live/cam/index.m3u8", undefined), "/live/cam/whep");
  assert.equal(whepAddress("/tv/one/cam_720p/index.m3u8?token=a%2Fb", "720p 2"), "/tv/one/cam_720p/whep?rendition=720p%202");
  assert.equal(authorization("/live/cam/index.m3u8"), undefined);
  assert.equal(authorization("/live/cam/index.m3u8?token=a%20b"), "Bearer a b");
  assert.equal(authorization("/live/cam/index.m3u8?user=eye&pass=p%26w&token=a"), "Basic ZXllOnAmdw==");
  assert.equal(authorization("/live/cam/index.m3u8?user=eye"), undefined);
});

test("an answer that refuses says whether to wait or what to tell", () => {
  const reordered = "its frames are reordered (B-frames), which WebRTC does not know; over HLS it is there: /live/cam/index.m3u8\n";
  assert.equal(refusalOf(404, "nobody publishes this name"), "absent");
  assert.equal(refusalOf(406, reordered), "reordered");
  assert.equal(refusalOf(406, "its video is H.265, and the offer takes VP8, H.264"), "codec");
  for (const status of [400, 401, 403, 415, 500, 503]) assert.equal(refusalOf(status, ""), "refused");
  assert.equal(sentenceOf(reordered), "its frames are reordered (B-frames), which WebRTC does not know");
});

test("an offer asks for stereo, once, and for Opus alone", () => {
  const offer = "m=audio 9 X 111 63\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=fmtp:63 111/111\r\n";
  const stereo = offer.replace("fec=1", "fec=1;stereo=1");
  assert.equal(withStereo(offer), stereo);
  assert.equal(withStereo(stereo), stereo);
  assert.equal(withStereo("a=rtpmap:8 PCMA/8000\r\n"), "a=rtpmap:8 PCMA/8000\r\n");
});

test("the menu knows the renditions of a list by their labels", () => {
  const list = [
    "#EXTM3U",
    '#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=600000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000',
    "360p/i.m3u8",
    "",
    '#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,BANDWIDTH=128000,CODECS="mp4a.40.2"',
    "audio%20alone/i.m3u8?token=x/y",
    "#EXT-X-STREAM-INF:BANDWIDTH=1",
  ].join("\r\n");
  assert.deepEqual(renditionsOf(list), [
    { label: "360p", width: 640, height: 360, bitsPerSecond: 900_000 },
    { label: "audio alone", width: 0, height: 0, bitsPerSecond: 128_000 },
  ]);
  assert.deepEqual(renditionsOf("nothing"), []);
  assert.equal(labelOf("http://host:8000/live/cam/720p/i.m3u8"), "720p");
  assert.equal(labelOf("%zz/i.m3u8"), "%zz");
});

function figures(more: Partial<Figures>): Figures {
  return { video: true, framesDecoded: 0, audioPackets: 0, processingSeconds: 0, roundTripSeconds: 0, ...more };
}

test("what stands still is told by its frames, whatever its frame rate", () => {
  const quick = new Reception();
  for (let n = 0; n <= 20; n += 1) quick.heard(n * 100, figures({ framesDecoded: n * 3 }));
  assert.ok(quick.seen);
  assert.equal(quick.stillMs(2050), 0);
  assert.equal(quick.stillMs(3000), 1000);
  quick.heard(3100, figures({ framesDecoded: 60, audioPackets: 50 }));
  assert.equal(quick.stillMs(3100), 1100);
  quick.heard(3200, figures({ framesDecoded: 61 }));
  assert.equal(quick.stillMs(3250), 0);
  // It stops again: the gap before is no measure.
  for (let n = 1; n <= 5; n += 1) quick.heard(3200 + n * 100, figures({ framesDecoded: 61 + n * 3 }));
  assert.equal(quick.stillMs(4500), 800);
  // A frame a second is no interruption.
  const slow = new Reception();
  for (let n = 0; n <= 60; n += 1) slow.heard(n * 100, figures({ framesDecoded: 1 + Math.floor(n / 10) }));
  assert.equal(slow.stillMs(6900), 0);
  assert.equal(slow.stillMs(9000), 3000);
});

test("a stream without video moves by its audio", () => {
  const audio = new Reception();
  audio.heard(0, figures({ video: false }));
  assert.equal(audio.seen, false);
  audio.heard(100, figures({ video: false, audioPackets: 5 }));
  assert.equal(audio.seen, true);
  assert.equal(audio.delaySeconds, undefined);
  const silent = new Reception();
  silent.heard(100, figures({ audioPackets: 5 }));
  assert.equal(silent.seen, false, "with video a frame is waited for");
});

test("the delay is what frames wait and half the way there and back", () => {
  const reception = new Reception();
  reception.heard(0, figures({ framesDecoded: 10, processingSeconds: 0.5, roundTripSeconds: 0.02 }));
  assert.ok(Math.abs((reception.delaySeconds ?? 0) - 0.06) < 1e-9);
  reception.heard(100, figures({ framesDecoded: 13, processingSeconds: 0.8, roundTripSeconds: 0.02 }));
  assert.ok(Math.abs((reception.delaySeconds ?? 0) - 0.07) < 1e-9);
});

test("a line says how it is played, where there is something to say", () => {
  const way = { transport: "webrtc", reason: undefined, sentence: "", withoutAudio: undefined } as const;
  assert.equal(noteOf("playing", way, english).text, "");
  assert.match(noteOf("playing", { ...way, withoutAudio: "the audio is HE-AAC" }, english).text, /^Without audio: the audio is HE-AAC\.$/);
  for (const tag of ["en", "ru"] as const) {
    for (const reason of ["reordered", "codec", "refused", "blocked", "frozen", "unsupported"] as const) {
      const note = noteOf("playing", { ...way, transport: "hls", reason, sentence: "why" }, (tag === "ru" ? russian : english));
      assert.match(note.text, /HLS.*: .*\.$/);
      assert.equal(note.more, "why");
      // Nothing plays yet: that is told elsewhere.
      assert.equal(noteOf("waiting", { ...way, transport: "hls", reason }, (tag === "ru" ? russian : english)).text, "");
    }
  }
  // Who asked for HLS is told nothing.
  assert.equal(noteOf("playing", { ...way, transport: "hls" }, english).text, "");
});

test("servers of an answer are read out of its links", () => {
  const link = '<stun:stun.example.org>; rel="ice-server", </next>; rel=next, ' +
    '<turn:turn.example.org?transport=udp>; rel="ice-server"; username="a, \\"b"; credential="<c>"; credential-type="password"';
  assert.deepEqual(iceServers(link), [
    { urls: "stun:stun.example.org" },
    { urls: "turn:turn.example.org?transport=udp", username: 'a, "b', credential: "<c>" },
  ]);
  for (const none of [null, "", "<http://example.org>; rel=ice-server", "stun:x; rel=ice-server"]) assert.deepEqual(iceServers(none), []);
  assert.equal(iceServers("<stun:x>; rel=ice-server,".repeat(100)).length, 8);
});
