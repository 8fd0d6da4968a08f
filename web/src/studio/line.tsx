// Some values as a line.

import { heights } from "../rules/outgoing.ts";

const WIDTH = 240;
const HEIGHT = 40;
const MOST = 60;

export function Line({ values, label }: { values: readonly number[]; label: string }) {
  const points = heights(values).map((height, i) => `${(WIDTH * (MOST - values.length + i)) / (MOST - 1)},${HEIGHT - 1 - height * (HEIGHT - 3)}`);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}
