// The requests of the pages to the server (docs/reference/openapi.json), and what may come back.

import { ServerClock } from "./rules/clock.ts";

const clock = new ServerClock();

/** The time as the server has it, as far as its answers tell: the viewer's clock may be wrong. */
export const serverNow = (): number => clock.at(Date.now()) ?? Date.now();

/** What the server did not do, in its own words (RFC 9457); `code` is for programs. Status 0: it did not answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfter: number | undefined = undefined,
    readonly fields: readonly { field: string; why: string }[] = [],
  ) {
    super(detail);
  }
}

export type Asked = {
  body?: unknown;
  /** A stream key, a private id or a token. */
  bearer?: string | undefined;
  signal?: AbortSignal;
};

/** Asks, and reads the answer; nothing where it has no body. */
export async function ask<Answer>(method: string, path: string, { body, bearer, signal }: Asked = {}): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer !== undefined) headers["Authorization"] = `Bearer ${bearer}`;
  const how: RequestInit = { method, headers };
  if (body !== undefined) how.body = JSON.stringify(body);
  if (signal !== undefined) how.signal = signal;
  let answer: Response;
  const askedMs = Date.now();
  try {
    answer = await fetch(path, how);
    clock.heard(Date.parse(answer.headers.get("Date") ?? ""), askedMs, Date.now());
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "the server does not answer");
  }
  if (!answer.ok) throw await refusal(answer);
  if (answer.status === 204) return undefined as Answer;
  return (await answer.json()) as Answer;
}

async function refusal(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => "");
  try {
    const told = JSON.parse(text) as { code?: string; detail?: string; retry_after?: number; errors?: { field: string; why: string }[] };
    return new ApiError(answer.status, told.code ?? "", told.detail ?? "", told.retry_after, told.errors);
  } catch {
    return new ApiError(answer.status, "", text.trim().slice(0, 300));
  }
}

export type AirState = "waiting" | "live" | "ended";

export type ListedStream = {
  name: string;
  public_id: string;
  state: AirState;
  viewers: number;
  started_at?: string | null;
  page: string;
  thumbnail: string;
};

export type ShownRendition = { label: string; width: number; height: number; bitrate: number; url: string };

export type ShownStream = {
  public_id: string;
  slug: string;
  name: string;
  description?: string;
  registered: boolean;
  state: AirState;
  chat: boolean;
  viewers: number;
  live_at?: string | null;
  ended_at?: string | null;
  renditions: ShownRendition[];
  page: string;
  hls_url: string;
  whep_url: string;
  rtsp_url: string;
};

export type Registered = {
  public_id: string;
  private_id: string;
  name: string;
  stream_key: string;
  rtmp_url: string;
  whip_url: string;
  page: string;
};

export type Stats = {
  viewers: Record<string, number>;
  renditions: { label: string; steps: { at: string; bitrate: number; fps: number; dropped: number }[] }[];
};

export type Session = { operator: boolean; has_password: boolean };

/** The path of a stream in the API. */
export const streamPath = (id: string, rest = ""): string => `/api/v1/streams/${encodeURIComponent(id)}${rest}`;

export const streams = (all: boolean): Promise<ListedStream[]> => ask("GET", all ? "/streams?state=all" : "/streams");
export const stream = (id: string, bearer?: string): Promise<ShownStream> => ask("GET", streamPath(id), { bearer });
export const register = (title: string): Promise<Registered> => ask("POST", `/start_stream?name=${encodeURIComponent(title)}`);
export const stats = (id: string, seconds: number, bearer?: string): Promise<Stats> => ask("GET", streamPath(id, `/stats?seconds=${seconds}`), { bearer });
export const session = (): Promise<Session> => ask("GET", "/api/v1/session");
