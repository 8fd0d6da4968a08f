// The words of the list.

import { dictionary } from "./dictionary.ts";
import { list as en } from "./en/list.ts";
import { list as ru } from "./ru/list.ts";

export const listWords = dictionary({ en, ru });
