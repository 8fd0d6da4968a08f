// The menu of renditions.

import { element } from "./controls.ts";
import type { Player, Rendition } from "./player/player.ts";
import type { Words } from "./words.ts";

export class QualityMenu {
  private readonly place = element("quality-place", HTMLElement);
  private readonly button = element("quality", HTMLButtonElement);
  private readonly word = element("quality-word", HTMLElement);
  private readonly menu = element("qualities", HTMLElement);
  private shown = "";

  constructor(
    private readonly player: Player,
    private readonly words: Words,
  ) {
    this.button.setAttribute("aria-label", words.quality);
    this.button.title = words.quality;
    this.button.addEventListener("click", () => this.toggle(!this.open));
    this.menu.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("pointerdown", (event) => {
      if (this.open && event.target instanceof Node && !this.place.contains(event.target)) this.toggle(false);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.open) this.toggle(false, true);
    });
  }

  get open(): boolean {
    return !this.menu.hidden;
  }

  /** Shows what there is to choose, if it is another than before. */
  update(): void {
    const renditions = this.player.renditions();
    const { current, fixed } = this.player;
    const key = JSON.stringify([renditions, current, fixed ?? null]);
    if (key === this.shown) return;
    this.shown = key;
    this.place.hidden = renditions.length < 2;
    const playing = renditions.find((rendition) => rendition.label === current);
    const name = playing === undefined ? "" : nameOf(playing);
    this.word.textContent = fixed === undefined ? [this.words.automatic, name].filter(Boolean).join(" · ") : name;
    const focused = [...this.menu.children].indexOf(document.activeElement as Element);
    const ordered = [...renditions].sort((a, b) => b.height - a.height || b.bitsPerSecond - a.bitsPerSecond);
    this.menu.replaceChildren(
      this.entry(this.words.automatic, "", undefined, fixed === undefined),
      ...ordered.map((r) => this.entry(nameOf(r), rateOf(r), r.label, fixed === r.label)),
    );
    if (focused >= 0) (this.menu.children[focused] as HTMLElement | undefined)?.focus();
  }

  private entry(name: string, more: string, label: string | undefined, chosen: boolean): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "menuitemradio");
    button.setAttribute("aria-checked", String(chosen));
    button.tabIndex = -1;
    const word = document.createElement("span");
    word.textContent = name;
    const small = document.createElement("small");
    small.textContent = more;
    button.append(word, small);
    button.addEventListener("click", () => {
      this.player.choose(label);
      this.update();
      this.toggle(false, true);
    });
    return button;
  }

  private toggle(open: boolean, back = false): void {
    this.menu.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.menu.querySelector<HTMLElement>('[aria-checked="true"]')?.focus();
    else if (back) this.button.focus();
  }

  private key(event: KeyboardEvent): void {
    const entries = [...this.menu.children] as HTMLElement[];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (event.key === "Tab") this.toggle(false);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    entries[(next + entries.length) % entries.length]?.focus();
  }
}

function nameOf(rendition: Rendition): string {
  return rendition.height > 0 ? `${Math.min(rendition.height, rendition.width || Infinity)}p` : rateOf(rendition);
}

function rateOf(rendition: Rendition): string {
  const megabits = rendition.bitsPerSecond / 1e6;
  return `${megabits.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 })} Mb/s`;
}
