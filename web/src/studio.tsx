// Going live from the browser.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api.ts";
import { studioWords } from "./i18n/words.ts";
import { qualityOf } from "./rules/quality.ts";
import { Header } from "./shell/header.tsx";
import { mount } from "./shell/mount.tsx";
import { remember, remembered } from "./shell/storage.ts";
import { useAwake } from "./studio/awake.ts";
import { Broadcast, type OnAir } from "./studio/broadcast.ts";
import { Cannot } from "./studio/cannot.tsx";
import { OnAirView } from "./studio/on_air.tsx";
import { type Form, Setup } from "./studio/setup.tsx";
import { Source, type What } from "./studio/source.ts";
import { type Target, targetOf } from "./studio/target.ts";

const stream = new URLSearchParams(location.search).get("stream") ?? undefined;
const capable = window.isSecureContext && "mediaDevices" in navigator && "RTCPeerConnection" in window;

function Studio() {
  const w = studioWords();
  const [version, setVersion] = useState(0);
  const [trouble, setTrouble] = useState<string>();
  const [starting, setStarting] = useState(false);
  const [onAir, setOnAir] = useState<OnAir>();
  const [form, setForm] = useState<Form>(() => ({
    title: remembered("title") ?? "",
    quality: qualityOf(remembered("quality")).name,
    key: remembered("key") ?? "",
    keep: remembered("key") !== null,
  }));
  const target = useRef<Target | undefined>(undefined);
  const broadcast = useRef<Broadcast | undefined>(undefined);
  const source = useSource(() => {
    setVersion((n) => n + 1);
    broadcast.current?.replace();
  }, () => broadcast.current === undefined ? source.end() : void take("camera"));
  useAwake(onAir !== undefined);
  useEffect(() => {
    document.title = `${onAir?.state === "live" ? `● ${w.live}` : w.title} · msconv`;
  });

  const take = async (what: What) => {
    setTrouble(undefined);
    try {
      await source.take(what, qualityOf(form.quality));
    } catch (error) {
      setTrouble(whyNot(error, what));
    }
  };
  const change = (change: Partial<Form>) => {
    setForm({ ...form, ...change });
    if (change.quality !== undefined) remember("quality", change.quality);
  };
  const start = async () => {
    setTrouble(undefined);
    setStarting(true);
    remember("title", form.title);
    remember("key", form.keep && form.key !== "" ? form.key : undefined);
    try {
      target.current = await targetOf(form.title.trim() || w.usualName, stream, form.key);
      broadcast.current = new Broadcast(target.current, source, qualityOf(form.quality), heard);
    } catch (error) {
      refused(error);
    }
  };
  const heard = (now: OnAir) => {
    if (now.state === "refused") {
      stop();
      refused(now.why);
    } else {
      setOnAir(now);
    }
  };
  const refused = (error: unknown) => {
    setStarting(false);
    const status = error instanceof ApiError ? error.status : -1;
    const why = error instanceof Error ? error.message : "";
    if (status === 401 || status === 403) {
      setTrouble(form.key === "" ? w.needsKey : w.wrongKey);
      window.setTimeout(() => document.getElementById("key")?.focus());
    } else {
      setTrouble(status === 409 ? w.taken : w.failed(why));
    }
  };
  const stop = () => {
    broadcast.current?.end();
    broadcast.current = undefined;
    setOnAir(undefined);
    setStarting(false);
  };
  return (
    <>
      <Header at="studio" />
      {!capable ? (
        <Cannot insecure={!window.isSecureContext} />
      ) : onAir === undefined || onAir.sinceMs === undefined ? (
        <Setup source={source} version={version} form={form} stream={stream} trouble={trouble} starting={starting} onForm={change} onTake={(what) => void take(what)} onStart={() => void start()} />
      ) : (
        <OnAirView source={source} version={version} onAir={onAir} owner={target.current?.owner} trouble={trouble} onTake={(what) => void take(what)} onMuted={() => setVersion((n) => n + 1)} onStop={stop} />
      )}
    </>
  );
}

/** The source, for as long as the page lives; what it calls is that of the last drawing. */
function useSource(changed: () => void, ended: () => void): Source {
  const calls = useRef({ changed, ended });
  calls.current = { changed, ended };
  const source = useRef<Source | undefined>(undefined);
  source.current ??= new Source(() => calls.current.changed(), () => calls.current.ended());
  return source.current;
}

function whyNot(error: unknown, what: What): string {
  const w = studioWords();
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return what === "camera" ? w.blocked : w.noScreen;
  if (name === "NotFoundError") return w.noDevice;
  if (name === "NotReadableError" || name === "AbortError") return w.busy;
  return w.failed(String(error));
}

void mount(Studio);
