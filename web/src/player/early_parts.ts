// Fetches at once what the player begins with: hls.js asks for one part after the other, and a segment has twenty.

/** Parts of one request at most. */
const MOST = 40;

/** The addresses of the parts from the last one that can be begun with, as the playlist at `base` names them. */
export function firstParts(playlist: string, base: string): string[] {
  const parts: string[] = [];
  for (const line of playlist.split("\n")) {
    if (!line.startsWith("#EXT-X-PART:") || line.includes("GAP=YES")) continue;
    const uri = /URI="([^"]+)"/.exec(line)?.[1];
    if (uri === undefined) continue;
    if (line.includes("INDEPENDENT=YES")) parts.length = 0;
    parts.push(new URL(uri, base).href);
  }
  return parts.slice(0, MOST);
}

/** Has the browser fetch them into its cache, from which hls.js then gets them. */
export function fetchEarly(addresses: readonly string[]): void {
  for (const address of addresses) fetch(address).then((answer) => answer.arrayBuffer()).catch(() => undefined);
}
