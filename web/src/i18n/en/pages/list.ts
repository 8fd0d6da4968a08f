// The words of this page.

export { list } from "../list.ts";
export { shell } from "../shell.ts";
