// What happened, the newest first, and what happens.

import { useEffect, useState } from "preact/hooks";
import { consoleWords } from "../i18n/words.ts";
import { languageNow } from "../shell/preferences.ts";
import { happened, type Happened } from "./requests.ts";
import { Trouble, wordsOf } from "./trouble.tsx";

/** Events that are shown. */
const MOST = 200;

export function EventsPage() {
  const w = consoleWords();
  const [events, setEvents] = useState<readonly Happened[]>();
  const [trouble, setTrouble] = useState<string>();
  const [only, setOnly] = useState("");
  useEffect(() => {
    let listener: EventSource | undefined;
    let over = false;
    const put = (one: Happened) => setEvents((before) => [one, ...(before ?? []).filter((other) => other.id !== one.id)].slice(0, MOST));
    happened().then(({ items }) => {
      if (over) return;
      setEvents([...items].reverse());
      const last = items.at(-1)?.seq;
      listener = new EventSource(`/api/v1/events${last == null ? "" : `?after=${last}`}`);
      const hear = (message: Event) => {
        const event = parsed((message as MessageEvent<string>).data);
        if (event !== undefined) put(event);
      };
      listener.onmessage = hear;
      for (const type of Object.keys(w.eventNames)) listener.addEventListener(type, hear);
      listener.onopen = () => setTrouble(undefined);
    }, (error: unknown) => setTrouble(wordsOf(error)));
    return () => {
      over = true;
      listener?.close();
    };
  }, []);
  const kinds = [...new Set((events ?? []).map((one) => kindOf(one.type)))].sort();
  const shown = (events ?? []).filter((one) => only === "" || kindOf(one.type) === only);
  const names: Record<string, string> = w.eventNames;
  return (
    <>
      <div class="heading">
        <h1>{w.events}</h1>
        {kinds.length > 1 && (
          <label class="sort">
            <span>{w.only}</span>
            <select value={only} onChange={(event) => setOnly(event.currentTarget.value)}>
              <option value="">{w.everything}</option>
              {kinds.map((kind) => <option value={kind}>{kind}</option>)}
            </select>
          </label>
        )}
      </div>
      <Trouble words={trouble} />
      {events !== undefined && shown.length === 0 && <p class="more">{w.nothingHappened}</p>}
      <ol class="events">
        {shown.map((one) => (
          <li key={one.id}>
            <time dateTime={one.at}>{timeOf(one.at)}</time>
            <span>{names[one.type] ?? one.type}</span>
            <strong dir="auto">{text(one.data["title"]) || text(one.data["name"]) || (one.public_id ?? "")}</strong>
            <small dir="auto">{moreOf(one)}</small>
          </li>
        ))}
      </ol>
    </>
  );
}

const kindOf = (type: string): string => type.split(".")[0] ?? type;
const text = (value: unknown): string => (typeof value === "string" ? value : "");

function parsed(data: string): Happened | undefined {
  try {
    return JSON.parse(data) as Happened;
  } catch {
    return undefined;
  }
}

/** What of an event tells more than its type. */
function moreOf({ data }: Happened): string {
  const message = data["message"] as { from?: { name?: string }; text?: string } | undefined;
  if (message !== undefined) return `${message.from?.name ?? ""}: ${message.text ?? ""}`;
  return ["label", "reason", "why", "address"].map((name) => text(data[name])).filter((one) => one !== "").join(" · ");
}

function timeOf(at: string): string {
  const when = new Date(at);
  const today = when.toDateString() === new Date().toDateString();
  return when.toLocaleString(languageNow(), today ? { timeStyle: "medium" } : { dateStyle: "short", timeStyle: "medium" });
}
