// The text of a message: plain, with its addresses as links that tell the other side nothing.

import { pieces } from "../rules/links.ts";

export function Text({ text }: { text: string }) {
  return (
    <span class="text" dir="auto">
      {pieces(text).map(({ text, href }) =>
        href === undefined ? text : <a href={href} target="_blank" rel="noopener noreferrer nofollow ugc" tabIndex={-1}>{text}</a>,
      )}
    </span>
  );
}
