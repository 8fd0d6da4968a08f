// Puts a page into its document, and draws it anew when the language or the theme changes.

import { type ComponentType, render } from "preact";
import { begin, onChange } from "./preferences.ts";

export async function mount(Page: ComponentType): Promise<void> {
  const place = document.getElementById("app");
  if (place === null) throw new Error("the document has no place for the page");
  await begin();
  const draw = () => render(<Page />, place);
  onChange(draw);
  draw();
}
