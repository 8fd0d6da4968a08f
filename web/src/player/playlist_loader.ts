// Loads playlists for hls.js. An answer to a blocking request that has nothing new (the publisher is gone for a moment) is
// asked for again at once: hls.js would wait for a second and then ask without waiting at the server.

import Hls, { type HlsConfig, type Loader, type LoaderCallbacks, type LoaderConfiguration, type LoaderContext, type LoaderResponse, type LoaderStats, type NullableNetworkDetails, type PlaylistLoaderContext } from "hls.js";
import { fetchEarly, firstParts } from "./early_parts.ts";
import { playlistEnd } from "../rules/playlist_end.ts";
import type { ServerClock } from "../rules/clock.ts";

/** What the loader tells of what it sees. */
export type Watched = {
  clock: ServerClock;
  /** When a playlist had something new last, on the clock of `performance.now()`. */
  progressMs: number;
};

/** A class of loaders, as hls.js wants it, that tell `watched`. */
export function playlistLoader(watched: Watched): NonNullable<HlsConfig["pLoader"]> {
  const Plain = Hls.DefaultConfig.loader;
  const ends = new Map<string, string>();
  let fetchedEarly = false;

  return class PlaylistLoader implements Loader<PlaylistLoaderContext> {
    context: PlaylistLoaderContext | null = null;
    private inner: Loader<LoaderContext>;

    constructor(private readonly config: HlsConfig) {
      this.inner = new Plain(config);
    }

    get stats(): LoaderStats {
      return this.inner.stats;
    }

    load(
      context: PlaylistLoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<PlaylistLoaderContext>,
    ): void {
      this.context = context;
      const [path, query] = context.url.split("?");
      const blocking = query?.includes("_HLS_msn=") ?? false;
      const asked = Date.now();
      const begun = performance.now();
      this.inner.load(context, config, {
        ...callbacks,
        onSuccess: (response: LoaderResponse, stats: LoaderStats, _: LoaderContext, details: NullableNetworkDetails) => {
          const date = details instanceof XMLHttpRequest ? details.getResponseHeader("date") : null;
          watched.clock.heard(Date.parse(date ?? ""), asked, Date.now());
          const text = typeof response.data === "string" ? response.data : "";
          const end = playlistEnd(text);
          if (!fetchedEarly && context.type === "level") {
            fetchedEarly = true;
            fetchEarly(firstParts(text, response.url));
          }
          const key = path ?? "";
          const nothingNew = ends.get(key) === end;
          ends.set(key, end);
          if (!nothingNew) watched.progressMs = performance.now();
          // An answer that was not held is of a server that does not wait; that is not asked in a circle.
          if (blocking && nothingNew && performance.now() - begun > 250) {
            this.again(context, config, callbacks);
          } else {
            callbacks.onSuccess(response, stats, context, details);
          }
        },
      } as LoaderCallbacks<LoaderContext>);
    }

    private again(
      context: PlaylistLoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<PlaylistLoaderContext>,
    ): void {
      this.inner.destroy();
      this.inner = new Plain(this.config);
      this.load(context, config, callbacks);
    }

    abort(): void {
      this.inner.abort();
    }

    destroy(): void {
      this.inner.destroy();
    }

    getCacheAge(): number | null {
      return this.inner.getCacheAge?.() ?? null;
    }

    getResponseHeader(name: string): string | null {
      return this.inner.getResponseHeader?.(name) ?? null;
    }
  };
}
