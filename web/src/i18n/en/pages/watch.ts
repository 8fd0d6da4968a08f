// The words of this page.

export { shell } from "../shell.ts";
export { watch } from "../watch.ts";
