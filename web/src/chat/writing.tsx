// Where a viewer writes: his name, his message, and in words why he may not.

import { useEffect, useRef, useState } from "preact/hooks";
import { chatWords } from "../i18n/words.ts";
import { Icon } from "../shell/icons.tsx";
import { languageNow } from "../shell/preferences.ts";
import type { Chat, RoomKeeper } from "./room.ts";

/** Characters that are left are told from here on. */
const FEW = 60;
const NAME = { least: 2, most: 24 };

export function Writing({ chat, keeper }: { chat: Chat; keeper: RoomKeeper | undefined }) {
  const w = chatWords();
  const [text, setText] = useState("");
  const [naming, setNaming] = useState(false);
  const wait = useCountdown(chat.readyMs);
  const { you, room, trouble, line } = chat;
  useEffect(() => {
    if (keeper !== undefined) keeper.refused = (back) => setText((now) => (now === "" ? back : now));
  }, [keeper]);
  const moderates = you?.role === "moderator";
  const most = room?.max_chars ?? 500;
  const left = most - [...text].length;
  const stopped = stoppedBy(chat);
  const say = (event: Event) => {
    event.preventDefault();
    const said = text.trim();
    if (said === "" || left < 0 || keeper === undefined || wait > 0) return;
    keeper.say(said);
    setText("");
  };
  if (line !== "open" && you === undefined) return null;
  return (
    <div class="writing">
      {trouble !== undefined && <p class="trouble" role="alert">{w.errors[trouble.code] ?? trouble.detail}</p>}
      {naming ? (
        <Naming now={you?.name ?? ""} onDone={(name) => {
          setNaming(false);
          if (name !== undefined) keeper?.name(name);
        }} />
      ) : (
        <p class="as">
          <bdi>{you?.name}</bdi>
          <button type="button" id="rename" onClick={() => setNaming(true)}>{w.nameChange}</button>
          {!moderates && (room?.slow_s ?? 0) > 0 && <span class="slow">{w.slow(room?.slow_s ?? 0)}</span>}
          {left < FEW && <span class="left" data-over={left < 0 ? "" : undefined}>{w.left(left)}</span>}
        </p>
      )}
      {stopped !== undefined ? (
        <p class="stopped">{stopped}</p>
      ) : (
        <form onSubmit={say}>
          <input class="field" id="say" type="text" enterkeyhint="send" autocomplete="off" dir="auto" aria-label={w.message} placeholder={w.placeholder} value={text} onInput={(event) => setText(event.currentTarget.value)} />
          <button type="submit" class="button primary send" title={w.send} aria-label={wait > 0 ? `${w.send}: ${w.wait(wait)}` : w.send} disabled={text.trim() === "" || left < 0 || wait > 0}>
            {wait > 0 ? w.wait(wait) : <Icon name="send" />}
          </button>
        </form>
      )}
    </div>
  );

  function stoppedBy({ banned, room }: Chat): string | undefined {
    if (moderates) return undefined;
    if (banned === null) return w.bannedForGood;
    if (banned !== undefined) return w.bannedUntil(new Date(banned).toLocaleString(languageNow(), { dateStyle: "short", timeStyle: "short" }));
    return room?.open === false ? w.closedRoom : undefined;
  }
}

function Naming({ now, onDone }: { now: string; onDone(name: string | undefined): void }) {
  const w = chatWords();
  const [name, setName] = useState(now);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const done = (event: Event) => {
    event.preventDefault();
    onDone(name.trim() === now ? undefined : name.trim());
  };
  return (
    <form class="naming" onSubmit={done} onKeyDown={(event) => event.key === "Escape" && onDone(undefined)}>
      <input class="field" id="name" ref={field} type="text" autocomplete="nickname" minLength={NAME.least} maxLength={NAME.most} aria-label={w.name} value={name} onInput={(event) => setName(event.currentTarget.value)} />
      <button type="submit" class="button">{w.nameSave}</button>
    </form>
  );
}

/** Whole seconds until a moment of the page's clock. */
function useCountdown(untilMs: number): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const look = () => setLeft(Math.max(0, Math.ceil((untilMs - performance.now()) / 1000)));
    look();
    if (untilMs <= performance.now()) return;
    const timer = window.setInterval(look, 250);
    return () => window.clearInterval(timer);
  }, [untilMs]);
  return left;
}
