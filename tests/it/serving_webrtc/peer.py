"""A peer of WebRTC that is not ours (aiortc): watches by WHEP or publishes by WHIP, and says in JSON what it got.

peer.py watch URL SECONDS      decodes for so long: how many frames, how many different ones, how loud, which tone
peer.py publish URL SECONDS    sends moving bars and a tone of 440 Hz for so long, then ends the session
"""

import array
import asyncio
import fractions
import json
import math
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import aioice.ice
import av
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

# Everything stays on this machine, whatever networks it has.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

RATE = 48000
TONE = 440


def ask(method, url, body=None):
    fields = {"Content-Type": "application/sdp"} if body else {}
    data = body.encode() if body else None
    request = urllib.request.Request(url, method=method, data=data, headers=fields)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


async def negotiate(peer, url):
    await peer.setLocalDescription(await peer.createOffer())
    status, fields, body = await asyncio.to_thread(ask, "POST", url, peer.localDescription.sdp)
    if status != 201:
        print(json.dumps({"status": status, "said": body.strip()}))
        sys.exit(3)
    await peer.setRemoteDescription(RTCSessionDescription(sdp=body, type="answer"))
    return urllib.parse.urljoin(url, {name.lower(): value for name, value in fields.items()}["location"])


class Heard:
    """Loudness and tone of decoded audio, by the crossings of zero."""

    def __init__(self):
        self.squares, self.samples, self.crossings, self.last = 0.0, 0, 0, 0

    def take(self, frame):
        channels = len(frame.layout.channels)
        samples = array.array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])
        for sample in samples[::channels]:
            self.squares += sample * sample
            self.crossings += (sample < 0) != (self.last < 0)
            self.last = sample
        self.samples += frame.samples

    def report(self):
        if not self.samples:
            return {"samples": 0, "rms": 0, "hz": 0}
        seconds = self.samples / RATE
        rms = math.sqrt(self.squares / self.samples)
        return {"samples": self.samples, "rms": rms, "hz": self.crossings / 2 / seconds}


class Seen:
    """Decoded frames, and how many of them differ from the one before."""

    def __init__(self):
        self.frames, self.changes, self.last, self.size, self.begun = 0, 0, None, None, None

    def take(self, frame):
        picture = bytes(frame.planes[0])
        self.frames += 1
        self.changes += self.last is not None and picture != self.last
        self.last = picture
        self.size = f"{frame.width}x{frame.height}"
        self.begun = self.begun or time.monotonic()


async def watch(url, seconds):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    seen, heard, tasks = Seen(), Heard(), []

    async def take(track, into):
        try:
            while True:
                into.take(await track.recv())
        except MediaStreamError:
            pass

    peer.on("track", lambda track: tasks.append(
        asyncio.ensure_future(take(track, seen if track.kind == "video" else heard))))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    asked = time.monotonic()
    location = await negotiate(peer, url)
    await asyncio.sleep(seconds)
    report = {
        "frames": seen.frames,
        "changes": seen.changes,
        "size": seen.size,
        "first_s": seen.begun - asked if seen.begun else None,
        "audio": heard.report(),
        "state": peer.connectionState,
    }
    report["deleted"] = (await asyncio.to_thread(ask, "DELETE", location))[0]
    await peer.close()
    for task in tasks:
        task.cancel()
    print(json.dumps(report))


class Paced(MediaStreamTrack):
    """Frames of `step` ticks of a clock, each at its time."""

    def __init__(self, kind, rate, step):
        super().__init__()
        self.kind, self.rate, self.step, self.count, self.begun = kind, rate, step, 0, None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        due = self.begun + self.count * self.step / self.rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        frame = self.made(self.count)
        frame.pts, frame.time_base = self.count * self.step, fractions.Fraction(1, self.rate)
        self.count += 1
        return frame


class Bars(Paced):
    def __init__(self):
        super().__init__("video", 90000, 3600)

    def made(self, number):
        frame = av.VideoFrame(320, 240, "yuv420p")
        luma, width = frame.planes[0], frame.planes[0].line_size
        row = bytes((x * 2 + number * 8) & 0xFF for x in range(width))
        luma.update(row * frame.planes[0].height)
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        return frame


class Tone(Paced):
    def __init__(self):
        super().__init__("audio", RATE, 960)

    def made(self, number):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate = RATE
        samples = array.array("h")
        for index in range(number * 960, (number + 1) * 960):
            sample = int(8000 * math.sin(2 * math.pi * TONE * index / RATE))
            samples.extend((sample, sample))
        frame.planes[0].update(samples.tobytes())
        return frame


async def publish(url, seconds):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    video = peer.addTransceiver(Bars(), direction="sendonly")
    peer.addTransceiver(Tone(), direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    video.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    location = await negotiate(peer, url)
    print(json.dumps({"published": True}), flush=True)
    await asyncio.sleep(seconds)
    status = (await asyncio.to_thread(ask, "DELETE", location))[0]
    await peer.close()
    print(json.dumps({"deleted": status}))


if __name__ == "__main__":
    run = {"watch": watch, "publish": publish}[sys.argv[1]]
    asyncio.run(run(sys.argv[2], float(sys.argv[3])))
