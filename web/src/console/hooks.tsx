// Webhooks: where events are sent to.

import { useState } from "preact/hooks";
import { consoleWords } from "../i18n/words.ts";
import { Copy } from "../shell/copy.tsx";
import { usePolling } from "../shell/polling.ts";
import { Sure } from "./dialog.tsx";
import { addHook, changeHook, type Hook, hooks, removeHook, testHook } from "./requests.ts";
import { Trouble, useDoing, wordsOf } from "./trouble.tsx";

const EVERY_MS = 5000;

export function HooksPart() {
  const w = consoleWords();
  const [asked, setAsked] = useState(0);
  const { answer, error } = usePolling(hooks, EVERY_MS, `hooks ${asked}`);
  const [url, setUrl] = useState("");
  const [made, setMade] = useState<Hook>();
  const [ending, setEnding] = useState<Hook>();
  const [tested, setTested] = useState<string>();
  const { busy, trouble, doing } = useDoing();
  const again = () => setAsked((n) => n + 1);
  const test = (hook: Hook) => void doing(async () => {
    setTested(undefined);
    const { ok, status, why } = await testHook(hook.hook_id);
    setTested(ok ? w.testTaken(status ?? 200) : w.testRefused(why ?? String(status ?? "")));
  });
  return (
    <section class="panel">
      <h2>{w.hooks}</h2>
      <p class="more">{w.hooksMore}</p>
      <ul class="rows">
        {(answer ?? []).map((one) => (
          <li key={one.hook_id}>
            <span>
              <strong dir="auto">{one.url}</strong> <small>{one.types.length === 0 ? w.everything : one.types.join(", ")}</small>
              {one.why != null && <small class="why" dir="auto">{one.why}</small>}
            </span>
            <span class="actions">
              <button type="button" class="button" disabled={busy} aria-label={`${w.test}: ${one.url}`} onClick={() => test(one)}>{w.test}</button>
              <button type="button" class="button" aria-label={`${one.enabled ? w.turnOff : w.turnOn}: ${one.url}`} onClick={() => void doing(() => changeHook(one.hook_id, !one.enabled).then(again))}>{one.enabled ? w.turnOff : w.turnOn}</button>
              <button type="button" class="button" aria-label={`${w.remove}: ${one.url}`} onClick={() => setEnding(one)}>{w.remove}</button>
            </span>
          </li>
        ))}
      </ul>
      <p class="more" role="status">{tested}</p>
      {made?.secret != null && (
        <p class="told-once" role="status">
          <span>{w.hookSecretIs}</span>
          <span class="copied"><code>{made.secret}</code><Copy text={made.secret} small /></span>
        </p>
      )}
      <form class="form inline" onSubmit={(event) => {
        event.preventDefault();
        void doing(() => addHook(url.trim(), []).then((hook) => (setMade(hook), setUrl(""), again())));
      }}>
        <label>
          <span class="unseen">{w.address}</span>
          <input class="field" type="url" required maxLength={2048} placeholder="https://example.org/events" value={url} onInput={(event) => setUrl(event.currentTarget.value)} />
        </label>
        <button class="button" disabled={busy}>{w.add}</button>
      </form>
      <Trouble words={trouble ?? (error === undefined ? undefined : wordsOf(error))} />
      {ending !== undefined && <Sure title={w.removeSure(ending.url)} more={w.removeHookMore} verb={w.remove} onYes={() => void doing(() => removeHook(ending.hook_id).then(again))} onClose={() => setEnding(undefined)} />}
    </section>
  );
}
