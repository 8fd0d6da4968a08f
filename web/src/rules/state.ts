// What is told the viewer, in one word. Nothing is called over before the server said so.

export type State =
  /** Nothing is known yet. */
  | "connecting"
  /** Nobody publishes, and nothing was seen here. */
  | "waiting"
  | "playing"
  /** Paused by the viewer. */
  | "paused"
  /** It was seen, and stands still: its publisher or the network may return. */
  | "returning"
  /** It was seen, and the server has given it up. */
  | "ended"
  /** The server wants a password, or another one. */
  | "refused"
  /** This browser has no decoder for it. */
  | "unplayable";

export type Facts = {
  /** What the server said of the stream last. */
  list: "unknown" | "there" | "absent" | "refused" | "unreachable";
  /** Whether a frame of it was shown on this page. */
  seen: boolean;
  decodable: boolean;
  paused: boolean;
  /** How long the playhead has stood still, milliseconds. */
  stillMs: number;
};

/** Standing still for so long is told, milliseconds. */
const STILL_MS = 700;

export function stateOf(facts: Facts): State {
  if (facts.list === "refused") return "refused";
  if (!facts.decodable) return "unplayable";
  if (facts.list === "absent") return facts.seen ? "ended" : "waiting";
  if (facts.list !== "there") return facts.seen ? "returning" : "connecting";
  if (!facts.seen) return "connecting";
  if (facts.paused) return "paused";
  return facts.stillMs < STILL_MS ? "playing" : "returning";
}
