// How fast to play, so that what is seen stays as close behind the server as the network allows. hls.js corrects nothing
// while less than a second is buffered, which is always so with parts of 100 ms.

/** How many parts may lie ahead of the playhead. */
const PARTS_AHEAD = 2.5;
/** What may lie ahead beyond that before playback is hastened, seconds. */
const TOLERANCE = 0.08;
const FASTEST = 1.25;
const SLOWEST = 0.95;
/** Further behind than this a jump is less noticed than a long haste, seconds. */
const JUMP = 1;

export type Pace = { rate: number } | { seekTo: number };

/** How many seconds shall lie ahead of the playhead. */
export function wantedAhead(partSeconds: number): number {
  return PARTS_AHEAD * partSeconds;
}

/** What to do with `playhead` while media are buffered up to `bufferedTo`, and `wanted` seconds shall lie ahead. */
export function catchUp(playhead: number, bufferedTo: number, wanted: number): Pace {
  const ahead = bufferedTo - playhead;
  if (ahead > wanted + JUMP) return { seekTo: bufferedTo - wanted };
  if (ahead > wanted + TOLERANCE) return { rate: Math.min(FASTEST, 1 + 0.6 * (ahead - wanted)) };
  if (ahead < wanted / 2) return { rate: SLOWEST };
  return { rate: 1 };
}
