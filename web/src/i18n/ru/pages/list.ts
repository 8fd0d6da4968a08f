// Слова этой страницы.

export { list } from "../list.ts";
export { shell } from "../shell.ts";
