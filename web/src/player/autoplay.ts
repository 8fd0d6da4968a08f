// Begins to play by itself.

/** Plays, without audio where the browser wants a gesture first. */
export function autoplay(video: HTMLVideoElement): void {
  video.play().catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "NotAllowedError" && !video.muted) {
      video.muted = true;
      video.play().catch(() => undefined);
    }
  });
}
