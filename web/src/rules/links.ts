// The addresses within a message. Everything else is plain text.

export type Piece = { text: string; href?: string };

/** Text in pieces, of which some are addresses of web pages. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)) {
    const address = trimmed(match[0]);
    const href = safe(address);
    if (href === undefined) continue;
    if (match.index > end) found.push({ text: text.slice(end, match.index) });
    found.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) found.push({ text: text.slice(end) });
  return found;
}

/** Without what ends a sentence, and without a bracket that was opened before it. */
function trimmed(address: string): string {
  let text = address.replace(/[.,;:!?…]+$/, "");
  while (text.endsWith(")") && (text.match(/\)/g)?.length ?? 0) > (text.match(/\(/g)?.length ?? 0)) text = text.slice(0, -1);
  return text;
}

function safe(address: string): string | undefined {
  try {
    const url = new URL(address);
    const plain = (url.protocol === "http:" || url.protocol === "https:") && url.username === "" && url.password === "";
    return plain ? url.href : undefined;
  } catch {
    return undefined;
  }
}
