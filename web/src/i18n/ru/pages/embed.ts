// Слова этой страницы.

export { watch } from "../watch.ts";
