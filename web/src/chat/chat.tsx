// The chat of a stream, beside whatever shows it.

import { useState } from "preact/hooks";
import { chatWords } from "../i18n/words.ts";
import { Icon } from "../shell/icons.tsx";
import { remember, remembered } from "../shell/storage.ts";
import { Log } from "./log.tsx";
import { Name } from "./message.tsx";
import { useRoom } from "./room.ts";
import { Settings } from "./settings.tsx";
import { Text } from "./text.tsx";
import { Writing } from "./writing.tsx";

export function ChatPanel({ id, bearer }: { id: string; bearer?: string | undefined }) {
  const w = chatWords();
  const { chat, keeper } = useRoom(id, bearer);
  const [aloud, setAloud] = useState(() => remembered("aloud") === "yes");
  const [settings, setSettings] = useState(false);
  const { line, room, you } = chat;
  const state = { connecting: w.connecting, lost: w.lost, absent: w.absent, refused: w.chatRefused, open: "" }[line];
  const pinned = room?.pinned ?? undefined;
  return (
    <section class="chat" id="chat" aria-label={w.title}>
      <header>
        <h2>{w.title}</h2>
        {line === "open" && <span class="here">{w.here(chat.viewers)}</span>}
        <button type="button" class="round aloud" title={w.readAloud} aria-label={w.readAloud} aria-pressed={aloud} onClick={() => {
          setAloud(!aloud);
          remember("aloud", aloud ? undefined : "yes");
        }}>
          <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5v5h3.2L12 18.6V5.4L7.2 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11" /></svg>
        </button>
        {you?.role === "moderator" && room !== undefined && keeper !== undefined && (
          <button type="button" class="round" id="room-settings" title={w.roomSettings} aria-label={w.roomSettings} onClick={() => setSettings(true)}>
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4 7h9m4 0h3M4 17h3m4 0h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0" /></svg>
          </button>
        )}
      </header>
      {pinned !== undefined && (
        <div class="pinned">
          <Icon name="pin" />
          <p><span class="unseen">{w.pinned}: </span><Name of={pinned.from} /> <Text text={pinned.text} /></p>
          {you?.role === "moderator" && (
            <button type="button" class="round" title={w.unpin} aria-label={w.unpin} onClick={() => void keeper?.moderate("PATCH", "/room", { pinned: null })}><Icon name="cross" /></button>
          )}
        </div>
      )}
      <Log chat={chat} keeper={keeper} aloud={aloud} />
      <p class="line" role="status" hidden={state === ""}>{state}</p>
      <Writing chat={chat} keeper={keeper} />
      {settings && room !== undefined && keeper !== undefined && <Settings room={room} keeper={keeper} onClose={() => setSettings(false)} />}
    </section>
  );
}
