// Where a media playlist ends, as a word that changes when something new is listed.

/** The last part and the last segment of the playlist. */
export function playlistEnd(text: string): string {
  let part = "";
  let segment = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("#EXT-X-PART:")) part = line;
    else if (line !== "" && !line.startsWith("#")) segment = line;
  }
  return `${segment} ${part}`;
}
