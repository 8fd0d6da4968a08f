// A new stream: what it is called, where it comes from, and then its key, once.

import { useState } from "preact/hooks";
import type { Registered } from "../api.ts";
import { consoleWords } from "../i18n/words.ts";
import { Copy } from "../shell/copy.tsx";
import { Dialog } from "./dialog.tsx";
import { addStream, startSource, type StreamSettings } from "./requests.ts";
import { type Chosen, NOTHING, SourceFields, sourceOf } from "./source_fields.tsx";
import { Trouble, useDoing } from "./trouble.tsx";

export function NewStream({ onAdded, onClose }: { onAdded(): void; onClose(): void }) {
  const w = consoleWords();
  const [title, setTitle] = useState("");
  const [slug, setSlug] = useState("");
  const [ladder, setLadder] = useState("");
  const [listed, setListed] = useState(true);
  const [chosen, setChosen] = useState<Chosen>(NOTHING);
  const [made, setMade] = useState<Registered>();
  const { busy, trouble, doing } = useDoing();
  const add = async () => {
    const source = sourceOf(chosen);
    const settings: StreamSettings = { name: title.trim(), listed };
    if (slug.trim() !== "") settings.slug = slug.trim();
    if (ladder !== "") settings.ladder = ladder;
    if (source !== undefined) settings.source = source;
    const registered = await addStream(settings);
    onAdded();
    if (source === undefined) return setMade(registered);
    await startSource(registered.public_id);
    onAdded();
    onClose();
  };
  if (made !== undefined) return <Secrets made={made} onClose={onClose} />;
  return (
    <Dialog title={w.newStream} onClose={onClose}>
      <form class="form" onSubmit={(event) => {
        event.preventDefault();
        void doing(add);
      }}>
        <label>
          <span>{w.title}</span>
          <input class="field" id="title" required maxLength={120} autofocus value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
        </label>
        <SourceFields chosen={chosen} onChange={setChosen} />
        <details>
          <summary>{w.moreSettings}</summary>
          <label>
            <span>{w.slug}</span>
            <input class="field" maxLength={48} pattern="[A-Za-z0-9_\-]+" spellcheck={false} autocomplete="off" placeholder="evening" value={slug} onInput={(event) => setSlug(event.currentTarget.value)} />
          </label>
          <Ladder ladder={ladder} onChange={setLadder} />
          <label class="row">
            <span>{w.listed}</span>
            <input type="checkbox" checked={listed} onChange={(event) => setListed(event.currentTarget.checked)} />
          </label>
        </details>
        <Trouble words={trouble} />
        <div class="row ends">
          <button type="button" class="button" onClick={onClose}>{w.cancel}</button>
          <button class="button primary" disabled={busy}>{chosen.kind === "key" ? w.create : w.createAndStart}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function Ladder({ ladder, onChange }: { ladder: string; onChange(ladder: string): void }) {
  const w = consoleWords();
  const known = ["", "auto", "off"].includes(ladder);
  return (
    <label>
      <span>{w.ladder}</span>
      <select class="field" value={ladder} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{w.ladderUsual}</option>
        <option value="auto">{w.ladderAuto}</option>
        <option value="off">{w.ladderOff}</option>
        {!known && <option value={ladder}>{ladder}</option>}
      </select>
    </label>
  );
}

/** What is shown this once. */
function Secrets({ made, onClose }: { made: Registered; onClose(): void }) {
  const w = consoleWords();
  const rows: [string, string][] = [[w.server, made.rtmp_url], [w.key, made.stream_key], [w.privateId, made.private_id], [w.page, made.page]];
  return (
    <Dialog title={made.name} onClose={onClose}>
      <p class="more">{w.secretsMore}</p>
      <dl class="told-once">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd><code>{value}</code><Copy text={value} small /></dd>
          </div>
        ))}
      </dl>
      <div class="row ends">
        <a class="button" href={`/studio?stream=${encodeURIComponent(made.public_id)}`}>{w.goLiveHere}</a>
        <button type="button" class="button primary" onClick={onClose}>{w.noted}</button>
      </div>
    </Dialog>
  );
}
