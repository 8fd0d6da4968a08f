// The load, as the server tells it (docs/reference/load.md).

import { ask } from "../api.ts";

export type Card = { name: string; driver: string; busy_percent: number | null; encoder_percent: number | null; memory_used_bytes: number | null; memory_total_bytes: number | null };

export type StreamLoad = {
  name: string;
  title?: string | null;
  from: string;
  state: string;
  in_bps: number;
  out_bps: number;
  viewers: number;
  encoder: string | null;
  cpu_percent: number | null;
  speed: number | null;
  dropped_frames: number | null;
};

export type Load = {
  at_ms: number;
  server: { version: string; uptime_s: number; cpu_percent: number | null; memory_bytes?: number | null };
  machine: {
    cpu: { busy_percent: number | null; cores_percent: (number | null)[]; pressure_percent: number | null };
    memory: { total_bytes: number; available_bytes: number; limit_bytes: number | null; limit_used_bytes: number | null };
    disks: { path: string; total_bytes: number; free_bytes: number; full_in_s: number | null }[];
    drives: { name: string; read_bytes_s: number; written_bytes_s: number }[];
    network: { in_bps: number; out_bps: number };
    gpus: Card[];
  };
  streams: StreamLoad[];
};

export type LoadStep = {
  at_ms: number;
  cpu_percent: number | null;
  memory_used_bytes: number;
  in_bps: number;
  out_bps: number;
  written_bytes_s: number;
  gpu_percent: number | null;
};

export const load = (): Promise<Load> => ask("GET", "/api/v1/load");
export const loadHistory = (): Promise<{ step_s: number; items: LoadStep[] }> => ask("GET", "/api/v1/load/history?seconds=300");

/** Memory in use, and how much there may be. */
export function memoryOf({ memory }: Load["machine"]): { used: number; total: number } {
  if (memory.limit_bytes !== null && memory.limit_used_bytes !== null) return { used: memory.limit_used_bytes, total: memory.limit_bytes };
  return { used: memory.total_bytes - memory.available_bytes, total: memory.total_bytes };
}
