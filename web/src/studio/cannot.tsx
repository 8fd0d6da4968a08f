// Why there is no camera here, and what helps.

import { studioWords } from "../i18n/words.ts";
import { Copy } from "../shell/copy.tsx";

export function Cannot({ insecure }: { insecure: boolean }) {
  const w = studioWords();
  const rtmp = document.documentElement.dataset["rtmp"] ?? "";
  const local = `http://localhost${location.port === "" ? "" : `:${location.port}`}/studio`;
  return (
    <main id="main" class="cannot" tabIndex={-1}>
      <h1>{insecure ? w.insecure : w.unsupported}</h1>
      <p>{insecure ? w.insecureMore : w.unsupportedMore}</p>
      <ul>
        {insecure && <li>{w.cureHttps}</li>}
        {insecure && <li>{w.cureLocal} <span class="copied"><code>{local}</code><Copy text={local} small /></span></li>}
        <li>{w.cureEncoder} <span class="copied"><code>{rtmp}</code><Copy text={rtmp} small /></span></li>
      </ul>
    </main>
  );
}
