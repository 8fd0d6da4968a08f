// The theme of the pages: that of the system unless another one was chosen.

export type Theme = "system" | "light" | "dark";

const ORDER: readonly Theme[] = ["system", "light", "dark"];

export function themeOf(chosen: string | null): Theme {
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

/** What a press on the switch makes of it. */
export function themeAfter(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length] ?? "system";
}
