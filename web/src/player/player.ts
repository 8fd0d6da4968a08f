// What the page needs of whatever plays.

import type { Facts } from "../rules/state.ts";

export type Rendition = { index: number; width: number; height: number; bitsPerSecond: number };

export interface Player {
  /** What there is to tell of. */
  look(): Facts;
  /** How far what is seen lies behind the server, seconds. */
  delaySeconds(): number | undefined;
  /** The renditions; none where the browser chooses by itself. */
  renditions(): Rendition[];
  /** The rendition that is loaded, or -1. */
  readonly current: number;
  /** The rendition that the viewer chose, if they did. */
  readonly fixed: number | undefined;
  /** Loads this rendition, or with none whichever fits best. */
  choose(index: number | undefined): void;
  destroy(): void;
}
