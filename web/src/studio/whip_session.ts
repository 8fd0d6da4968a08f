// One session of WHIP (RFC 9725): an offer, an answer, a connection. It ends once, and another one is made.

import { ApiError } from "../api.ts";
import type { Quality } from "../rules/quality.ts";
import type { Sent } from "../rules/outgoing.ts";
import { iceServers } from "../rules/whep.ts";

export class WhipSession {
  private readonly connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private place: string | undefined;
  private ended = false;

  constructor(
    private readonly address: string,
    private readonly bearer: string | undefined,
    private readonly changed: (state: RTCPeerConnectionState) => void,
  ) {
    this.connection.addEventListener("connectionstatechange", () => !this.ended && this.changed(this.connection.connectionState));
  }

  /** Begins to send; the public name of the stream, as the server tells it. */
  async begin(stream: MediaStream, quality: Quality): Promise<string | undefined> {
    const { connection } = this;
    for (const kind of ["video", "audio"] as const) {
      const [track] = kind === "video" ? stream.getVideoTracks() : stream.getAudioTracks();
      const encodings = kind === "video" ? [{ maxBitrate: quality.bitsPerSecond, maxFramerate: quality.fps }] : [{ maxBitrate: 128_000 }];
      const transceiver = connection.addTransceiver(track ?? kind, { direction: "sendonly", streams: [stream], sendEncodings: encodings });
      if (kind === "video") preferH264(transceiver);
    }
    const offer = await connection.createOffer();
    const answer = await fetch(this.address, {
      method: "POST",
      headers: { ...this.headers(), "Content-Type": "application/sdp" },
      body: offer.sdp ?? "",
      ...this.apart(),
    });
    const text = await answer.text();
    if (!answer.ok) throw new ApiError(answer.status, "whip", text.trim(), Number(answer.headers.get("Retry-After")) || undefined);
    const place = answer.headers.get("Location");
    if (place !== null) this.place = new URL(place, answer.url).href;
    if (this.ended) {
      this.remove();
      return undefined;
    }
    const servers = iceServers(answer.headers.get("Link"));
    if (servers.length > 0) connection.setConfiguration({ ...connection.getConfiguration(), iceServers: servers });
    await connection.setLocalDescription(offer);
    await connection.setRemoteDescription({ type: "answer", sdp: text });
    return place?.split("/").at(-3);
  }

  /** Sends other tracks from now on. */
  async replace(stream: MediaStream): Promise<void> {
    for (const { sender, receiver } of this.connection.getTransceivers()) {
      const [track] = receiver.track.kind === "video" ? stream.getVideoTracks() : stream.getAudioTracks();
      await sender.replaceTrack(track ?? null);
    }
  }

  async sent(): Promise<Sent> {
    const sent: Sent = { atMs: performance.now(), bytes: 0, packets: 0, lost: 0, frames: 0, width: 0, height: 0, roundTripSeconds: 0 };
    const report = await this.connection.getStats();
    report.forEach((one: Record<string, unknown>) => {
      const number = (name: string) => (typeof one[name] === "number" ? one[name] : 0);
      if (one["type"] === "outbound-rtp") {
        sent.bytes += number("bytesSent") + number("headerBytesSent");
        sent.packets += number("packetsSent");
        if (one["kind"] !== "video") return;
        sent.frames += number("framesEncoded");
        sent.width = number("frameWidth");
        sent.height = number("frameHeight");
      } else if (one["type"] === "remote-inbound-rtp") {
        sent.lost += number("packetsLost");
        sent.roundTripSeconds = Math.max(sent.roundTripSeconds, number("roundTripTime"));
      }
    });
    return sent;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.connection.close();
    this.remove();
  }

  private remove(): void {
    if (this.place !== undefined) fetch(this.place, { method: "DELETE", headers: this.headers(), keepalive: true, ...this.apart() }).catch(() => undefined);
  }

  /** With a key nothing else is shown: a wrong one is told here, and not asked about by the browser in a window of its own. */
  private apart(): RequestInit {
    return this.bearer === undefined ? {} : { credentials: "omit" };
  }

  private headers(): Record<string, string> {
    return this.bearer === undefined ? {} : { Authorization: `Bearer ${this.bearer}` };
  }
}

/** H.264 goes to every viewer as it is; nothing else does. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const codecs = RTCRtpReceiver.getCapabilities("video")?.codecs ?? [];
  const wanted = codecs.filter((one) => one.mimeType.toLowerCase() === "video/h264");
  const helpers = codecs.filter((one) => /\/(rtx|red|ulpfec)$/i.test(one.mimeType));
  try {
    if (wanted.length > 0) transceiver.setCodecPreferences([...wanted, ...helpers]);
  } catch {
    // Then in the browser's order; the server takes what it can.
  }
}
