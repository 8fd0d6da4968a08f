// The renditions that a multivariant playlist names.

export type Rendition = { label: string; width: number; height: number; bitsPerSecond: number };

/** The label in the address of a rendition's playlist, `LABEL/i.m3u8`. */
export function labelOf(address: string): string {
  return decoded(address.split(/[?#]/)[0]?.split("/").at(-2) ?? "");
}

export function renditionsOf(playlist: string): Rendition[] {
  const found: Rendition[] = [];
  let attributes: string | undefined;
  for (const line of playlist.split(/\r?\n/)) {
    if (line.startsWith("#EXT-X-STREAM-INF:")) {
      attributes = line;
    } else if (attributes !== undefined && line !== "" && !line.startsWith("#")) {
      const size = /[:,]RESOLUTION=(\d+)x(\d+)/.exec(attributes);
      const label = labelOf(line);
      if (label !== "") {
        found.push({
          label,
          width: Number(size?.[1] ?? 0),
          height: Number(size?.[2] ?? 0),
          bitsPerSecond: Number(/[:,]BANDWIDTH=(\d+)/.exec(attributes)?.[1] ?? 0),
        });
      }
      attributes = undefined;
    }
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
