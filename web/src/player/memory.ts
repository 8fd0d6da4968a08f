// What is remembered from one visit to the next. Storage may be refused (private windows, foreign frames): then nothing is.

const RATE = "msconv.rate";
const VOLUME = "msconv.volume";
/** What a network is taken for before anything is known of it, bits a second. */
const UNKNOWN = 4_000_000;

let remembered = 0;

/** The rate that the network gave last, bits a second. */
export function lastRate(): number {
  const rate = Number(get(RATE));
  return Number.isFinite(rate) && rate > 0 ? rate : UNKNOWN;
}

export function rememberRate(rate: number): void {
  if (!Number.isFinite(rate) || Math.abs(rate - remembered) < remembered / 5) return;
  remembered = rate;
  set(RATE, String(Math.round(rate)));
}

/** The viewer's volume, from 0 to 1. */
export function lastVolume(): number {
  const text = get(VOLUME);
  const volume = text === null ? 1 : Number(text);
  return volume >= 0 && volume <= 1 ? volume : 1;
}

export function rememberVolume(volume: number): void {
  set(VOLUME, String(volume));
}

function get(key: string): string | null {
  try {
    return window.localStorage.getItem(key);
  } catch {
    return null;
  }
}

function set(key: string, value: string): void {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // Then not.
  }
}
