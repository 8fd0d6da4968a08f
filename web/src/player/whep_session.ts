// One session of WHEP: an offer, an answer, a connection, and what comes over it. It ends once, and another one is made.

import { type Figures, Reception } from "../rules/reception.ts";
import { TO_CONNECT_MS, TO_SHOW_MS, type Reason } from "../rules/transport.ts";
import { authorization, iceServers, type Refusal, refusalOf, sentenceOf, whepAddress, withStereo } from "../rules/whep.ts";

/** How it is with a session. */
export type Fate =
  | { is: "asking" | "connecting" | "shows" }
  /** The server did not answer. */
  | { is: "unanswered" }
  | { is: "refused"; why: Refusal; sentence: string }
  /** No connection, or nothing over it. */
  | { is: "failed"; why: Reason }
  /** It was connected and is not any more. */
  | { is: "lost" };

export class WhepSession {
  /** What came, for the video element. */
  readonly stream = new MediaStream();
  readonly reception = new Reception();
  /** Why it has no audio, where the stream has some. */
  withoutAudio: string | undefined;
  private readonly connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  private readonly asking = new AbortController();
  private fate: Fate = { is: "asking" };
  private offer: string | undefined;
  private place: string | undefined;
  private answeredMs = Number.NaN;
  private connectedMs = Number.NaN;
  private ended = false;
  private counting = false;

  constructor(
    private readonly list: string,
    /** The rendition that is asked for, if one is. */
    readonly label: string | undefined,
    /** Called when the server has answered. */
    public answers: () => void,
  ) {
    this.connection.addEventListener("track", (event) => this.stream.addTrack(event.track));
    this.ask();
  }

  /** Asks the server; again, if it did not answer or had nothing to give. */
  ask(): void {
    this.fate = { is: "asking" };
    this.agree()
      .catch(() => this.become({ is: "unanswered" }))
      .finally(() => this.answers());
  }

  /** Whether media have been agreed on, so that a video element has something to wait for. */
  get answered(): boolean {
    return this.fate.is === "connecting" || this.fate.is === "shows";
  }

  /** Reads the browser's figures, and how it is with the session by them. To be called several times a second. */
  look(nowMs: number): Fate {
    if (!this.answered) return this.fate;
    const state = this.connection.connectionState;
    const connected = !Number.isNaN(this.connectedMs);
    if (state === "connected" && !connected) this.connectedMs = nowMs;
    if (this.hungUp) this.place = undefined;
    if (state === "closed" || state === "failed" || this.hungUp) this.become(connected ? { is: "lost" } : { is: "failed", why: "blocked" });
    else if (!connected && state !== "connected" && nowMs - this.answeredMs > TO_CONNECT_MS) this.become({ is: "failed", why: "blocked" });
    else if (connected && this.reception.seen) this.become({ is: "shows" });
    // Pages that nobody sees may decode nothing.
    else if (connected && !document.hidden && nowMs - this.connectedMs > TO_SHOW_MS) this.become({ is: "failed", why: "frozen" });
    void this.count();
    return this.fate;
  }

  /** Whether the other end has closed it, which browsers do not call closed as long as datagrams could go to and fro. */
  private get hungUp(): boolean {
    return this.connection.getReceivers().some((one) => one.transport?.state === "closed" || one.transport?.state === "failed");
  }

  /** Whether the connection has stopped to answer, though it may come back. */
  get disconnected(): boolean {
    return this.connection.connectionState === "disconnected";
  }

  /** Whether the server still has it: `undefined` if it does not answer. */
  async known(): Promise<boolean | undefined> {
    if (this.place === undefined) return false;
    try {
      const headers = { ...this.headers(), "Content-Type": "application/trickle-ice-sdpfrag" };
      const answer = await fetch(this.place, { method: "PATCH", headers, body: "" });
      return answer.status !== 404;
    } catch {
      return undefined;
    }
  }

