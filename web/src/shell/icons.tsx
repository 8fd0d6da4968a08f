// The icons of the pages: outlines of 24 by 24, in the colour of the text around them.

const OUTLINES = {
  system: "M3.5 5.5h17v11h-17zM9 20h6M12 16.5V20",
  light: "M12 7.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  dark: "M20 14.2A8.2 8.2 0 0 1 9.8 4 8.2 8.2 0 1 0 20 14.2z",
  search: "M10.8 4a6.8 6.8 0 1 1 0 13.6 6.8 6.8 0 0 1 0-13.6zM15.8 15.8 20.5 20.5",
  copy: "M9 9h11v11H9zM5.5 15H4V4h11v1.5",
  done: "m5 12.5 4.5 4.5L19 7.5",
  eye: "M2.5 12s3.5-6.5 9.5-6.5 9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z",
  more: "M12 6h.01M12 12h.01M12 18h.01",
  send: "M4 12h15M13 6l6 6-6 6",
  pin: "M9 4h6l-1 6 3.5 3h-11L10 10zM12 13v7",
  cross: "M6 6l12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof OUTLINES;

export function Icon({ name }: { name: IconName }) {
  return <Outline path={OUTLINES[name]} />;
}

/** An icon that one page alone has. */
export function Outline({ path }: { path: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
