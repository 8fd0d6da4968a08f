// How long something has lasted, as far as anybody wants to know.

export type Span = { days: number; hours: number; minutes: number };

/** Whole days, hours and minutes between two moments; nothing where clocks disagree. */
export function spanOf(beginMs: number, nowMs: number): Span {
  const minutes = Math.floor(Math.max(0, nowMs - beginMs) / 60_000);
  return { days: Math.floor(minutes / 1440), hours: Math.floor(minutes / 60) % 24, minutes: minutes % 60 };
}

/** `1:02:13`, or `02:13` where it is less than an hour. */
export function clockOf(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(seconds / 3600);
  return [...(hours > 0 ? [String(hours)] : []), ...parts].join(":");
}
