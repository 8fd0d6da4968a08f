// The words of this page.

export { console } from "../console.ts";
export { shell } from "../shell.ts";
