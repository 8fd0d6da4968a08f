// Asks the server again and again, as long as the page is seen.

import { useEffect, useState } from "preact/hooks";

export type Polled<Answer> = {
  /** What it answered last; none before it did. */
  answer: Answer | undefined;
  /** What went wrong the last time. */
  error: unknown;
};

/** What `question` answers as long as that is wanted, asked every `everyMs` while the page is seen, and at once when it is seen again. */
export function usePolling<Answer>(question: () => Promise<Answer>, everyMs: number, key: string, wanted = true): Polled<Answer> {
  const [polled, setPolled] = useState<Polled<Answer>>({ answer: undefined, error: undefined });
  useEffect(() => {
    if (!wanted) return;
    let timer: number | undefined;
    let over = false;
    let asking = false;
    const ask = async () => {
      window.clearTimeout(timer);
      if (document.hidden || over || asking) return;
      asking = true;
      try {
        const answer = await question();
        if (!over) setPolled({ answer, error: undefined });
      } catch (error) {
        if (!over) setPolled((before) => ({ ...before, error }));
      }
      asking = false;
      if (!over) timer = window.setTimeout(ask, everyMs);
    };
    const seen = () => void ask();
    document.addEventListener("visibilitychange", seen);
    void ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, wanted]);
  return polled;
}
