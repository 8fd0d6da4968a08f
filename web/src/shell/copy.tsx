// A button that copies a text, and says that it did.

import { useEffect, useState } from "preact/hooks";
import { shellWords } from "../i18n/words.ts";
import { Icon } from "./icons.tsx";

/** The word on the button goes back after so long, milliseconds. */
const SHOWN_MS = 1800;

export function Copy({ text, label, small }: { text: string; label?: string; small?: boolean }) {
  const [copied, setCopied] = useState(false);
  const w = shellWords();
  useEffect(() => {
    if (!copied) return;
    const timer = window.setTimeout(() => setCopied(false), SHOWN_MS);
    return () => window.clearTimeout(timer);
  }, [copied]);
  const word = copied ? w.copied : (label ?? w.copy);
  return (
    <button type="button" class={small ? "round" : "button"} title={small ? word : undefined} aria-label={small ? `${word}: ${text}` : undefined} onClick={() => void copy(text).then(setCopied)}>
      <Icon name={copied ? "done" : "copy"} />
      {!small && <span aria-live="polite">{word}</span>}
    </button>
  );
}

/** Whether it is in the clipboard now. Pages without https have no clipboard of their own, so it is done as of old there. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    const before = document.activeElement;
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}
