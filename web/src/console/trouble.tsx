// What the server did not do, said where it was asked.

import { useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { shellWords } from "../i18n/words.ts";

/** The server's own words; those of a field come behind its name. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof ApiError)) return shellWords().failed;
  if (error.status === 0) return shellWords().unreachable;
  const fields = error.fields.map(({ field, why }) => `${field}: ${why}`);
  return fields.length > 0 ? fields.join("; ") : error.message || shellWords().failed;
}

export function Trouble({ words }: { words: string | undefined }) {
  return words === undefined ? null : <p class="alert" role="alert" dir="auto">{words}</p>;
}

/** Does something that may fail; whether it is being done, and why it failed the last time. */
export function useDoing(): { busy: boolean; trouble: string | undefined; doing(work: () => Promise<unknown>): Promise<void> } {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const doing = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(undefined);
    try {
      await work();
    } catch (error) {
      setTrouble(wordsOf(error));
    }
    setBusy(false);
  };
  return { busy, trouble, doing };
}
