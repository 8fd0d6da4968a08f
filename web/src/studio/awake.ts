// While somebody is live: the screen stays on, and closing the page is asked about.

import { useEffect } from "preact/hooks";

export function useAwake(live: boolean): void {
  useEffect(() => {
    if (!live) return;
    let lock: WakeLockSentinel | undefined;
    const hold = () => {
      if (document.hidden) return;
      void (navigator as { wakeLock?: WakeLock }).wakeLock?.request("screen").then((one) => (lock = one), () => undefined);
    };
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    hold();
    document.addEventListener("visibilitychange", hold);
    window.addEventListener("beforeunload", ask);
    return () => {
      document.removeEventListener("visibilitychange", hold);
      window.removeEventListener("beforeunload", ask);
      void lock?.release().catch(() => undefined);
    };
  }, [live]);
}
