// What is remembered from one visit to the next. Storage may be refused (private windows, foreign frames): then nothing is.

export function remembered(key: string): string | null {
  try {
    return window.localStorage.getItem(`msconv.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string | undefined): void {
  try {
    if (value === undefined) window.localStorage.removeItem(`msconv.${key}`);
    else window.localStorage.setItem(`msconv.${key}`, value);
  } catch {
    // Then not.
  }
}
