// What the page needs of whatever plays.

import type { Rendition } from "../rules/multivariant.ts";
import type { Facts } from "../rules/state.ts";

export type { Rendition };

export interface Player {
  /** What there is to tell of. */
  look(): Facts;
  /** How far what is seen lies behind the server, seconds. */
  delaySeconds(): number | undefined;
  /** The renditions; none where the browser chooses by itself. */
  renditions(): readonly Rendition[];
  /** The label of the rendition that is loaded, if that is known. */
  readonly current: string | undefined;
  /** The label of the one that the viewer chose, if they did. */
  readonly fixed: string | undefined;
  /** Loads the rendition with this label, or with none whichever fits best. */
  choose(label: string | undefined): void;
  destroy(): void;
}

/** One that can show what is over. */
export interface RewindingPlayer extends Player {
  /** How far the viewer went back, seconds; 0 if not. */
  readonly behindSeconds: number;
  /** Shows what was so many seconds ago, and goes on from there. */
  goBack(seconds: number): void;
  toLive(): void;
}
