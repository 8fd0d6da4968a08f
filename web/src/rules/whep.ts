// What stands in the addresses, requests and answers of WHEP.

import type { Reason } from "./transport.ts";

/** Where to ask for the stream whose list is at `list`: automatic, or one rendition of it. */
export function whepAddress(list: string, label: string | undefined): string {
  const path = list.replace(/\?.*$/s, "").replace(/index\.m3u8$/, "whep");
  return label === undefined ? path : `${path}?rendition=${encodeURIComponent(label)}`;
}

/** What the list's address shows to be let in, as a field of requests; none if it shows nothing. */
export function authorization(list: string): string | undefined {
  const shown = new URLSearchParams(list.split("?")[1] ?? "");
  const [user, pass, token] = [shown.get("user"), shown.get("pass"), shown.get("token")];
  if (user !== null && pass !== null) {
    const bytes = new TextEncoder().encode(`${user}:${pass}`);
    return `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }
  return token === null ? undefined : `Bearer ${token}`;
}

/** What a server means that does not take an offer. */
export type Refusal = "absent" | Reason;

export function refusalOf(status: number, sentence: string): Refusal {
  if (status === 404) return "absent";
  if (status !== 406) return "refused";
  return sentence.includes("B-frames") ? "reordered" : "codec";
}

/** The server's sentence without the address that it ends with, which is for people without this page. */
export function sentenceOf(text: string): string {
  return (text.split("; over HLS it is there:")[0] ?? "").trim();
}

/** An offer by which Opus may come in stereo. Without that word browsers decode it to mono (RFC 7587, 7.1). */
export function withStereo(offer: string): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im.exec(offer)?.[1];
  if (opus === undefined) return offer;
  return offer.replace(new RegExp(`^(a=fmtp:${opus} (?!.*\\bstereo=).*?)(\\r?)$`, "m"), "$1;stereo=1$2");
}

/** Longest field that is read, and most servers out of it. */
const LONGEST_LINK = 4096;
const MOST_SERVERS = 8;

/** The servers for a way through networks that an answer names (RFC 9725, 4.6): `<turn:…>; rel="ice-server"; username="…"`. */
export function iceServers(link: string | null): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  for (const one of (link ?? "").slice(0, LONGEST_LINK).matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))*)/g)) {
    const [, urls = "", rest = ""] = one;
    const named = new Map<string, string>();
    for (const [, name = "", quoted, plain] of rest.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))/g)) {
      named.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
    }
    if (named.get("rel") !== "ice-server" || !/^(stun|turn)s?:/.test(urls) || servers.length === MOST_SERVERS) continue;
    const [username, credential] = [named.get("username"), named.get("credential")];
    servers.push({ urls, ...(username === undefined ? {} : { username }), ...(credential === undefined ? {} : { credential }) });
  }
  return servers;
}
