// The words of what stands on every page.

import { dictionary } from "./dictionary.ts";
import { shell as en } from "./en/shell.ts";
import { shell as ru } from "./ru/shell.ts";

export const shellWords = dictionary({ en, ru });
