// How far back a viewer may go, and where that leads.

/** Less is no window, seconds: nobody goes back in it. */
const LEAST_SECONDS = 60;
/** Nearer to what is live than this is live, seconds. */
const LIVE_SECONDS = 4;
/** The oldest of it is gone before it is loaded, seconds. */
const MARGIN_SECONDS = 6;
/** It is asked for so often, seconds. */
const EVERY_SECONDS = 60;

/** How much a media playlist lists, seconds. */
export function listedSeconds(playlist: string): number {
  let sum = 0;
  let gap = false;
  for (const line of playlist.split("\n")) {
    if (line.startsWith("#EXT-X-GAP")) gap = true;
    else if (line.startsWith("#EXTINF:")) sum += Number.parseFloat(line.slice(8)) || 0;
    else if (gap && !line.startsWith("#")) [sum, gap] = [0, false];
  }
  return sum;
}

/** The first playlist that a multivariant playlist at `base` names. */
export function firstPlaylist(multivariant: string, base: string): string | undefined {
  const line = multivariant.split(/\r?\n/).find((one) => one !== "" && !one.startsWith("#"));
  return line === undefined ? undefined : new URL(line, base).href;
}

/** Whether a window of `seconds` is worth a bar. */
export const isWindow = (seconds: number): boolean => seconds >= LEAST_SECONDS;

/** A window that grows until it is as long as the server keeps it. */
export class Window {
  private known = 0;
  private heardMs = 0;

  constructor(private readonly most: number) {}

  heard(seconds: number, nowMs: number): void {
    this.known = seconds;
    this.heardMs = nowMs;
  }

  /** Its length, seconds; 0 while it is none. */
  at(nowMs: number): number {
    if (this.known === 0) return 0;
    const seconds = Math.min(this.most, this.known + (nowMs - this.heardMs) / 1000);
    return isWindow(seconds) ? seconds : 0;
  }

  /** When to ask for it again, seconds. */
  get againSeconds(): number {
    const missing = LEAST_SECONDS - this.known;
    return missing > 0 ? Math.max(5, missing) : EVERY_SECONDS;
  }
}

/** Where one comes to who wants to see what was `behind` seconds ago in a window of `seconds`; 0 is live. */
export function placeOf(behind: number, seconds: number): number {
  if (!(behind >= LIVE_SECONDS)) return 0;
  return Math.min(behind, Math.max(0, seconds - MARGIN_SECONDS));
}

/** How far a key goes on the bar; none if it is no key of it. `seconds`: the window. */
export function stepOf(key: string, behind: number, seconds: number): number | undefined {
  const places: Record<string, number> = {
    ArrowLeft: behind + 5,
    ArrowDown: behind + 5,
    ArrowRight: behind - 5,
    ArrowUp: behind - 5,
    PageDown: behind + 60,
    PageUp: behind - 60,
    Home: seconds,
    End: 0,
  };
  return places[key];
}
