// The words of what this page loads later.

export { chat } from "../chat.ts";
