// What stands on every page.

import { counted } from "../../rules/plural.ts";

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
  unreachable: "The server does not answer. We keep trying.",
  failed: "That did not work.",
};
