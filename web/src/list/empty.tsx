// What stands in the list while nobody is live: how to begin.

import { listWords, shellWords } from "../i18n/words.ts";
import { Copy } from "../shell/copy.tsx";

const COMMAND = "msconv publish -s demo -f film.mp4";

export function Empty() {
  const w = listWords();
  const rtmp = document.documentElement.dataset["rtmp"] ?? "";
  return (
    <section class="empty">
      <div class="rings" aria-hidden="true"><i /><i /><i /></div>
      <h1>{w.nobodyTitle}</h1>
      <p class="more">{w.nobodyMore}</p>
      <ul class="ways">
        <li>
          <h2>{w.fromBrowser}</h2>
          <p>{w.fromBrowserMore}</p>
          <a class="button" href="/studio">{shellWords().goLive}</a>
        </li>
        <li>
          <h2>{w.fromEncoder}</h2>
          <p>{w.server}</p>
          <Copied text={rtmp} />
          <p>{w.key}: {w.keyMore}</p>
        </li>
        <li>
          <h2>{w.fromTerminal}</h2>
          <Copied text={COMMAND} />
        </li>
      </ul>
    </section>
  );
}

function Copied({ text }: { text: string }) {
  return (
    <span class="copied">
      <code tabIndex={0}>{text}</code>
      <Copy text={text} small />
    </span>
  );
}
