// What a rendition is called in a menu.

import type { Rendition } from "./multivariant.ts";

/** The best first. */
export function ordered(renditions: readonly Rendition[]): Rendition[] {
  return [...renditions].sort((a, b) => b.height - a.height || b.bitsPerSecond - a.bitsPerSecond);
}

/** `720p`; of what has no size its rate. */
export function nameOf(rendition: Rendition, language: string): string {
  const { width, height } = rendition;
  return height > 0 ? `${Math.min(height, width || Infinity)}p` : rateOf(rendition.bitsPerSecond, language);
}

export function rateOf(bitsPerSecond: number, language: string): string {
  return `${(bitsPerSecond / 1e6).toLocaleString(language, { maximumFractionDigits: 1 })} ${language === "ru" ? "Мбит/с" : "Mb/s"}`;
}

/** How late it is, in the language's digits: `0.8 s`, `< 0.1 s`; nothing that nobody believes. */
export function delayText(seconds: number | undefined, language: string, unit: string): string {
  if (seconds === undefined || !(seconds > -0.5 && seconds < 600)) return "";
  const small = seconds < 0.05;
  const figure = (small ? 0.1 : seconds).toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return `${small ? "< " : ""}${figure} ${unit}`;
}
