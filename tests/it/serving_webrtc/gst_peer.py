"""GStreamer's webrtcbin as a peer: watches by WHEP or publishes by WHIP, and says in JSON what it got.

gst_peer.py watch URL SECONDS PEM      decodes for so long: how many frames, how many different ones, how loud, which tone
gst_peer.py publish URL SECONDS PEM    sends a ball that moves and a tone of 440 Hz for so long, then ends the session
"""

import array
import hashlib
import json
import math
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

END = "-----END CERTIFICATE-----\n"
H264 = "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,packetization-mode=(string)1"
OPUS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
SENDS = f"""
    webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1
      ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=50
      ! video/x-h264,profile=constrained-baseline
      ! rtph264pay config-interval=-1 aggregate-mode=zero-latency ! {H264} ! peer.
    audiotestsrc is-live=true wave=sine freq=440 ! audio/x-raw,rate=48000,channels=2
      ! opusenc ! rtpopuspay ! {OPUS} ! peer.
"""


class Peer:
    def __init__(self, verb, url, seconds, pem):
        self.verb, self.url, self.seconds, self.location, self.offered = verb, url, seconds, None, False
        self.pem, self.size = pem, None
        self.frames, self.changes, self.last = 0, 0, None
        self.squares, self.samples, self.crossings, self.sample = 0.0, 0, 0, 0
        self.loop = GLib.MainLoop()
        # One element alone would come without a pipeline.
        self.pipeline = Gst.parse_launch(SENDS if verb == "publish" else "webrtcbin name=peer bundle-policy=max-bundle fakesrc num-buffers=1 ! fakesink async=false")
        self.peer = self.pipeline.get_by_name("peer")
        # The certificate that it makes by itself is RSA, which the server's DTLS does not take.
        self.pipeline.connect("deep-element-added", self.certify)
        # Everything stays on this machine, whatever networks it has. It is kept: the binding counts one reference too few.
        self.ice = self.peer.get_property("ice-agent")
        self.ice.ref()
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.peer.connect("on-negotiation-needed", self.offer)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("pad-added", self.came)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.failed)

    def run(self):
        if self.verb == "watch":
            for caps in (H264, OPUS):
                way = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
                self.peer.emit("add-transceiver", way, Gst.Caps.from_string(caps))
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def certify(self, _pipeline, _bin, element):
        factory = element.get_factory()
        if factory and factory.get_name() == "dtlsdec":
            element.set_property("pem", self.pem)

    def failed(self, _bus, message):
        print(json.dumps({"error": str(message.parse_error())}))
        sys.exit(4)

    def offer(self, peer):
        # It would offer again once it is answered.
        if self.offered:
            return
        self.offered = True

        def made(promise, *_):
            promise.wait()
            # Both have to outlive the call.
            reply = promise.get_reply()
            offer = reply.get_value("offer")
            done = Gst.Promise.new()
            peer.emit("set-local-description", offer, done)
            done.interrupt()

        peer.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def gathered(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.ask)

    def ask(self):
        text = self.peer.get_property("local-description").sdp.as_text()
        # The description was made of the certificate that was there first.
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem[: self.pem.index("-----END CERT")] + END)).digest()
        text = re.sub("(fingerprint:sha-256) .*", r"\1 " + ":".join(f"{byte:02X}" for byte in digest), text)
        if self.verb == "publish":
            text = text.replace("a=sendrecv", "a=sendonly")
        status, fields, body = request("POST", self.url, text)
        if status != 201:
            print(json.dumps({"status": status, "said": body.strip(), "offer": text}))
            sys.exit(3)
        self.location = urllib.parse.urljoin(self.url, fields["location"])
        _, message = GstSdp.SDPMessage.new_from_text(body)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())
        GLib.timeout_add(int(self.seconds * 1000), self.end)
        return False

    def came(self, _peer, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        video = pad.get_current_caps().get_structure(0).get_string("media") == "video"
        rest = "videoconvert ! video/x-raw,format=I420" if video else (
            "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1")
        bin_ = Gst.parse_bin_from_description(
            f"{'rtph264depay ! avdec_h264' if video else 'rtpopusdepay ! opusdec'} ! {rest} ! fakesink name=sink sync=false",
            True)
        self.pipeline.add(bin_)
        bin_.get_by_name("sink").get_static_pad("sink").add_probe(
            Gst.PadProbeType.BUFFER, self.seen if video else self.heard)
        bin_.sync_state_with_parent()
        pad.link(bin_.get_static_pad("sink"))

    def seen(self, pad, info):
        buffer = info.get_buffer()
        picture = buffer.extract_dup(0, buffer.get_size())
        self.frames += 1
        caps = pad.get_current_caps().get_structure(0)
        self.size = f"{caps.get_value('width')}x{caps.get_value('height')}"
        self.changes += self.last is not None and picture != self.last
        self.last = picture
        return Gst.PadProbeReturn.OK

    def heard(self, _pad, info):
        buffer = info.get_buffer()
        samples = array.array("h", buffer.extract_dup(0, buffer.get_size()))
        for sample in samples:
            self.squares += sample * sample
            self.crossings += (sample < 0) != (self.sample < 0)
            self.sample = sample
        self.samples += len(samples)
        return Gst.PadProbeReturn.OK

    def end(self):
        report = {"deleted": request("DELETE", self.location)[0]}
        if self.verb == "watch":
            seconds = max(1, self.samples) / 48000
            report |= {
                "frames": self.frames,
                "changes": self.changes,
                "size": self.size,
                "audio": {"rms": math.sqrt(self.squares / max(1, self.samples)), "hz": self.crossings / 2 / seconds},
            }
        print(json.dumps(report))
        self.loop.quit()
        return False


def request(method, url, body=None):
    fields = {"Content-Type": "application/sdp"} if body else {}
    asked = urllib.request.Request(url, method=method, data=body.encode() if body else None, headers=fields)
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read().decode()


if __name__ == "__main__":
    Gst.init(None)
    with open(sys.argv[4], encoding="ascii") as file:
        certificate = file.read()
    Peer(sys.argv[1], sys.argv[2], float(sys.argv[3]), certificate).run()
