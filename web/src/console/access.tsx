// Who may manage this server: the password, tokens of programs, and webhooks.

import { useState } from "preact/hooks";
import type { Session } from "../api.ts";
import { consoleWords } from "../i18n/words.ts";
import { usePolling } from "../shell/polling.ts";
import { Copy } from "../shell/copy.tsx";
import { languageNow } from "../shell/preferences.ts";
import { Sure } from "./dialog.tsx";
import { HooksPart } from "./hooks.tsx";
import { addToken, removeToken, setPassword, setupLink, signOut, type Token, tokens } from "./requests.ts";
import { Trouble, useDoing, wordsOf } from "./trouble.tsx";

const EVERY_MS = 15_000;

export function AccessPage({ session, onSession }: { session: Session; onSession(): void }) {
  return (
    <>
      <h1 class="unseen">{consoleWords().access}</h1>
      <div class="parts">
        <PasswordPart session={session} onSession={onSession} />
        <TokensPart />
        <HooksPart />
      </div>
    </>
  );
}

function PasswordPart({ session, onSession }: { session: Session; onSession(): void }) {
  const w = consoleWords();
  const [password, setWords] = useState("");
  const [link, setLink] = useState<string>();
  const [kept, setKept] = useState(false);
  const { busy, trouble, doing } = useDoing();
  return (
    <section class="panel">
      <h2>{w.password}</h2>
      <p class="more">{session.has_password ? w.passwordMore : w.passwordNone}</p>
      <form class="form inline" onSubmit={(event) => {
        event.preventDefault();
        void doing(() => setPassword(password).then(() => (setKept(true), setWords(""), onSession())));
      }}>
        <label>
          <span class="unseen">{w.newPassword}</span>
          <input class="field" type="password" required minLength={8} maxLength={256} autocomplete="new-password" placeholder={w.newPassword} value={password} onInput={(event) => setWords(event.currentTarget.value)} />
        </label>
        <button class="button" disabled={busy}>{w.save}</button>
      </form>
      <p class="more" role="status">{kept && w.saved}</p>
      {link !== undefined && <p class="copied"><code>{link}</code><Copy text={link} small /></p>}
      <Trouble words={trouble} />
      <div class="row">
        <button type="button" class="button" disabled={busy} onClick={() => void doing(() => setupLink().then((made) => setLink(made.url)))}>{w.setupLink}</button>
        {session.has_password && <button type="button" class="button" onClick={() => void doing(() => signOut().then(onSession))}>{w.signOut}</button>}
      </div>
    </section>
  );
}

function TokensPart() {
  const w = consoleWords();
  const [asked, setAsked] = useState(0);
  const { answer, error } = usePolling(tokens, EVERY_MS, `tokens ${asked}`);
  const [label, setLabel] = useState("");
  const [scopes, setScopes] = useState("all");
  const [made, setMade] = useState<Token>();
  const [ending, setEnding] = useState<Token>();
  const { busy, trouble, doing } = useDoing();
  const again = () => setAsked((n) => n + 1);
  return (
    <section class="panel">
      <h2>{w.tokens}</h2>
      <p class="more">{w.tokensMore}</p>
      <ul class="rows">
        {(answer ?? []).map((one) => (
          <li key={one.token_id}>
            <span><strong dir="auto">{one.label}</strong> <small>{one.scopes}{one.used_at != null && ` · ${w.used(new Date(one.used_at).toLocaleString(languageNow(), { dateStyle: "short", timeStyle: "short" }))}`}</small></span>
            <button type="button" class="button" aria-label={`${w.revoke}: ${one.label}`} onClick={() => setEnding(one)}>{w.revoke}</button>
          </li>
        ))}
      </ul>
      {made?.token != null && (
        <p class="told-once" role="status">
          <span>{w.tokenIs}</span>
          <span class="copied"><code>{made.token}</code><Copy text={made.token} small /></span>
        </p>
      )}
      <form class="form inline" onSubmit={(event) => {
        event.preventDefault();
        void doing(() => addToken(label.trim(), scopes).then((token) => (setMade(token), setLabel(""), again())));
      }}>
        <label>
          <span class="unseen">{w.label}</span>
          <input class="field" required maxLength={100} placeholder={w.label} value={label} onInput={(event) => setLabel(event.currentTarget.value)} />
        </label>
        <label>
          <span class="unseen">{w.scopes}</span>
          <select class="field" value={scopes} onChange={(event) => setScopes(event.currentTarget.value)}>
            <option value="all">{w.scopeAll}</option>
            <option value="read">{w.scopeRead}</option>
            <option value="streams read">{w.scopeStreams}</option>
            <option value="chat">{w.scopeChat}</option>
          </select>
        </label>
        <button class="button" disabled={busy}>{w.makeToken}</button>
      </form>
      <Trouble words={trouble ?? (error === undefined ? undefined : wordsOf(error))} />
      {ending !== undefined && <Sure title={w.revokeSure(ending.label)} more={w.revokeMore} verb={w.revoke} onYes={() => void doing(() => removeToken(ending.token_id).then(again))} onClose={() => setEnding(undefined)} />}
    </section>
  );
}
