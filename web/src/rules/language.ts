// In which language a page speaks.

export type Language = "en" | "ru";

/** The one that was chosen, else the first of the wanted ones that we speak. */
export function languageOf(chosen: string | null, wanted: readonly string[]): Language {
  if (chosen === "en" || chosen === "ru") return chosen;
  for (const tag of wanted) {
    const first = tag.toLowerCase().split("-")[0];
    if (first === "ru" || first === "en") return first;
  }
  return "en";
}
