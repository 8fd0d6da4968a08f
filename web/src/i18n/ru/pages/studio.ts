// Слова этой страницы.

export { chat } from "../chat.ts";
export { shell } from "../shell.ts";
export { studio } from "../studio.ts";
