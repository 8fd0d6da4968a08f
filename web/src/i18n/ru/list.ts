// Слова списка того, что в эфире.

import type { list as english } from "../en/list.ts";

export const list: typeof english = {
  title: "Сейчас в эфире",
  nobodyTitle: "Сейчас никто не ведёт эфир",
  nobodyMore: "Как только трансляция начнётся, она появится здесь сама.",
  search: "Поиск",
  nothingFound: (looked) => `По запросу «${looked}» ничего нет.`,
  sort: "Порядок",
  byViewers: "По зрителям",
  byNewest: "Сначала новые",
  byName: "По названию",
  onAir: "Эфир",
  since: (span) => `в эфире ${span}`,
  earlier: "Сейчас не в эфире",
  ended: "эфир закончился",
  waiting: "ещё не в эфире",
  announced: (count) => (count === 0 ? "Никто не ведёт эфир" : `В эфире: ${count}`),
  fromBrowser: "Из этого браузера",
  fromBrowserMore: "Камера, экран или всё сразу. Ничего не нужно ставить.",
  fromEncoder: "Из OBS или другого кодировщика",
  server: "Сервер",
  key: "Ключ потока",
  keyMore: "любое имя или ключ, который дал оператор",
  fromTerminal: "Из файла, на сервере",
};
