// Слова этой страницы.

export { shell } from "../shell.ts";
