// Where to: a stream with its key, the one that this browser had before, or a new one.

import { ApiError, ask, register, streamPath } from "../api.ts";
import { remember, remembered } from "../shell/storage.ts";

export type Target = {
  address: string;
  bearer: string | undefined;
  /** Gets another bearer, where one opens a single session. */
  renew?: () => Promise<string>;
  /** The public name, where it is known. */
  name: string | undefined;
  /** What opens the owner's figures and moderation. */
  owner: string | undefined;
};

type Own = { public_id: string; private_id: string; stream_key: string };

const whip = (name: string) => `/live/${encodeURIComponent(name)}/whip`;

/** Finds out where to send. `stream` is what the page's address names; `key` what was typed. */
export async function targetOf(title: string, stream: string | undefined, key: string): Promise<Target> {
  if (key.startsWith("prv_") && stream !== undefined) {
    const renew = async () => (await ask<{ token: string }>("POST", `/start_wrtc_stream/${encodeURIComponent(stream)}`, { bearer: key })).token;
    return { address: whip(stream), bearer: await renew(), renew, name: stream, owner: key };
  }
  if (key !== "") return { address: whip(stream ?? key), bearer: key, name: stream, owner: undefined };
  if (stream !== undefined) return { address: whip(stream), bearer: undefined, name: stream, owner: undefined };
  const own = (await ours(title)) ?? (await fresh(title));
  return { address: whip(own.public_id), bearer: own.stream_key, name: own.public_id, owner: own.private_id };
}

/** The stream that this browser registered before, if the server still has it. */
async function ours(title: string): Promise<Own | undefined> {
  let own: Own;
  try {
    own = JSON.parse(remembered("own") ?? "") as Own;
    const known = await ask<{ name: string }>("GET", streamPath(own.public_id));
    if (known.name !== title) await ask("PATCH", streamPath(own.public_id), { body: { name: title } });
    return own;
  } catch (error) {
    // Who is not the operator takes another stream for another title; one that is gone is forgotten.
    if (error instanceof ApiError && error.status === 0) throw error;
    return undefined;
  }
}

async function fresh(title: string): Promise<Own> {
  const { public_id, private_id, stream_key } = await register(title);
  const own = { public_id, private_id, stream_key };
  remember("own", JSON.stringify(own));
  return own;
}
