// Over what the page plays: WebRTC, which is soonest, or HLS, which goes through wherever web pages do.

export type Transport = "webrtc" | "hls";

/** Why it is not WebRTC. */
export type Reason =
  /** The stream has B-frames. */
  | "reordered"
  /** The browser and the stream have no codec in common, over WebRTC. */
  | "codec"
  /** The server does not give it out like this, or not now. */
  | "refused"
  /** No connection came about: the network lets none through. */
  | "blocked"
  /** There was a connection, and no picture. */
  | "frozen"
  /** The browser has no WebRTC. */
  | "unsupported";

/** How long a connection may take to come about, milliseconds. */
export const TO_CONNECT_MS = 3000;
/** How long a connection may take to show something, milliseconds. */
export const TO_SHOW_MS = 4000;

/** The transport that a page's address asks for with `?protocol=`, if it does. */
export function pinnedTransport(query: string): Transport | undefined {
  const asked = new URLSearchParams(query).get("protocol");
  return asked === "webrtc" || asked === "hls" ? asked : undefined;
}

/** The choice between the two, for the life of a page. */
export class TransportChoice {
  private why: Reason | undefined;

  constructor(
    private readonly pinned: Transport | undefined,
    private readonly supported: boolean,
  ) {
    if (!supported) this.why = "unsupported";
  }

  get now(): Transport {
    if (this.pinned !== undefined) return this.pinned;
    return this.why === undefined ? "webrtc" : "hls";
  }

  /** Why it is not WebRTC, where the viewer did not ask for that. */
  get reason(): Reason | undefined {
    return this.pinned === "hls" ? undefined : this.why;
  }

  failed(reason: Reason): void {
    this.why = reason;
  }

  /** WebRTC shows something. */
  works(): void {
    this.why = undefined;
  }

  /** Whether WebRTC is tried again once the stream has come back: it may be another one now, and the network is the same. */
  get again(): boolean {
    if (this.pinned !== undefined || !this.supported) return false;
    return this.why === "reordered" || this.why === "codec" || this.why === "refused";
  }
}
