// What the system shows of a stream, and its media keys.

import type { Remote } from "./remote.ts";

export function tellSystem(title: string, remote: Remote | undefined): void {
  const session = (navigator as { mediaSession?: MediaSession }).mediaSession;
  if (session === undefined) return;
  session.metadata = new MediaMetadata({ title, artist: "msconv" });
  const acts: [MediaSessionAction, () => void][] = [
    ["play", () => void remote?.video.play().catch(() => undefined)],
    ["pause", () => remote?.video.pause()],
  ];
  for (const [name, act] of acts) {
    try {
      session.setActionHandler(name, act);
    } catch {
      // The browser does not know it.
    }
  }
}
