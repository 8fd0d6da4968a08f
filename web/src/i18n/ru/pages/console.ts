// Слова этой страницы.

export { console } from "../console.ts";
export { shell } from "../shell.ts";
