// Cameras and microphones: which there are, and which were chosen before.

import { remember, remembered } from "../shell/storage.ts";
import type { Quality } from "../rules/quality.ts";

export type Kind = "camera" | "microphone";
export type Device = { id: string; name: string };

/** The devices that there are; names only after one of them was allowed. */
export async function devices(): Promise<Record<Kind, Device[]>> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) =>
    all.filter((one) => one.kind === kind && one.deviceId !== "").map((one, i) => ({ id: one.deviceId, name: one.label || String(i + 1) }));
  return { camera: of("videoinput"), microphone: of("audioinput") };
}

export const chosen = (kind: Kind): string | undefined => remembered(kind) ?? undefined;
export const choose = (kind: Kind, id: string): void => remember(kind, id);

function exactly(id: string | undefined): MediaTrackConstraints {
  return id === undefined ? {} : { deviceId: { exact: id } };
}

/** The camera and the microphone that were chosen; others where those are gone. Without one of the two the other goes alone. */
export async function openDevices(wanted: { camera: boolean; microphone: boolean }, quality: Quality): Promise<MediaStream> {
  const video = (id: string | undefined) => wanted.camera && { ...exactly(id), width: { ideal: quality.width }, height: { ideal: quality.height }, frameRate: { ideal: quality.fps } };
  const audio = (id: string | undefined) => wanted.microphone && { ...exactly(id), echoCancellation: true, noiseSuppression: true };
  const open = (camera: string | undefined, microphone: string | undefined) => navigator.mediaDevices.getUserMedia({ video: video(camera), audio: audio(microphone) });
  try {
    return await open(chosen("camera"), chosen("microphone"));
  } catch (error) {
    if (!(error instanceof DOMException) || (error.name !== "OverconstrainedError" && error.name !== "NotFoundError")) throw error;
  }
  try {
    return await open(undefined, undefined);
  } catch (error) {
    const one = wanted.camera && wanted.microphone && error instanceof DOMException && error.name === "NotFoundError";
    if (!one) throw error;
    const { camera } = await devices();
    return navigator.mediaDevices.getUserMedia(camera.length > 0 ? { video: video(undefined) } : { audio: audio(undefined) });
  }
}

export function openScreen(quality: Quality): Promise<MediaStream> {
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: quality.fps } }, audio: true });
}
