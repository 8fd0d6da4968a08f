// The page of one stream: the picture, what is told of it, and the chat beside it.

import { useEffect, useState } from "preact/hooks";
import { stream as askStream } from "./api.ts";
import { loadLater, watchWords } from "./i18n/words.ts";
import { playSoon, usePlaying } from "./screen/playing.ts";
import { Screen } from "./screen/screen.tsx";
import { Header } from "./shell/header.tsx";
import { later } from "./shell/later.tsx";
import { mount } from "./shell/mount.tsx";
import { usePolling } from "./shell/polling.ts";
import { languageNow } from "./shell/preferences.ts";
import { isWindow } from "./rules/window.ts";
import { About } from "./watch/about.tsx";
import { useLayout, useVisibleHeight } from "./watch/layout.ts";

const EVERY_MS = 10_000;
const { list = "", name = "", window: kept } = document.documentElement.dataset;
const seconds = Number(kept);

// The picture waits for none of these.
const ChatPanel = later(() => Promise.all([import("./chat/chat.tsx"), loadLater(languageNow())]).then(([part]) => part.ChatPanel));
const Timeline = later(() => import("./screen/timeline.tsx").then((part) => part.Timeline));
const KeysDialog = later(() => Promise.all([import("./watch/keys_dialog.tsx"), loadLater(languageNow())]).then(([part]) => part.KeysDialog));

function Watch() {
  const w = watchWords();
  const played = usePlaying(list);
  // Asked again at once when it begins or ends.
  const { answer: stream } = usePolling(() => askStream(name), EVERY_MS, played.state === "playing" ? "live" : played.state, played.state !== "returning");
  const { across, narrow } = useLayout();
  const [theatre, setTheatre] = useState(false);
  const [chosen, setChosen] = useState<boolean>();
  const [tab, setTab] = useState<"chat" | "about">("chat");
  const [keys, setKeys] = useState(false);
  useVisibleHeight();
  const title = stream?.name ?? name;
  useEffect(() => {
    document.title = title;
  }, [title]);
  const has = stream?.chat !== false;
  const shown = has && (chosen ?? !across);
  const toggleChat = () => setChosen(!shown);
  const toWriting = () => {
    setChosen(true);
    setTab("chat");
    window.setTimeout(() => document.getElementById("say")?.focus());
  };
  const tabbed = narrow && !across && has;
  return (
    <>
      <Header at="watch" />
      <main id="main" tabIndex={-1} data-theatre={String(theatre)} data-chat={String(shown)} data-tab={tabbed ? tab : undefined}>
        {(across || (tabbed && tab === "chat")) && <h1 class="unseen">{title}</h1>}
        <div class="stage">
          <Screen
            list={list}
            below={isWindow(seconds) && <Timeline list={list} most={seconds} played={played} />}
            title={title}
            played={played}
            around={{
              ...(narrow ? {} : { theatre: { on: theatre, toggle: () => setTheatre(!theatre) } }),
              ...(has && !tabbed ? { chat: { shown, toggle: toggleChat } } : {}),
            }}
            keys={{ theatre: () => setTheatre(!theatre), chat: toWriting, keys: () => setKeys(true) }}
          />
          {tabbed && <Tabs tab={tab} onTab={setTab} />}
          <About name={name} title={title} list={list} stream={stream} played={played} onKeys={() => setKeys(true)} />
        </div>
        {has && (shown || tabbed) && <ChatPanel id={name} />}
      </main>
      {keys && <KeysDialog onClose={() => setKeys(false)} />}
    </>
  );

  function Tabs({ tab, onTab }: { tab: "chat" | "about"; onTab(tab: "chat" | "about"): void }) {
    const names = [["chat", w.chatTab], ["about", w.aboutTab]] as const;
    return (
      <div class="tabs" role="tablist" aria-label={w.parts}>
        {names.map(([id, word]) => (
          <button type="button" role="tab" id={`tab-${id}`} aria-selected={tab === id} aria-controls={id} tabIndex={tab === id ? 0 : -1} onClick={() => onTab(id)} onKeyDown={(event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            const other = tab === "chat" ? "about" : "chat";
            onTab(other);
            document.getElementById(`tab-${other}`)?.focus();
          }}>
            {word}
          </button>
        ))}
      </div>
    );
  }
}

playSoon(list);
void mount(Watch);
