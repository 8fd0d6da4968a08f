// The words of this page.

export { chat } from "../chat.ts";
export { shell } from "../shell.ts";
export { watch } from "../watch.ts";
