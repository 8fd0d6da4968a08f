// The words of this page.

export { shell } from "../shell.ts";
