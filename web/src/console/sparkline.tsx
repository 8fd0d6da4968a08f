// A value and how it was over the last minutes.

import type { ComponentChildren } from "preact";
import { pointsOf, topOf } from "../rules/curve.ts";

const PLACES = 150;
const [WIDTH, HEIGHT] = [240, 44];

export type Curve = { values: readonly (number | null)[]; most?: number; tone?: "second" };

/** What it says, the figure now, and curves below it. */
export function Tile({ name, value, more, curves }: { name: string; value: ComponentChildren; more?: ComponentChildren; curves: readonly Curve[] }) {
  const top = topOf(curves.flatMap((curve) => curve.values), 1);
  return (
    <section class="tile">
      <h2>{name}</h2>
      <p class="figure">{value}</p>
      {more !== undefined && <p class="more">{more}</p>}
      <svg class="curve" viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`} preserveAspectRatio="none" aria-hidden="true">
        {curves.map(({ values, most, tone }) => {
          const points = pointsOf(values, PLACES, most ?? top, WIDTH, HEIGHT);
          const first = points.split(",")[0];
          return (
            <g class={tone ?? "first"}>
              {points !== "" && <polygon points={`${first},${HEIGHT} ${points} ${WIDTH},${HEIGHT}`} />}
              <polyline points={points} vector-effect="non-scaling-stroke" />
            </g>
          );
        })}
      </svg>
    </section>
  );
}
