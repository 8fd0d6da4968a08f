// What stands below the picture: title, state, how many watch, and ways to take it elsewhere.

import { useState } from "preact/hooks";
import type { ShownStream } from "../api.ts";
import { serverNow } from "../api.ts";
import { shellWords, watchWords } from "../i18n/words.ts";
import { noteOf } from "../rules/note.ts";
import { spanOf } from "../rules/span.ts";
import type { Played } from "../screen/playing.ts";
import { Copy } from "../shell/copy.tsx";
import { later } from "../shell/later.tsx";

const Statistics = later(() => import("../screen/statistics.tsx").then((part) => part.Statistics));

export function About({ name, title, list, stream, played, onKeys }: { name: string; title: string; list: string; stream: ShownStream | undefined; played: Played; onKeys(): void }) {
  const [w, shell] = [watchWords(), shellWords()];
  const [figures, setFigures] = useState(false);
  const { state } = played;
  const note = noteOf(state, played.way, w);
  const hls = new URL(list, location.href).href;
  const begun = Date.parse(stream?.live_at ?? "");
  const live = stream?.state === "live";
  return (
    <section class="about" id="about">
      <header>
        <h1 dir="auto">{title}</h1>
        <p class="facts">
          <span class="badge" id="badge" data-state={state}><i aria-hidden="true" /><span id="badge-word">{state === "playing" ? w.live : w[`${state}Short`]}</span></span>
          {live && !Number.isNaN(begun) && <span id="since">{w.since(shell.lasting(spanOf(begun, serverNow())))}</span>}
          {live && <span id="viewers">{shell.viewers(stream.viewers)}</span>}
        </p>
      </header>
      {stream?.description !== undefined && stream.description !== "" && <p class="description" dir="auto">{stream.description}</p>}
      <p class="note" id="note" role="note" title={note.more}>{note.text}</p>
      <div class="acts">
        {stream !== undefined && <Copy text={stream.rtsp_url} label={w.copyRtsp} />}
        <Copy text={hls} label={w.copyHls} />
        <Copy text={embedOf(name, title)} label={w.copyEmbed} />
        <a class="button" id="vlc" download={`${name.replace(/\W+/g, "_")}.m3u`} href={`data:audio/x-mpegurl;charset=utf-8,${encodeURIComponent(`#EXTM3U\n${hls}\n`)}`}>{w.openInVlc}</a>
        <button type="button" class="button" id="figures" aria-expanded={figures} aria-controls="statistics" onClick={() => setFigures(!figures)}>{w.statistics}</button>
        <button type="button" class="button keys-button" onClick={onKeys}>{w.keys}</button>
      </div>
      {figures && <Statistics played={played} />}
    </section>
  );
}

/** What another page puts into itself to show the stream. */
function embedOf(name: string, title: string): string {
  const escaped = title.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
  const address = new URL(`/embed/${name}`, location.href).href;
  return `<iframe src="${address}" width="560" height="315" allow="autoplay; fullscreen; picture-in-picture" loading="lazy" style="border:0" title="${escaped}"></iframe>`;
}
