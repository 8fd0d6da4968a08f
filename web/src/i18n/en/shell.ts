// What stands on every page.

import { counted } from "../../rules/plural.ts";
import type { Span } from "../../rules/span.ts";

const n = (count: number, one: string, other: string) => counted("en", count, { one, other });

export const shell = {
  toContent: "Skip to the content",
  live: "Live",
  goLive: "Go live",
  console: "Console",
  sites: "Pages",
  language: "Language",
  themeSystem: "Theme: as the system",
  themeLight: "Theme: light",
  themeDark: "Theme: dark",
  copy: "Copy",
  copied: "Copied",
  second: "s",
  viewers: (count: number) => n(count, "viewer", "viewers"),
  /** How long something has lasted. */
  lasting: ({ days, hours, minutes }: Span) => {
    if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
    if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
    return `${Math.max(1, minutes)} min`;
  },
  unreachable: "The server does not answer. We keep trying.",
  failed: "That did not work.",
};
