// How loud the microphone is, as a bar and in words.

import { useEffect, useRef, useState } from "preact/hooks";
import { studioWords } from "../i18n/words.ts";
import { clips, decibels, type Loudness, LoudnessWatch } from "../rules/loudness.ts";

const EVERY_MS = 60;
/** The bar begins here, in decibels. */
const LEAST_DB = -60;

export function Meter({ track }: { track: MediaStreamTrack | undefined }) {
  const w = studioWords();
  const bar = useRef<HTMLSpanElement>(null);
  const [told, setTold] = useState<{ db: number; loudness: Loudness }>({ db: -100, loudness: "good" });
  useEffect(() => {
    if (track === undefined) return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const watch = new LoudnessWatch();
    let shown = { loudness: "good" as Loudness, atMs: 0 };
    /** The loudest since a figure was shown. */
    let loudest = -100;
    const timer = window.setInterval(() => {
      if (context.state === "suspended") void context.resume();
      analyser.getFloatTimeDomainData(samples);
      const [now, db] = [performance.now(), track.enabled ? decibels(samples) : -100];
      const loudness = track.enabled ? watch.heard(now, db, clips(samples)) : "good";
      bar.current?.style.setProperty("--level", String(Math.min(1, Math.max(0, 1 - db / LEAST_DB))));
      loudest = Math.max(loudest, db);
      if (loudness === shown.loudness && now - shown.atMs < 500) return;
      shown = { loudness, atMs: now };
      setTold({ db: Math.round(loudest), loudness });
      loudest = -100;
    }, EVERY_MS);
    return () => {
      window.clearInterval(timer);
      void context.close();
    };
  }, [track]);
  const words = { silent: w.silent, quiet: w.tooQuiet, good: "", clipping: w.clipping }[told.loudness];
  const db = Math.max(LEAST_DB, told.db);
  return (
    <div class="meter-place">
      <div class="meter" role="meter" aria-label={w.level} aria-valuemin={LEAST_DB} aria-valuemax={0} aria-valuenow={db} aria-valuetext={`${db} dB`} data-loudness={told.loudness}>
        <span ref={bar} />
      </div>
      <span class="db" aria-hidden="true">{track === undefined ? "" : `${db} dB`}</span>
      <p class="loudness" role="status">{track === undefined ? w.noMicrophone : words}</p>
    </div>
  );
}
