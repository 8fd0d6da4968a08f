// Where a new stream comes from: somebody with its key, or the server itself.

import { consoleWords } from "../i18n/words.ts";
import type { Source } from "./requests.ts";

export type Kind = "key" | Source["type"];
const KINDS: readonly Kind[] = ["key", "file", "pull", "device", "test"];

export type Chosen = { kind: Kind; from: string; audio: string; once: boolean };
export const NOTHING: Chosen = { kind: "key", from: "", audio: "", once: false };

/** As the server takes it; nothing where whoever has the key publishes. */
export function sourceOf({ kind, from, audio, once }: Chosen): Source | undefined {
  switch (kind) {
    case "key":
      return undefined;
    case "file":
      return { type: "file", path: from.trim(), ...(once ? { once } : {}) };
    case "pull":
      return { type: "pull", url: from.trim() };
    case "device":
      return { type: "device", device: from.trim(), ...(audio.trim() === "" ? {} : { audio_device: audio.trim() }) };
    case "test":
      return { type: "test" };
  }
}

export function SourceFields({ chosen, onChange }: { chosen: Chosen; onChange(chosen: Chosen): void }) {
  const w = consoleWords();
  const { kind } = chosen;
  return (
    <>
      <fieldset class="choices">
        <legend>{w.from}</legend>
        {KINDS.map((one) => (
          <label key={one}>
            <input type="radio" name="source" value={one} checked={kind === one} onChange={() => onChange({ ...chosen, kind: one, from: "" })} />
            <span>{one === "key" ? w.byKey : w.sourceNames[one]}</span>
          </label>
        ))}
      </fieldset>
      <p class="more">{w.sourceMore[kind]}</p>
      {(kind === "file" || kind === "pull" || kind === "device") && (
        <label>
          <span>{w.sourceFields[kind]}</span>
          <input class="field" id="from" required maxLength={1024} spellcheck={false} autocomplete="off" placeholder={PLACEHOLDERS[kind]} value={chosen.from} onInput={(event) => onChange({ ...chosen, from: event.currentTarget.value })} />
        </label>
      )}
      {kind === "device" && (
        <label>
          <span>{w.audioDevice}</span>
          <input class="field" maxLength={1024} spellcheck={false} autocomplete="off" placeholder="hw:1" value={chosen.audio} onInput={(event) => onChange({ ...chosen, audio: event.currentTarget.value })} />
        </label>
      )}
      {kind === "file" && (
        <label class="row">
          <span>{w.once}</span>
          <input type="checkbox" checked={chosen.once} onChange={(event) => onChange({ ...chosen, once: event.currentTarget.checked })} />
        </label>
      )}
    </>
  );
}

const PLACEHOLDERS = { file: "/films/evening.mp4", pull: "rtsp://camera.local/front", device: "/dev/video0" };
