// What is captured, as it is sent; a camera as in a mirror.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { studioWords } from "../i18n/words.ts";
import type { Source } from "./source.ts";

export function Preview({ source, version, children }: { source: Source; version: number; children?: ComponentChildren }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const { current } = video;
    if (current === null) return;
    // Taken anew, since browsers do not show tracks that came later.
    current.srcObject = source.video === undefined ? null : new MediaStream([source.video]);
    void current.play().catch(() => undefined);
  }, [version]);
  return (
    <div class="preview" data-mirrored={String(source.what === "camera")}>
      <video id="preview" ref={video} muted playsInline aria-label={studioWords().preview} hidden={source.video === undefined} />
      {children}
    </div>
  );
}
