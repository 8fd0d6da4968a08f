// One stream: its addresses, its settings, its key, its end.

import { useState } from "preact/hooks";
import { consoleWords } from "../i18n/words.ts";
import { Copy } from "../shell/copy.tsx";
import { Dialog, Sure } from "./dialog.tsx";
import { Ladder } from "./new_stream.tsx";
import { changeStream, newKey, type Stream } from "./requests.ts";
import { Trouble, useDoing } from "./trouble.tsx";

type Props = { stream: Stream; onChanged(): void; onRemove(): void; onClose(): void };

export function Details({ stream, onChanged, onRemove, onClose }: Props) {
  const w = consoleWords();
  const page = new URL(stream.page, location.href).href;
  const embed = `<iframe src="${new URL(`/embed/${encodeURIComponent(stream.slug)}`, location.href).href}" width="640" height="360" allow="autoplay; fullscreen; picture-in-picture" loading="lazy"></iframe>`;
  const links: [string, string][] = [[w.page, page], ["RTSP", stream.rtsp_url], ["HLS", stream.hls_url], [w.embed, embed]];
  return (
    <Dialog title={stream.name} wide onClose={onClose}>
      <dl class="links">
        {links.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd><code>{value}</code><Copy text={value} small /></dd>
          </div>
        ))}
      </dl>
      {stream.registered ? <Registered stream={stream} onChanged={onChanged} onRemove={onRemove} /> : <p class="more">{w.openMore}</p>}
    </Dialog>
  );
}

function Registered({ stream, onChanged, onRemove }: Omit<Props, "onClose">) {
  const w = consoleWords();
  const [title, setTitle] = useState(stream.name);
  const [ladder, setLadder] = useState(stream.ladder ?? "");
  const [listed, setListed] = useState(stream.listed);
  const [chat, setChat] = useState(stream.chat);
  const [closed, setClosed] = useState(stream.read === "owner");
  const [key, setKey] = useState<string>();
  const [sure, setSure] = useState<"key" | "remove">();
  const [kept, setKept] = useState(false);
  const { busy, trouble, doing } = useDoing();
  const save = async () => {
    setKept(false);
    await changeStream(stream.public_id, { name: title.trim(), ladder: ladder === "" ? null : ladder, listed, chat, read: closed ? "owner" : "anyone" });
    setKept(true);
    onChanged();
  };
  const boxes: [string, boolean, (on: boolean) => void][] = [[w.listed, listed, setListed], [w.withChat, chat, setChat], [w.ownerOnly, closed, setClosed]];
  return (
    <>
      <form class="form" onSubmit={(event) => {
        event.preventDefault();
        void doing(save);
      }}>
        <label>
          <span>{w.title}</span>
          <input class="field" required maxLength={120} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />
        </label>
        <Ladder ladder={ladder} onChange={setLadder} />
        {boxes.map(([name, on, set]) => (
          <label class="row" key={name}>
            <span>{name}</span>
            <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
          </label>
        ))}
        <Trouble words={trouble} />
        <div class="row ends">
          <span class="more" role="status">{kept && w.saved}</span>
          <button class="button primary" disabled={busy}>{w.save}</button>
        </div>
      </form>
      <section class="form apart">
        {key !== undefined && (
          <p class="told-once" role="status">
            <span>{w.newKeyIs}</span>
            <span class="copied"><code>{key}</code><Copy text={key} small /></span>
          </p>
        )}
        <div class="row ends">
          <button type="button" class="button" onClick={() => setSure("key")}>{w.newKey}</button>
          <button type="button" class="button danger" onClick={() => setSure("remove")}>{w.remove}</button>
        </div>
      </section>
      {sure === "key" && <Sure title={w.newKeySure(stream.name)} more={w.newKeyMore} verb={w.newKey} onYes={() => void doing(() => newKey(stream.public_id).then((made) => setKey(made.stream_key)))} onClose={() => setSure(undefined)} />}
      {sure === "remove" && <Sure title={w.removeSure(stream.name)} more={w.removeMore} verb={w.remove} onYes={onRemove} onClose={() => setSure(undefined)} />}
    </>
  );
}
