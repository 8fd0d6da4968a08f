// The icons of the studio.

import { Outline } from "../shell/icons.tsx";

const OUTLINES = {
  camera: "M3.5 7h11v10h-11zM14.5 10.5 20.5 7.5v9l-6-3",
  screen: "M3.5 5h17v11.5h-17zM8.5 20h7",
  both: "M3.5 5h17v14h-17zM13 12.5h5v4h-5z",
  mic: "M12 3.5a2.8 2.8 0 0 1 2.8 2.8v5a2.8 2.8 0 0 1-5.6 0v-5A2.8 2.8 0 0 1 12 3.5zM6 11.5a6 6 0 0 0 12 0M12 17.5v3",
} as const;

export function StudioIcon({ name }: { name: keyof typeof OUTLINES }) {
  return <Outline path={OUTLINES[name]} />;
}
