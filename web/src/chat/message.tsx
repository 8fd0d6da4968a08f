// One message, and for moderators what may be done about it.

import { useState } from "preact/hooks";
import { chatWords } from "../i18n/words.ts";
import type { Author, Message as Said } from "../rules/chat_log.ts";
import { nameColours } from "../rules/colour.ts";
import { Icon } from "../shell/icons.tsx";
import { Entry, Menu } from "../shell/menu.tsx";
import { languageNow } from "../shell/preferences.ts";
import type { RoomKeeper } from "./room.ts";
import { Text } from "./text.tsx";

export type MessageProps = {
  said: Said;
  /** What its place for the keyboard is. */
  active: boolean;
  moderates: boolean;
  keeper: RoomKeeper | undefined;
};

export function Message({ said, active, moderates, keeper }: MessageProps) {
  const [menu, setMenu] = useState(false);
  const at = new Date(said.at);
  const time = at.toLocaleTimeString(languageNow(), { hour: "2-digit", minute: "2-digit" });
  return (
    <li class="message" data-id={said.id} tabIndex={active ? 0 : -1} data-menu={menu ? "" : undefined}>
      <Name of={said.from} />
      <span class="unseen">: </span>
      <Text text={said.text} />
      <time dateTime={said.at} title={at.toLocaleString(languageNow())}>{time}</time>
      {moderates && <Moderation said={said} open={menu} onOpen={setMenu} keeper={keeper} />}
    </li>
  );
}

export function Name({ of }: { of: Author }) {
  const { onLight, onDark } = nameColours(of.colour);
  return (
    <bdi class="name" style={{ "--on-light": onLight, "--on-dark": onDark }}>
      {of.name}
      {of.role === "moderator" && <span class="staff" title={chatWords().moderator}>★<span class="unseen">{chatWords().moderator}</span></span>}
    </bdi>
  );
}

function Moderation({ said, open, onOpen, keeper }: { said: Said; open: boolean; onOpen(open: boolean): void; keeper: RoomKeeper | undefined }) {
  const w = chatWords();
  const ban = (seconds?: number) => void keeper?.moderate("POST", "/bans", { author: said.from.id, seconds });
  const staff = said.from.role === "moderator";
  return (
    <Menu id={`menu-${said.id}`} open={open} onOpen={onOpen} label={w.menuOf(said.from.name)} buttonClass="round" button={<Icon name="more" />}>
      <Entry onChoose={() => void keeper?.moderate("DELETE", `/messages/${encodeURIComponent(said.id)}`)}>{w.remove}</Entry>
      <Entry onChoose={() => void keeper?.moderate("PATCH", "/room", { pinned: said.id })}>{w.pin}</Entry>
      {!staff && (
        <div role="group" aria-label={w.timeOut}>
          <p aria-hidden="true">{w.timeOut}</p>
          <Entry onChoose={() => ban(60)}>{w.minute}</Entry>
          <Entry onChoose={() => ban(600)}>{w.tenMinutes}</Entry>
          <Entry onChoose={() => ban(86_400)}>{w.day}</Entry>
          <Entry onChoose={() => ban()}>{w.ban}</Entry>
          <Entry onChoose={() => ban(0)}>{w.unban}</Entry>
        </div>
      )}
    </Menu>
  );
}
