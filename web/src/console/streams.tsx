// All streams: what is live, what is registered, and what the server publishes itself.

import { useEffect, useState } from "preact/hooks";
import { consoleWords, shellWords } from "../i18n/words.ts";
import { Later } from "./removal.ts";
import { Details } from "./details.tsx";
import { NewStream } from "./new_stream.tsx";
import { load } from "./load_requests.ts";
import { removeStream, type Stream, streams } from "./requests.ts";
import { StreamRow } from "./stream_row.tsx";
import { Trouble, wordsOf } from "./trouble.tsx";
import { usePolling } from "../shell/polling.ts";

const EVERY_MS = 2000;

export function StreamsPage() {
  const w = consoleWords();
  const [asked, setAsked] = useState(0);
  const { answer, error } = usePolling(streams, EVERY_MS, `streams ${asked}`);
  const { answer: now } = usePolling(load, EVERY_MS, "load of streams");
  const [open, setOpen] = useState<string>();
  const [adding, setAdding] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const [removing, setRemoving] = useState<Later>();
  useEffect(() => () => removing?.now(), [removing]);
  const again = () => setAsked((n) => n + 1);
  const remove = (stream: Stream) => {
    setOpen(undefined);
    setRemoving(new Later(stream.public_id, stream.name, () => removeStream(stream.public_id), (failed) => {
      setRemoving(undefined);
      if (failed !== undefined) setTrouble(wordsOf(failed));
      again();
    }));
  };
  const shown = (answer ?? []).filter((one) => one.public_id !== removing?.id).sort(byState);
  const chosen = shown.find((one) => one.public_id === open);
  return (
    <>
      <div class="heading">
        <h1>{w.streams} {answer !== undefined && <span class="count">{shown.length}</span>}</h1>
        <button type="button" class="button primary" id="new-stream" onClick={() => setAdding(true)}>{w.newStream}</button>
      </div>
      <Trouble words={trouble ?? (error === undefined ? undefined : wordsOf(error))} />
      {removing !== undefined && (
        <p class="alert undo" role="status">
          <span dir="auto">{w.removed(removing.name)}</span>
          <button type="button" class="button" onClick={() => (removing.undo(), setRemoving(undefined))}>{w.undo}</button>
        </p>
      )}
      {answer !== undefined && shown.length === 0 && (
        <section class="nothing">
          <h2>{w.noStreams}</h2>
          <p class="more">{w.noStreamsMore}</p>
        </section>
      )}
      {shown.length > 0 && (
        <table class="table streams">
          <caption class="unseen">{w.streams}</caption>
          <thead>
            <tr>
              <th scope="col">{w.stream}</th>
              <th scope="col">{w.state}</th>
              <th scope="col">{w.renditions}</th>
              <th scope="col" class="number">{w.in}</th>
              <th scope="col" class="number">{w.out}</th>
              <th scope="col" class="number">{w.watching}</th>
              <th scope="col"><span class="unseen">{w.actions}</span></th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <StreamRow key={one.public_id} stream={one} load={now?.streams.find((load) => load.name === one.slug)} onOpen={() => setOpen(one.public_id)} onChanged={again} onTrouble={setTrouble} />
            ))}
          </tbody>
        </table>
      )}
      <p class="unseen" role="status">{answer !== undefined && `${shellWords().live}: ${shown.filter((one) => one.state === "live").length}`}</p>
      {adding && <NewStream onAdded={again} onClose={() => setAdding(false)} />}
      {chosen !== undefined && <Details stream={chosen} onChanged={again} onRemove={() => remove(chosen)} onClose={() => setOpen(undefined)} />}
    </>
  );
}

/** Live ones first, then by title. */
function byState(a: Stream, b: Stream): number {
  const rank = (one: Stream) => (one.state === "live" ? 0 : one.source !== undefined && one.source.state !== "off" ? 1 : 2);
  return rank(a) - rank(b) || a.name.localeCompare(b.name);
}
