// What the player remembers from one visit to the next.

import { remember, remembered } from "../shell/storage.ts";

const RATE = "rate";
const VOLUME = "volume";
/** What a network is taken for before anything is known of it, bits a second. */
const UNKNOWN = 4_000_000;

let lastKept = 0;

/** The rate that the network gave last, bits a second. */
export function lastRate(): number {
  const rate = Number(remembered(RATE));
  return Number.isFinite(rate) && rate > 0 ? rate : UNKNOWN;
}

export function rememberRate(rate: number): void {
  if (!Number.isFinite(rate) || Math.abs(rate - lastKept) < lastKept / 5) return;
  lastKept = rate;
  remember(RATE, String(Math.round(rate)));
}

/** The viewer's volume, from 0 to 1. */
export function lastVolume(): number {
  const text = remembered(VOLUME);
  const volume = text === null ? 1 : Number(text);
  return volume >= 0 && volume <= 1 ? volume : 1;
}

export function rememberVolume(volume: number): void {
  remember(VOLUME, String(volume));
}
