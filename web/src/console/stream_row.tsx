// One stream in the table, with what is done most.

import { consoleWords } from "../i18n/words.ts";
import { bitrate } from "../rules/amount.ts";
import { Icon } from "../shell/icons.tsx";
import { languageNow } from "../shell/preferences.ts";
import type { StreamLoad } from "./load_requests.ts";
import { type SourceState, type Stream, startSource, stopSource } from "./requests.ts";
import { wordsOf } from "./trouble.tsx";

type Props = {
  stream: Stream;
  load: StreamLoad | undefined;
  onOpen(): void;
  onChanged(): void;
  onTrouble(words: string | undefined): void;
};

export function StreamRow({ stream, load, onOpen, onChanged, onTrouble }: Props) {
  const w = consoleWords();
  const tag = languageNow();
  const live = stream.state === "live";
  const { source } = stream;
  const on = source !== undefined && !["off", "failed"].includes(source.state);
  const turn = () => {
    onTrouble(undefined);
    (on ? stopSource : startSource)(stream.public_id).then(onChanged, (error: unknown) => onTrouble(wordsOf(error)));
  };
  const from = stream.registered ? (source === undefined ? w.byKey : source.from || w.sourceNames[source.type]) : w.open;
  return (
    <tr>
      <th scope="row">
        <a href={`/watch/${encodeURIComponent(stream.slug)}`} dir="auto">{stream.name}</a>
        <small dir="auto">{source?.type === "test" ? w.sourceNames.test : from}</small>
      </th>
      <td data-label={w.state}><StateOf stream={stream} /></td>
      <td data-label={w.renditions}>{live ? stream.renditions.map((one) => one.label).join(" ") : "–"}</td>
      <td data-label={w.in} class="number">{live && load !== undefined ? bitrate(tag, load.in_bps) : "–"}</td>
      <td data-label={w.out} class="number">{live && load !== undefined ? bitrate(tag, load.out_bps) : "–"}</td>
      <td data-label={w.watching} class="number">{live ? stream.viewers.toLocaleString(tag) : "–"}</td>
      <td class="actions">
        {source !== undefined && (
          <button type="button" class="button" aria-label={`${on ? w.stop : w.start}: ${stream.name}`} onClick={turn}>{on ? w.stop : w.start}</button>
        )}
        <button type="button" class="round" aria-label={w.detailsOf(stream.name)} title={w.details} onClick={onOpen}><Icon name="more" /></button>
      </td>
    </tr>
  );
}

function StateOf({ stream }: { stream: Stream }) {
  const w = consoleWords();
  const state: SourceState | Stream["state"] = stream.state === "live" || stream.source === undefined || stream.source.state === "off" ? stream.state : stream.source.state;
  return (
    <>
      <span class="badge" data-state={state}><i aria-hidden="true" />{w.states[state]}</span>
      {stream.source?.why !== undefined && state !== "live" && <small class="why" dir="auto">{stream.source.why}</small>}
    </>
  );
}
