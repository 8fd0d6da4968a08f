// Words in each language. A dictionary is a file in en/ and one in ru/; the type of the first holds the second.

import type { Language } from "../rules/language.ts";
import { languageNow } from "../shell/preferences.ts";

/** The words of a part of the pages in the viewer's language, as of now. */
export function dictionary<Words>(languages: Record<Language, Words>): () => Words {
  return () => languages[languageNow()];
}
