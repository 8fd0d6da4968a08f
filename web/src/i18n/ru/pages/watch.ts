// Слова этой страницы.

export { shell } from "../shell.ts";
export { watch } from "../watch.ts";
