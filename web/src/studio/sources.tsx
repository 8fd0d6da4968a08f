// Camera, screen or both, and which devices.

import { useEffect, useState } from "preact/hooks";
import { studioWords } from "../i18n/words.ts";
import { choose, type Device, devices, type Kind } from "./devices.ts";
import { StudioIcon } from "./icons.tsx";
import type { Source, What } from "./source.ts";

export function What({ now, onTake }: { now: What | undefined; onTake(what: What): void }) {
  const w = studioWords();
  const screens = "getDisplayMedia" in navigator.mediaDevices;
  const all = (screens ? ["camera", "screen", "both"] : ["camera"]) as What[];
  return (
    <div class="what" role="group" aria-label={w.begin}>
      {all.map((one) => (
        <button type="button" class="button" id={`take-${one}`} aria-pressed={now === one} onClick={() => onTake(one)}>
          <StudioIcon name={one} />
          {w[one]}
        </button>
      ))}
    </div>
  );
}

export function Devices({ source, version, onChange }: { source: Source; version: number; onChange(): void }) {
  const w = studioWords();
  const [all, setAll] = useState<Record<Kind, Device[]>>({ camera: [], microphone: [] });
  useEffect(() => {
    const look = () => void devices().then(setAll, () => undefined);
    look();
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => navigator.mediaDevices.removeEventListener("devicechange", look);
  }, [version]);
  const field = (kind: Kind, label: string, track: MediaStreamTrack | undefined) => (
    <label class="labelled">
      <span>{label}</span>
      <select class="field" id={kind} value={track?.getSettings().deviceId ?? ""} disabled={all[kind].length < 2} onChange={(event) => {
        choose(kind, event.currentTarget.value);
        onChange();
      }}>
        {all[kind].map((one) => <option value={one.id}>{one.name}</option>)}
      </select>
    </label>
  );
  return (
    <>
      {source.what === "camera" && all.camera.length > 0 && field("camera", w.cameraDevice, source.video)}
      {all.microphone.length > 0 && field("microphone", w.microphone, source.audio)}
    </>
  );
}
