// The colour of a name: the hue that the server gave, as light or dark as can be read on the ground.

const WANTED = 4.6;
/** The grounds of the pages' two themes (style.css). */
const LIGHT = luminance([255, 255, 255]);
const DARK = luminance([28, 33, 44]);

/** The same hue for the light and for the dark theme. */
export function nameColours(hue: number): { onLight: string; onDark: string } {
  return { onLight: search(hue, 70, LIGHT, [60, -2]), onDark: search(hue, 75, DARK, [52, 2]) };
}

function search(hue: number, saturation: number, ground: number, [from, step]: [number, number]): string {
  let lightness = from;
  while (lightness > 8 && lightness < 96 && contrast(luminance(rgbOf(hue, saturation, lightness)), ground) < WANTED) lightness += step;
  return `hsl(${Math.round(hue)} ${saturation}% ${lightness}%)`;
}

export function rgbOf(hue: number, saturation: number, lightness: number): [number, number, number] {
  const [s, l] = [saturation / 100, lightness / 100];
  const part = (n: number) => {
    const k = (n + hue / 30) % 12;
    return 255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  };
  return [part(0), part(8), part(4)];
}

export function luminance([r, g, b]: readonly [number, number, number]): number {
  const linear = (part: number) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

export function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
