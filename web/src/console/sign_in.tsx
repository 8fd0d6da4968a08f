// The operator from elsewhere signs in; the first time with the set-up link.

import { useState } from "preact/hooks";
import { consoleWords } from "../i18n/words.ts";
import { signIn } from "./requests.ts";
import { Trouble, useDoing } from "./trouble.tsx";

/** Shortest password that the server takes. */
const SHORTEST = 8;

export function SignIn({ hasPassword, setup, onSigned }: { hasPassword: boolean; setup: string | undefined; onSigned(): void }) {
  const w = consoleWords();
  const [password, setPassword] = useState("");
  const { busy, trouble, doing } = useDoing();
  const first = setup !== undefined;
  if (!first && !hasPassword) {
    return (
      <section class="gate">
        <h1>{w.noPassword}</h1>
        <p class="more">{w.noPasswordMore}</p>
        <code class="command">msconv token setup</code>
      </section>
    );
  }
  return (
    <form class="gate" onSubmit={(event) => {
      event.preventDefault();
      void doing(() => signIn(password, setup).then(onSigned));
    }}>
      <h1>{first ? w.choosePassword : w.signIn}</h1>
      <p class="more">{first ? w.choosePasswordMore(SHORTEST) : w.signInMore}</p>
      <input type="text" name="username" value="operator" autocomplete="username" readonly hidden />
      <label>
        <span>{w.password}</span>
        <input class="field" id="password" type="password" required minLength={first ? SHORTEST : 1} maxLength={256} autocomplete={first ? "new-password" : "current-password"} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
      </label>
      <Trouble words={trouble} />
      <button class="button primary" disabled={busy}>{first ? w.setAndSignIn : w.signIn}</button>
    </form>
  );
}
