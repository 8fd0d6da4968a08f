// Figures of what is played, for whoever looks for a fault.

import { useEffect, useState } from "preact/hooks";
import { watchWords } from "../i18n/words.ts";
import { delayText } from "../rules/renditions.ts";
import { languageNow } from "../shell/preferences.ts";
import type { Played } from "./playing.ts";

const EVERY_MS = 1000;

export function Statistics({ played }: { played: Played }) {
  const w = watchWords();
  const fps = useFrameRate(played.video);
  const { video, way, current, delaySeconds, player } = played;
  const language = languageNow();
  const quality = video?.getVideoPlaybackQuality();
  const roundTrip = player?.roundTripSeconds;
  const rows: [string, string][] = [
    [w.protocol, way.transport === "webrtc" ? "WebRTC" : "HLS"],
    [w.rendition, [current, video !== undefined && video.videoWidth > 0 ? `${video.videoWidth}×${video.videoHeight}` : ""].filter(Boolean).join(", ")],
    [w.frames, fps === undefined ? "" : fps.toLocaleString(language, { maximumFractionDigits: 0 })],
    [w.dropped, quality === undefined ? "" : w.dropsOf(quality.droppedVideoFrames, quality.totalVideoFrames)],
    [w.buffer, delayText(aheadOf(video), language, w.seconds)],
    [w.delay, delayText(delaySeconds, language, w.seconds)],
    [w.roundTrip, roundTrip === undefined ? "" : `${Math.round(roundTrip * 1000)} ms`],
  ];
  return (
    <dl class="statistics" id="statistics">
      {rows.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value === "" ? w.unknown : value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Frames shown in the last second. */
function useFrameRate(video: HTMLVideoElement | undefined): number | undefined {
  const [fps, setFps] = useState<number>();
  useEffect(() => {
    let before = video?.getVideoPlaybackQuality();
    const timer = window.setInterval(() => {
      const now = video?.getVideoPlaybackQuality();
      if (now !== undefined && before !== undefined && now.creationTime > before.creationTime) {
        const frames = now.totalVideoFrames - before.totalVideoFrames;
        setFps((1000 * Math.max(0, frames)) / (now.creationTime - before.creationTime));
      }
      before = now;
    }, EVERY_MS);
    return () => window.clearInterval(timer);
  }, [video]);
  return fps;
}

function aheadOf(video: HTMLVideoElement | undefined): number | undefined {
  if (video === undefined || video.srcObject !== null || video.buffered.length === 0) return undefined;
  return video.buffered.end(video.buffered.length - 1) - video.currentTime;
}
