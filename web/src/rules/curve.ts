// A small curve of values over time, as the points of an SVG polyline.

/** Points within `width` by `height`, the newest at the right; `most` is the top. Values that are not known leave out their point. */
export function pointsOf(values: readonly (number | null)[], places: number, most: number, width: number, height: number): string {
  const shown = values.slice(-places);
  const step = width / Math.max(1, places - 1);
  const left = width - step * (shown.length - 1);
  const points: string[] = [];
  shown.forEach((value, at) => {
    if (value === null) return;
    const share = most > 0 ? Math.min(1, Math.max(0, value / most)) : 0;
    points.push(`${round(left + at * step)},${round(height - share * height)}`);
  });
  return points.join(" ");
}

/** The top of a curve that has none of its own: a round number above all values. */
export function topOf(values: readonly (number | null)[], least: number): number {
  const most = values.reduce<number>((top, value) => Math.max(top, value ?? 0), least);
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= most) ?? most;
}

const round = (value: number): number => Math.round(value * 10) / 10;
