// How a stream is played, as far as a viewer may want to know.

import type { Reason, Transport } from "./transport.ts";

export type Way = {
  transport: Transport;
  /** Why it is not WebRTC, and the server's own sentence for that. */
  reason: Reason | undefined;
  sentence: string;
  /** Why there is no audio, where the stream has some. */
  withoutAudio: string | undefined;
};
