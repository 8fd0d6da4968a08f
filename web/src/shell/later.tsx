// A part of a page that is loaded once it is shown, so that the rest of the page need not wait for it.

import { type ComponentType, h } from "preact";
import { useEffect, useState } from "preact/hooks";

const AGAIN_MS = 1000;

export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | undefined;
  return function Later(props: Props) {
    const [, draw] = useState(0);
    useEffect(() => {
      let timer: number | undefined;
      const ask = () =>
        load().then(
          (part) => {
            loaded = part;
            draw((n) => n + 1);
          },
          () => (timer = window.setTimeout(ask, AGAIN_MS)),
        );
      if (loaded === undefined) void ask();
      return () => window.clearTimeout(timer);
    }, []);
    return loaded === undefined ? null : h(loaded, props);
  };
}
