// Where the chat is: beside the picture, below it, over it, or away.

import { useEffect, useState } from "preact/hooks";

/** A phone that is held across: the picture alone, the chat over it if asked for. */
const ACROSS = "(max-height: 500px) and (orientation: landscape)";
const NARROW = "(max-width: 900px)";

export type Layout = { across: boolean; narrow: boolean };

export function useLayout(): Layout {
  const read = () => ({ across: matchMedia(ACROSS).matches, narrow: matchMedia(NARROW).matches });
  const [layout, setLayout] = useState(read);
  useEffect(() => {
    const queries = [matchMedia(ACROSS), matchMedia(NARROW)];
    const look = () => setLayout(read());
    for (const one of queries) one.addEventListener("change", look);
    return () => queries.forEach((one) => one.removeEventListener("change", look));
  }, []);
  return layout;
}

/** Keeps the page as high as what a keyboard on the screen leaves of it. */
export function useVisibleHeight(): void {
  useEffect(() => {
    const seen = window.visualViewport;
    if (seen === null) return;
    const look = () => document.documentElement.style.setProperty("--visible", `${Math.round(seen.height)}px`);
    look();
    seen.addEventListener("resize", look);
    return () => seen.removeEventListener("resize", look);
  }, []);
}
