// The messages: one stop for TAB, arrows within; stays at the end while the reader is there.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { chatWords } from "../i18n/words.ts";
import type { Message as Said } from "../rules/chat_log.ts";
import { Message } from "./message.tsx";
import type { Chat, RoomKeeper } from "./room.ts";

/** So near to the end is at the end, pixels. */
const NEAR = 48;
/** So near to the beginning older messages are asked for, pixels. */
const EARLY = 120;

export function Log({ chat, keeper, aloud }: { chat: Chat; keeper: RoomKeeper | undefined; aloud: boolean }) {
  const w = chatWords();
  const place = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const before = useRef<{ first: string | undefined; height: number }>({ first: undefined, height: 0 });
  const [seen, setSeen] = useState(0);
  const [active, setActive] = useState<string>();
  const { messages, pending } = chat;
  const last = messages.at(-1)?.seq ?? 0;
  useLayoutEffect(() => {
    const log = place.current;
    if (log === null) return;
    const first = messages[0]?.id;
    if (atEnd.current) log.scrollTop = log.scrollHeight;
    else if (first !== before.current.first) log.scrollTop += log.scrollHeight - before.current.height;
    before.current = { first, height: log.scrollHeight };
    if (atEnd.current && last !== seen) setSeen(last);
  }, [messages, pending]);
  useEffect(() => {
    // What is above the end stays there when the log gets another height: a keyboard, another tab.
    const watcher = new ResizeObserver(() => {
      if (atEnd.current && place.current !== null) place.current.scrollTop = place.current.scrollHeight;
    });
    if (place.current !== null) watcher.observe(place.current);
    return () => watcher.disconnect();
  }, []);
  const scrolled = () => {
    const log = place.current;
    if (log === null) return;
    atEnd.current = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    if (atEnd.current && last !== seen) setSeen(last);
    if (log.scrollTop < EARLY && !atEnd.current) void keeper?.older();
  };
  const toEnd = () => {
    atEnd.current = true;
    setSeen(last);
    place.current?.scrollTo({ top: place.current.scrollHeight });
  };
  const fresh = messages.filter((one) => one.seq > seen).length;
  const stop = messages.some((one) => one.id === active) ? active : messages.at(-1)?.id;
  return (
    <div class="log-place">
      <div class="log" role="log" aria-label={w.title} aria-live={aloud ? "polite" : "off"} ref={place} onScroll={scrolled} onKeyDown={(event) => move(event, setActive)}>
        {messages.length === 0 && chat.line === "open" && pending.length === 0 && <p class="quiet">{w.nobodyYet}</p>}
        <ol>
          {messages.map((said: Said) => (
            <Message key={said.id} said={said} active={said.id === stop} moderates={chat.you?.role === "moderator"} keeper={keeper} />
          ))}
          {pending.map((one) => (
            <li key={one.ref} class="message pending">
              <bdi class="name">{chat.you?.name}</bdi> <span class="text" dir="auto">{one.text}</span>
            </li>
          ))}
        </ol>
      </div>
      {fresh > 0 && !atEnd.current && (
        <button type="button" class="fresh" aria-label={w.freshLabel(fresh)} onClick={toEnd}>
          {w.fresh(fresh)} ↓
        </button>
      )}
    </div>
  );
}

function move(event: KeyboardEvent, setActive: (id: string | undefined) => void): void {
  const at = document.activeElement;
  if (!(at instanceof HTMLElement) || !at.matches(".message[data-id]")) return;
  const all = [...(at.parentElement?.querySelectorAll<HTMLElement>(".message[data-id]") ?? [])];
  const index = all.indexOf(at);
  if (event.key === "Enter" || event.key === "ContextMenu") {
    const opener = at.querySelector<HTMLElement>(".menu-place > button");
    const link = at.querySelector<HTMLAnchorElement>("a");
    if (opener !== null) opener.click();
    else if (event.key === "Enter") link?.click();
    event.preventDefault();
    return;
  }
  const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: all.length - 1 }[event.key];
  const target = next === undefined ? undefined : all[Math.min(all.length - 1, Math.max(0, next))];
  if (target === undefined) return;
  event.preventDefault();
  setActive(target.dataset["id"]);
  target.focus();
}
