// What a key does on a page with a player.

export type KeyAct = "play" | "mute" | "full" | "theatre" | "captions" | "louder" | "quieter" | "back" | "forth" | "live" | "chat" | "keys";

/** Where the key was pressed. */
export type Pressed = { key: string; modified: boolean; inText: boolean; onButton: boolean; inList: boolean };

const ACTS: Record<string, KeyAct> = {
  k: "play",
  m: "mute",
  f: "full",
  t: "theatre",
  c: "captions",
  l: "live",
  "/": "chat",
  "?": "keys",
  // The same keys of a Russian keyboard.
  л: "play",
  ь: "mute",
  а: "full",
  е: "theatre",
  с: "captions",
  д: "live",
};

export function actOf({ key, modified, inText, onButton, inList }: Pressed): KeyAct | undefined {
  if (modified || inText) return undefined;
  const plain = ACTS[key.toLowerCase()];
  if (plain !== undefined) return plain;
  if (onButton || inList) return undefined;
  return ({ " ": "play", ArrowUp: "louder", ArrowDown: "quieter", ArrowLeft: "back", ArrowRight: "forth" } as const)[key];
}
