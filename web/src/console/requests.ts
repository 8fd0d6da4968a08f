// What the console asks of the server: documented requests, all of them (docs/reference/openapi.json).

import { ask, type Registered, type Session, type ShownStream, streamPath } from "../api.ts";

export type Source =
  | { type: "file"; path: string; once?: boolean }
  | { type: "device"; device: string; audio_device?: string }
  | { type: "pull"; url: string }
  | { type: "test" };

export type SourceState = "off" | "starting" | "live" | "retrying" | "failed";

export type Stream = ShownStream & {
  listed: boolean;
  read: "anyone" | "owner";
  ladder?: string;
  expires_at?: string;
  source?: { type: Source["type"]; from: string; state: SourceState; why?: string };
};

export type StreamSettings = {
  name?: string;
  slug?: string;
  ladder?: string | null;
  listed?: boolean;
  chat?: boolean;
  read?: "anyone" | "owner";
  source?: Source | null;
};

export type Token = { token_id: string; label: string; scopes: string; created_at: string; used_at?: string | null; expires_at?: string | null; token?: string | null };
export type Hook = { hook_id: string; url: string; types: string[]; enabled: boolean; failing_since?: string | null; why?: string | null; secret?: string | null };
export type Happened = { seq: number | null; id: string; type: string; public_id?: string | null; at: string; data: Record<string, unknown> };

type Listed<Item> = { items: Item[]; next: string | null };

/** All items of a list, up to a thousand. */
async function all<Item>(path: string): Promise<Item[]> {
  const first = await ask<Listed<Item>>("GET", `${path}?limit=500`);
  if (first.next === null) return first.items;
  const second = await ask<Listed<Item>>("GET", `${path}?limit=500&after=${encodeURIComponent(first.next)}`);
  return [...first.items, ...second.items];
}

export const streams = (): Promise<Stream[]> => all("/api/v1/streams");
export const addStream = (settings: StreamSettings): Promise<Registered> => ask("POST", "/api/v1/streams", { body: settings });
export const changeStream = (id: string, settings: StreamSettings): Promise<Stream> => ask("PATCH", streamPath(id), { body: settings });
export const removeStream = (id: string): Promise<void> => ask("DELETE", streamPath(id));
export const startSource = (id: string): Promise<Stream> => ask("POST", streamPath(id, "/start"));
export const stopSource = (id: string): Promise<Stream> => ask("POST", streamPath(id, "/stop"));
export const newKey = (id: string): Promise<{ stream_key: string }> => ask("POST", streamPath(id, "/key"));

export const tokens = (): Promise<Token[]> => all("/api/v1/tokens");
export const addToken = (label: string, scopes: string): Promise<Token> => ask("POST", "/api/v1/tokens", { body: { label, scopes } });
export const removeToken = (id: string): Promise<void> => ask("DELETE", `/api/v1/tokens/${encodeURIComponent(id)}`);

export const hooks = (): Promise<Hook[]> => all("/api/v1/hooks");
export const addHook = (url: string, types: string[]): Promise<Hook> => ask("POST", "/api/v1/hooks", { body: { url, types } });
export const changeHook = (id: string, enabled: boolean): Promise<Hook> => ask("PATCH", `/api/v1/hooks/${encodeURIComponent(id)}`, { body: { enabled } });
export const removeHook = (id: string): Promise<void> => ask("DELETE", `/api/v1/hooks/${encodeURIComponent(id)}`);
export const testHook = (id: string): Promise<{ ok: boolean; status?: number; why?: string }> => ask("POST", `/api/v1/hooks/${encodeURIComponent(id)}/test`);

export const happened = (): Promise<Listed<Happened>> => ask("GET", "/api/v1/events?after=-100&limit=100");

export const signIn = (password: string, setup: string | undefined): Promise<Session> => ask("POST", "/api/v1/session", { body: setup === undefined ? { password } : { password, setup } });
export const setPassword = (password: string): Promise<Session> => ask("POST", "/api/v1/session", { body: { password, set: true } });
export const signOut = (): Promise<void> => ask("DELETE", "/api/v1/session");
export const setupLink = (): Promise<{ url: string }> => ask("POST", "/api/v1/session/setup");
