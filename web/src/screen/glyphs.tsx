// The icons of the player.

const PLAY = "M8 5.2v13.6a.8.8 0 0 0 1.2.7l11-6.8a.8.8 0 0 0 0-1.4l-11-6.8A.8.8 0 0 0 8 5.2z";
const SPEAKER = "M4 9.5v5h3.2L12 18.6V5.4L7.2 9.5z";

const GLYPHS = {
  play: [PLAY, ""],
  pause: ["M7 5h3.4v14H7zM13.6 5H17v14h-3.4z", ""],
  audible: [SPEAKER, "M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11"],
  muted: [SPEAKER, "m16 9.5 5 5m0-5-5 5"],
  full: ["", "M4 9V5a1 1 0 0 1 1-1h4m6 0h4a1 1 0 0 1 1 1v4m0 6v4a1 1 0 0 1-1 1h-4m-6 0H5a1 1 0 0 1-1-1v-4"],
  small: ["", "M9 4v4a1 1 0 0 1-1 1H4m16 0h-4a1 1 0 0 1-1-1V4m0 16v-4a1 1 0 0 1 1-1h4M4 15h4a1 1 0 0 1 1 1v4"],
  float: ["M12 12h7.5v5.5H12z", "M21 10V6a1 1 0 0 0-1-1H4a1 1 0 0 0-1 1v11a1 1 0 0 0 1 1h5"],
  theatre: ["", "M3 7.5h18v9H3z"],
  captions: ["", "M3.5 6h17v12h-17zM10.5 10.8a2 2 0 1 0 0 2.4M17 10.8a2 2 0 1 0 0 2.4"],
  chat: ["", "M4 5h16v11H10.5L6 19.5V16H4z"],
} as const;

export type GlyphName = keyof typeof GLYPHS;

export function Glyph({ name }: { name: GlyphName }) {
  const [fill, stroke] = GLYPHS[name];
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      {fill !== "" && <path class="fill" d={fill} />}
      {stroke !== "" && <path d={stroke} />}
    </svg>
  );
}
