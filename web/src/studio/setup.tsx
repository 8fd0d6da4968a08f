// Before it begins: what is shown, under which title, with which key.

import { studioWords } from "../i18n/words.ts";
import { QUALITIES } from "../rules/quality.ts";
import { Meter } from "./meter.tsx";
import { Preview } from "./preview.tsx";
import type { Source, What as Wanted } from "./source.ts";
import { Devices, What } from "./sources.tsx";

export type Form = { title: string; quality: string; key: string; keep: boolean };

export type SetupProps = {
  source: Source;
  version: number;
  form: Form;
  stream: string | undefined;
  trouble: string | undefined;
  starting: boolean;
  onForm(change: Partial<Form>): void;
  onTake(what: Wanted): void;
  onStart(): void;
};

export function Setup({ source, version, form, stream, trouble, starting, onForm, onTake, onStart }: SetupProps) {
  const w = studioWords();
  const ready = source.what !== undefined;
  return (
    <main id="main" class="setup" tabIndex={-1}>
      <h1>{w.title}</h1>
      <div class="left">
        <Preview source={source} version={version}>
          {!ready && (
            <div class="invitation">
              <p class="word">{w.begin}</p>
              <p>{w.beginMore}</p>
            </div>
          )}
        </Preview>
        <What now={source.what} onTake={onTake} />
        {ready && <Meter track={source.audio} />}
      </div>
      <form class="fields" onSubmit={(event) => {
        event.preventDefault();
        onStart();
      }}>
        <label class="labelled">
          <span>{w.name}</span>
          <input class="field" id="title" type="text" maxLength={120} dir="auto" placeholder={w.namePlaceholder} value={form.title} onInput={(event) => onForm({ title: event.currentTarget.value })} />
        </label>
        {ready && <Devices source={source} version={version} onChange={() => source.what !== undefined && onTake(source.what)} />}
        <label class="labelled">
          <span>{w.quality}</span>
          <select class="field" id="quality" value={form.quality} onChange={(event) => onForm({ quality: event.currentTarget.value })}>
            {QUALITIES.map((one) => <option value={one.name}>{one.name}</option>)}
          </select>
        </label>
        <label class="labelled">
          <span>{stream === undefined ? w.key : w.keyOf(stream)}</span>
          <input class="field" id="key" type="password" autocomplete="off" spellcheck={false} maxLength={200} aria-describedby="key-more" value={form.key} onInput={(event) => onForm({ key: event.currentTarget.value.trim() })} />
        </label>
        <p class="hint" id="key-more">{w.keyMore}</p>
        {form.key !== "" && (
          <label class="keep">
            <input type="checkbox" checked={form.keep} onChange={(event) => onForm({ keep: event.currentTarget.checked })} />
            {w.keep}
          </label>
        )}
        {trouble !== undefined && <p class="alert" role="alert">{trouble}</p>}
        <button type="submit" class="button primary large" id="start" disabled={!ready || starting}>{starting ? w.starting : w.start}</button>
      </form>
    </main>
  );
}
