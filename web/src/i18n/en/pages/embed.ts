// The words of this page.

export { watch } from "../watch.ts";
