// What is sent: size, frames, and bits a second at most.

export type Quality = { name: string; width: number; height: number; fps: number; bitsPerSecond: number };

export const QUALITIES: readonly Quality[] = [
  { name: "1080p 30", width: 1920, height: 1080, fps: 30, bitsPerSecond: 4_500_000 },
  { name: "720p 60", width: 1280, height: 720, fps: 60, bitsPerSecond: 3_500_000 },
  { name: "720p 30", width: 1280, height: 720, fps: 30, bitsPerSecond: 2_500_000 },
  { name: "480p 30", width: 854, height: 480, fps: 30, bitsPerSecond: 1_200_000 },
];

const USUAL = 2;

export function qualityOf(name: string | null): Quality {
  return QUALITIES.find((one) => one.name === name) ?? (QUALITIES[USUAL] as Quality);
}

/** How long after so many failures in a row it is tried again, milliseconds. */
export function againMs(failures: number): number {
  return Math.min(10_000, 500 * 2 ** Math.max(0, failures - 1));
}
