// What is live: the page of the whole server.

import { useEffect, useState } from "preact/hooks";
import { type ListedStream, session, streams } from "./api.ts";
import { listWords, shellWords } from "./i18n/words.ts";
import { Card } from "./list/card.tsx";
import { Empty } from "./list/empty.tsx";
import { listed, type Order } from "./rules/listing.ts";
import { Header } from "./shell/header.tsx";
import { Icon } from "./shell/icons.tsx";
import { mount } from "./shell/mount.tsx";
import { usePolling } from "./shell/polling.ts";
import { languageNow } from "./shell/preferences.ts";
import { remember, remembered } from "./shell/storage.ts";

const EVERY_MS = 3000;
const ORDERS: readonly Order[] = ["viewers", "newest", "name"];

function List() {
  const w = listWords();
  const [looked, setLooked] = useState("");
  const [order, setOrder] = useState<Order>(() => ORDERS.find((one) => one === remembered("order")) ?? "viewers");
  const { answer, error } = usePolling(() => streams(true), EVERY_MS, "streams");
  const [operator, setOperator] = useState(false);
  useEffect(() => {
    // Nobody is told that they are not the operator.
    session().then((told) => setOperator(told.operator), () => undefined);
  }, []);
  const live = (answer ?? []).filter((one) => one.state === "live");
  const others = (answer ?? []).filter((one) => one.state !== "live");
  const shown = listed(live, looked, order, languageNow());
  const shownOthers = listed(others, looked, "name", languageNow());
  useEffect(() => {
    document.title = `${live.length > 0 ? `(${live.length}) ` : ""}${w.title} · msconv`;
  });
  const choose = (value: string) => {
    const chosen = ORDERS.find((one) => one === value) ?? "viewers";
    setOrder(chosen);
    remember("order", chosen);
  };
  return (
    <>
      <Header at="list" operator={operator}>
        {(answer ?? []).length > 0 && (
          <label class="search">
            <Icon name="search" />
            <input class="field" type="search" placeholder={w.search} aria-label={w.search} value={looked} maxLength={120} onInput={(event) => setLooked(event.currentTarget.value)} />
          </label>
        )}
      </Header>
      <main id="main" tabIndex={-1}>
        {error !== undefined && <p class="alert" role="alert">{shellWords().unreachable}</p>}
        <p class="unseen" role="status">{answer !== undefined && w.announced(live.length)}</p>
        {answer !== undefined && live.length === 0 && <Empty />}
        {live.length > 0 && (
          <section>
            <div class="heading">
              <h1>{w.title} <span class="count">{live.length}</span></h1>
              {live.length > 1 && (
                <label class="sort">
                  <span>{w.sort}</span>
                  <select value={order} onChange={(event) => choose(event.currentTarget.value)}>
                    <option value="viewers">{w.byViewers}</option>
                    <option value="newest">{w.byNewest}</option>
                    <option value="name">{w.byName}</option>
                  </select>
                </label>
              )}
            </div>
            <ul class="cards">{shown.map((one) => <Card key={one.page} stream={one} />)}</ul>
            {shown.length === 0 && shownOthers.length === 0 && <p class="more" role="status">{w.nothingFound(looked)}</p>}
          </section>
        )}
        {shownOthers.length > 0 && <Others streams={shownOthers} />}
      </main>
    </>
  );
}

/** Streams that are registered and not live. */
function Others({ streams }: { streams: ListedStream[] }) {
  const w = listWords();
  return (
    <section class="others">
      <h2>{w.earlier} <span class="count">{streams.length}</span></h2>
      <ul>
        {streams.map((one) => (
          <li key={one.page}>
            <a href={one.page}>
              <strong dir="auto">{one.name}</strong>
              <span class="since">{one.state === "ended" ? w.ended : w.waiting}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}

void mount(List);
