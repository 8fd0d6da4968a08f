// What moderators decide of a room.

import { useEffect, useRef } from "preact/hooks";
import { chatWords } from "../i18n/words.ts";
import type { Room } from "../rules/chat_log.ts";
import type { RoomKeeper } from "./room.ts";

const SLOW = [0, 3, 5, 10, 30, 60, 120];
const WAITS = [0, 10, 60, 600, 3600];

export function Settings({ room, keeper, onClose }: { room: Room; keeper: RoomKeeper; onClose(): void }) {
  const w = chatWords();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const change = (settings: Record<string, unknown>) => void keeper.moderate("PATCH", "/room", settings);
  const seconds = (value: number) => (value === 0 ? w.off : w.secondsOf(value));
  const clear = () => {
    if (!window.confirm(w.clearSure)) return;
    void keeper.moderate("DELETE", "/messages");
    dialog.current?.close();
  };
  return (
    <dialog class="dialog" ref={dialog} aria-labelledby="chat-settings" onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <div>
        <h2 id="chat-settings">{w.roomSettings}</h2>
        <label class="row">
          <span>{w.slowMode}</span>
          <select id="slow" value={room.slow_s} onChange={(event) => change({ slow_s: Number(event.currentTarget.value) })}>
            {withNow(SLOW, room.slow_s).map((one) => <option value={one}>{seconds(one)}</option>)}
          </select>
        </label>
        <label class="row">
          <span>{w.newcomers}</span>
          <select value={room.newcomers_wait_s} onChange={(event) => change({ newcomers_wait_s: Number(event.currentTarget.value) })}>
            {withNow(WAITS, room.newcomers_wait_s).map((one) => <option value={one}>{seconds(one)}</option>)}
          </select>
        </label>
        <label class="row">
          <span>{w.open}</span>
          <input type="checkbox" checked={room.open} onChange={(event) => change({ open: event.currentTarget.checked })} />
        </label>
        <div class="row">
          <button type="button" class="button danger" onClick={clear}>{w.clear}</button>
          <button type="button" class="button" onClick={() => dialog.current?.close()}>{w.close}</button>
        </div>
      </div>
    </dialog>
  );
}

function withNow(choices: readonly number[], now: number): number[] {
  return [...new Set([...choices, now])].sort((a, b) => a - b);
}
