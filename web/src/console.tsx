// The operator's console: streams, the load, what happens, and who may manage.

import { useEffect, useState } from "preact/hooks";
import { type Session, session as askSession } from "./api.ts";
import { AccessPage } from "./console/access.tsx";
import { EventsPage } from "./console/events.tsx";
import { LoadPage } from "./console/load.tsx";
import { SignIn } from "./console/sign_in.tsx";
import { StreamsPage } from "./console/streams.tsx";
import { Trouble, wordsOf } from "./console/trouble.tsx";
import { consoleWords } from "./i18n/words.ts";
import { Header } from "./shell/header.tsx";
import { mount } from "./shell/mount.tsx";

const PARTS = ["streams", "load", "events", "access"] as const;
type Part = (typeof PARTS)[number];
const AGAIN_MS = 3000;

const partOf = (hash: string): Part => PARTS.find((one) => hash === `#${one}`) ?? "streams";

/** What the set-up link says. It leaves the address at once, so that it stands in no history. */
function takeSetup(): string | undefined {
  const setup = /^#setup=(set_\w+)$/.exec(location.hash)?.[1];
  if (setup !== undefined) history.replaceState(null, "", location.pathname);
  return setup;
}

function Console() {
  const w = consoleWords();
  const [setup, setSetup] = useState(takeSetup);
  const [session, setSession] = useState<Session>();
  const [trouble, setTrouble] = useState<string>();
  const [part, setPart] = useState<Part>(() => partOf(location.hash));
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    const moved = () => setPart(partOf(location.hash));
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    let timer: number | undefined;
    const look = () => void askSession().then((told) => (setSession(told), setTrouble(undefined)), (error: unknown) => {
      setTrouble(wordsOf(error));
      timer = window.setTimeout(look, AGAIN_MS);
    });
    look();
    return () => window.clearTimeout(timer);
  }, [asked]);
  useEffect(() => {
    document.title = `${session?.operator === true ? w[part] : w.signIn} · ${w.console}`;
  });
  const again = () => setAsked((n) => n + 1);
  const inside = session?.operator === true && setup === undefined;
  return (
    <>
      <Header at="console">{inside && <Parts part={part} />}</Header>
      <main id="main" tabIndex={-1}>
        <Trouble words={trouble} />
        {session !== undefined && !inside && <SignIn hasPassword={session.has_password} setup={setup} onSigned={() => (setSetup(undefined), again())} />}
        {inside && part === "streams" && <StreamsPage />}
        {inside && part === "load" && (
          <>
            <div class="heading"><h1>{w.load}</h1></div>
            <LoadPage />
          </>
        )}
        {inside && part === "events" && <EventsPage />}
        {inside && part === "access" && <AccessPage session={session} onSession={again} />}
      </main>
    </>
  );
}

function Parts({ part }: { part: Part }) {
  const w = consoleWords();
  return (
    <nav class="parts-of-console" aria-label={w.console}>
      {PARTS.map((one) => <a href={`#${one}`} aria-current={one === part ? "page" : undefined}>{w[one]}</a>)}
    </nav>
  );
}

void mount(Console);
