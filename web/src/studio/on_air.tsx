// While it is sent: what viewers see, how it goes out, what the server has of it, and the chat.

import { useEffect, useState } from "preact/hooks";
import { stream as askStream } from "../api.ts";
import { shellWords, studioWords } from "../i18n/words.ts";
import { rateOf } from "../rules/renditions.ts";
import { clockOf } from "../rules/span.ts";
import { Copy } from "../shell/copy.tsx";
import { Icon } from "../shell/icons.tsx";
import { later } from "../shell/later.tsx";
import { usePolling } from "../shell/polling.ts";
import { languageNow } from "../shell/preferences.ts";
import type { OnAir } from "./broadcast.ts";
import { StudioIcon } from "./icons.tsx";
import { Line } from "./line.tsx";
import { Meter } from "./meter.tsx";
import { Preview } from "./preview.tsx";
import type { Source, What as Wanted } from "./source.ts";
import { What } from "./sources.tsx";

const EVERY_MS = 3000;
const ChatPanel = later(() => import("../chat/chat.tsx").then((part) => part.ChatPanel));

export type OnAirProps = {
  source: Source;
  version: number;
  onAir: OnAir;
  owner: string | undefined;
  trouble: string | undefined;
  onTake(what: Wanted): void;
  onMuted(): void;
  onStop(): void;
};

export function OnAirView({ source, version, onAir, owner, trouble, onTake, onMuted, onStop }: OnAirProps) {
  const [w, shell] = [studioWords(), shellWords()];
  const name = onAir.name ?? "";
  const { answer: there } = usePolling(() => askStream(name, owner), EVERY_MS, `${name} ${onAir.state}`, name !== "" && onAir.state === "live");
  const link = new URL(`/watch/${name}`, location.href).href;
  const word = { connecting: w.starting, live: w.live, returning: w.returning, refused: w.ended }[onAir.state];
  const toggle = (track: MediaStreamTrack | undefined) => {
    if (track === undefined) return;
    track.enabled = !track.enabled;
    onMuted();
  };
  const [audio, video] = [source.audio, source.video];
  return (
    <main id="main" class="on-air" tabIndex={-1}>
      <div class="left">
        <div class="state">
          <span class="badge" id="state" role="status" data-state={onAir.state}><i aria-hidden="true" />{word}</span>
          {onAir.sinceMs !== undefined && <Clock sinceMs={onAir.sinceMs} />}
          {there !== undefined && <span id="viewers">{shell.viewers(there.viewers)}</span>}
          <Copy text={link} label={w.copyLink} />
        </div>
        <h1 dir="auto">{there?.name ?? w.title}</h1>
        {trouble !== undefined && <p class="alert" role="alert">{trouble}</p>}
        <Preview source={source} version={version}>
          {audio?.enabled === false && <span class="badge muted">{w.muted}</span>}
        </Preview>
        <Meter track={audio} />
        <div class="buttons">
          <button type="button" class="button" id="mute" aria-pressed={audio?.enabled === false} disabled={audio === undefined} onClick={() => toggle(audio)}><StudioIcon name="mic" />{audio?.enabled === false ? w.unmute : w.mute}</button>
          <button type="button" class="button" id="hide" aria-pressed={video?.enabled === false} disabled={video === undefined} onClick={() => toggle(video)}><Icon name="eye" />{video?.enabled === false ? w.cameraOn : w.cameraOff}</button>
          <button type="button" class="button danger" id="stop" onClick={onStop}>{w.stop}</button>
        </div>
        <What now={source.what} onTake={onTake} />
        <Figures onAir={onAir} />
        <div class="far">
          <h2>{w.server}</h2>
          <p id="renditions">
            {there === undefined || there.renditions.length === 0
              ? w.notYet
              : there.renditions.map((one) => `${one.label === "original" ? w.original : one.label} ${rateOf(one.bitrate, languageNow())}`).join(" · ")}
          </p>
        </div>
      </div>
      {name !== "" && onAir.sinceMs !== undefined && <ChatPanel id={name} bearer={owner} />}
    </main>
  );
}

function Clock({ sinceMs }: { sinceMs: number }) {
  const [, draw] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => draw((n) => n + 1), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return <span class="clock">{clockOf(performance.now() - sinceMs)}</span>;
}

function Figures({ onAir }: { onAir: OnAir }) {
  const w = studioWords();
  const language = languageNow();
  const { going, last } = onAir;
  const figure = (value: number, digits = 0) => value.toLocaleString(language, { maximumFractionDigits: digits });
  const rows: [string, string][] = [
    [w.out, going === undefined ? "" : rateOf(going.bitsPerSecond, language)],
    [w.size, going === undefined || going.width === 0 ? "" : `${going.width}×${going.height}`],
    [w.frames, going === undefined ? "" : figure(going.fps)],
    [w.lost, going === undefined ? "" : `${figure(100 * going.lostShare, 1)} %`],
    [w.roundTrip, going === undefined ? "" : `${figure(1000 * going.roundTripSeconds)} ms`],
  ];
  return (
    <div class="figures">
      <dl id="figures">
        {rows.map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value === "" ? "–" : value}</dd>
          </div>
        ))}
      </dl>
      <Line values={last} label={w.lastMinute} />
    </div>
  );
}
