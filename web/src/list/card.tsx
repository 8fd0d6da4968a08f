// One live stream in the list: a link as large as its card.

import { useEffect, useState } from "preact/hooks";
import { type ListedStream, serverNow } from "../api.ts";
import { listWords, shellWords } from "../i18n/words.ts";
import { spanOf } from "../rules/span.ts";
import { Icon } from "../shell/icons.tsx";

/** The server's pictures are so old at most, milliseconds. */
const FRESH_MS = 10_000;

export function Card({ stream }: { stream: ListedStream }) {
  const [w, shell] = [listWords(), shellWords()];
  const begun = Date.parse(stream.started_at ?? "");
  return (
    <li class="card">
      <a href={stream.page}>
        <Thumbnail address={stream.thumbnail} />
        <span class="over">
          <span class="badge" data-state="live"><i aria-hidden="true" />{w.onAir}</span>
          <span class="badge watching">
            <Icon name="eye" />
            <span class="unseen">{shell.viewers(stream.viewers)}</span>
            <span aria-hidden="true">{stream.viewers}</span>
          </span>
        </span>
        <span class="told">
          <strong dir="auto">{stream.name}</strong>
          {!Number.isNaN(begun) && <span class="since">{w.since(shell.lasting(spanOf(begun, serverNow())))}</span>}
        </span>
      </a>
    </li>
  );
}

/** A picture of the stream, new from time to time; a quiet surface where there is none. */
function Thumbnail({ address }: { address: string }) {
  const [round, setRound] = useState(() => Math.floor(Date.now() / FRESH_MS));
  const [there, setThere] = useState(false);
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (!document.hidden) setRound(Math.floor(Date.now() / FRESH_MS));
    }, FRESH_MS);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <span class="thumbnail" data-there={String(there)}>
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 6.8v10.4a.6.6 0 0 0 .9.5l8.4-5.2a.6.6 0 0 0 0-1L9.9 6.3a.6.6 0 0 0-.9.5z" /></svg>
      <img src={`${address}?at=${round}`} alt="" decoding="async" onLoad={() => setThere(true)} onError={() => setThere(false)} />
    </span>
  );
}
