// Which rendition to load. hls.js changes in the middle of a segment, which tears a hole into the video until the next
// keyframe; so the page decides, and only where a segment begins.

export type Level = { bitsPerSecond: number; height: number };

export type Situation = {
  /** The renditions in the order of the menu's indices. */
  levels: readonly Level[];
  /** The index of the one that is loaded; -1 before any is. */
  current: number;
  /** What the network was seen to give, bits a second. */
  estimate: number;
  /** Height of the player in the pixels of the screen. */
  height: number;
  /** Seconds since next to nothing was buffered; without end if that has not happened. */
  troubledSeconds: number;
  /** Seconds since playback began. */
  playedSeconds: number;
};

/** What of the measured rate a rendition may take: to stay with it, and to be changed to. */
const STAY = 0.9;
const RISE = 0.65;
/** How long playback must have been steady before a better rendition is tried, seconds. */
const STEADY = 10;
/** So soon after trouble a cheaper one is due, seconds: at once, and where the measured rate says so. */
const DRY = 1;
const TROUBLED = 4;

/** The index of the rendition to load. */
export function chooseLevel(now: Situation): number {
  const { levels, current, estimate } = now;
  if (levels.length === 0) return -1;
  const best = largestWanted(levels, now.height);
  const affordable = (share: number) => {
    const candidates = byRate(levels).filter((index) => rate(levels, index) <= rate(levels, best));
    return candidates.filter((index) => rate(levels, index) <= estimate * share).at(-1) ?? candidates[0] ?? best;
  };
  if (current < 0 || current >= levels.length) return affordable(STAY);
  if (rate(levels, current) > rate(levels, best)) return affordable(STAY);
  if (now.troubledSeconds < TROUBLED && rate(levels, current) > estimate * STAY) return affordable(STAY);
  if (now.troubledSeconds < DRY) return below(levels, current);
  const better = affordable(RISE);
  const steady = Math.min(now.troubledSeconds, now.playedSeconds) >= STEADY;
  return steady && rate(levels, better) > rate(levels, current) ? better : current;
}

/** The smallest rendition that fills the player, or the largest there is. */
function largestWanted(levels: readonly Level[], height: number): number {
  const bySize = [...levels.keys()].sort(
    (a, b) => (levels[a]?.height ?? 0) - (levels[b]?.height ?? 0) || rate(levels, a) - rate(levels, b),
  );
  return bySize.find((index) => (levels[index]?.height ?? 0) >= height * 0.9) ?? bySize.at(-1) ?? 0;
}

function below(levels: readonly Level[], current: number): number {
  const ordered = byRate(levels);
  return ordered[Math.max(0, ordered.indexOf(current) - 1)] ?? current;
}

function byRate(levels: readonly Level[]): number[] {
  return [...levels.keys()].sort((a, b) => rate(levels, a) - rate(levels, b));
}

function rate(levels: readonly Level[], index: number): number {
  return levels[index]?.bitsPerSecond ?? 0;
}