  /** Ends it, at the server too; also while the page goes away. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.asking.abort();
    this.connection.close();
    if (this.place !== undefined) this.remove(this.place);
  }

  private become(fate: Fate): void {
    if (!this.ended) this.fate = fate;
  }

  private headers(): Record<string, string> {
    const shown = authorization(this.list);
    return shown === undefined ? {} : { Authorization: shown };
  }

  private async agree(): Promise<void> {
    const { connection } = this;
    this.offer ??= await this.makeOffer();
    const answer = await fetch(whepAddress(this.list, this.label), {
      method: "POST",
      headers: { ...this.headers(), "Content-Type": "application/sdp" },
      body: this.offer,
      signal: this.asking.signal,
    });
    const [servers, body] = [iceServers(answer.headers.get("Link")), answer.text()];
    if (answer.ok && !this.ended) {
      // Only servers that are known before a description is set are asked for addresses.
      if (servers.length > 0) useServers(connection, servers);
      connection.setLocalDescription({ type: "offer", sdp: this.offer }).catch(() => undefined);
    }
    const text = await body;
    if (!answer.ok) {
      return this.become({ is: "refused", why: refusalOf(answer.status, text), sentence: sentenceOf(text) });
    }
    const place = answer.headers.get("Location");
    if (place !== null) this.place = new URL(place, answer.url).href;
    this.withoutAudio = answer.headers.get("Msconv-Without-Audio") ?? undefined;
    if (this.ended) return this.place === undefined ? undefined : this.remove(this.place);
    this.answeredMs = performance.now();
    await connection.setRemoteDescription({ type: "answer", sdp: text }).then(
      () => this.become({ is: "connecting" }),
      () => this.become({ is: "failed", why: "codec" }),
    );
  }

  private async makeOffer(): Promise<string> {
    const { connection } = this;
    connection.addTransceiver("video", { direction: "recvonly" });
    connection.addTransceiver("audio", { direction: "recvonly" });
    // Without candidates: a server in the open learns them from what arrives.
    return withStereo((await connection.createOffer()).sdp ?? "");
  }

  private remove(place: string): void {
    fetch(place, { method: "DELETE", headers: this.headers(), keepalive: true }).catch(() => undefined);
  }

  private async count(): Promise<void> {
    if (this.counting || this.ended) return;
    this.counting = true;
    const report = await this.connection.getStats().catch(() => undefined);
    this.counting = false;
    if (report !== undefined && !this.ended) this.reception.heard(performance.now(), figuresOf(report, this.hasVideo()));
  }

  private hasVideo(): boolean {
    return this.connection.getTransceivers().some((one) => one.receiver.track.kind === "video" && one.currentDirection === "recvonly");
  }
}

/** A server that the browser cannot use is of no use, and no reason not to play. */
function useServers(connection: RTCPeerConnection, servers: RTCIceServer[]): void {
  try {
    connection.setConfiguration({ ...connection.getConfiguration(), iceServers: servers });
  } catch (error) {
    console.warn("ICE servers of the answer:", error);
  }
}

function figuresOf(report: RTCStatsReport, video: boolean): Figures {
  const figures = { video, framesDecoded: 0, audioPackets: 0, processingSeconds: 0, roundTripSeconds: 0 };
  report.forEach((one: Record<string, unknown>) => {
    const number = (name: string) => (typeof one[name] === "number" ? one[name] : 0);
    if (one["type"] === "inbound-rtp" && one["kind"] === "video") {
      figures.framesDecoded += number("framesDecoded");
      figures.processingSeconds += number("totalProcessingDelay");
    } else if (one["type"] === "inbound-rtp") {
      figures.audioPackets += number("packetsReceived");
    } else if (one["type"] === "candidate-pair" && one["nominated"] === true) {
      figures.roundTripSeconds = number("currentRoundTripTime");
    }
  });
  return figures;
}
