// What goes out, told from the browser's figures of two moments.

export type Sent = { atMs: number; bytes: number; packets: number; lost: number; frames: number; width: number; height: number; roundTripSeconds: number };

export type Going = { bitsPerSecond: number; fps: number; width: number; height: number; lostShare: number; roundTripSeconds: number };

export function goingOf(before: Sent | undefined, now: Sent): Going {
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000;
  const more = (one: "bytes" | "packets" | "lost" | "frames") => (before === undefined ? 0 : Math.max(0, now[one] - before[one]));
  const share = more("lost") / Math.max(1, more("packets") + more("lost"));
  return {
    bitsPerSecond: seconds > 0 ? (8 * more("bytes")) / seconds : 0,
    fps: seconds > 0 ? more("frames") / seconds : 0,
    width: now.width,
    height: now.height,
    lostShare: Math.min(1, share),
    roundTripSeconds: now.roundTripSeconds,
  };
}

/** The last values as heights of a line, 0 to 1. */
export function heights(values: readonly number[]): number[] {
  const most = Math.max(1, ...values);
  return values.map((value) => Math.max(0, value) / most);
}
