// What the machine and each stream take, now and in the last minutes.

import { useEffect, useState } from "preact/hooks";
import { consoleWords, shellWords } from "../i18n/words.ts";
import { bitrate, bytes, percent } from "../rules/amount.ts";
import { spanOf } from "../rules/span.ts";
import { languageNow } from "../shell/preferences.ts";
import { type Load, load, loadHistory, type LoadStep, memoryOf } from "./load_requests.ts";
import { Tile } from "./sparkline.tsx";
import { Trouble, wordsOf } from "./trouble.tsx";
import { usePolling } from "../shell/polling.ts";

const EVERY_MS = 2000;
/** Looks that are remembered: five minutes. */
const KEPT = 150;

export function LoadPage() {
  const w = consoleWords();
  const tag = languageNow();
  const { answer: now, error } = usePolling(load, EVERY_MS, "load");
  const [steps, setSteps] = useState<LoadStep[]>([]);
  useEffect(() => {
    loadHistory().then(({ items }) => setSteps((since) => merged(items, since)), () => undefined);
  }, []);
  useEffect(() => {
    if (now !== undefined) setSteps((before) => merged(before, [stepOf(now)]));
  }, [now?.at_ms]);
  if (now === undefined) return <Trouble words={error === undefined ? undefined : wordsOf(error)} />;
  const { cpu, network, gpus, disks } = now.machine;
  const memory = memoryOf(now.machine);
  const written = now.machine.drives.reduce((sum, drive) => sum + drive.written_bytes_s, 0);
  const disk = disks.reduce<Load["machine"]["disks"][number] | undefined>((least, one) => (least === undefined || one.free_bytes < least.free_bytes ? one : least), undefined);
  const unknown = w.unknown;
  return (
    <>
      <Trouble words={error === undefined ? undefined : wordsOf(error)} />
      <div class="tiles">
        <Tile name={w.processor} value={cpu.busy_percent === null ? unknown : percent(tag, cpu.busy_percent)} more={w.cores(cpu.cores_percent.length)} curves={[{ values: steps.map((step) => step.cpu_percent), most: 100 }]} />
        <Tile name={w.memory} value={percent(tag, (memory.used / Math.max(1, memory.total)) * 100)} more={w.of(bytes(tag, memory.used), bytes(tag, memory.total))} curves={[{ values: steps.map((step) => step.memory_used_bytes), most: memory.total }]} />
        <Tile name={w.network} value={bitrate(tag, network.out_bps)} more={w.received(bitrate(tag, network.in_bps))} curves={[{ values: steps.map((step) => step.out_bps) }, { values: steps.map((step) => step.in_bps), tone: "second" }]} />
        <Tile name={w.disk} value={disk === undefined ? unknown : w.free(bytes(tag, disk.free_bytes))} more={disk?.full_in_s == null ? w.written(bytes(tag, written)) : w.fullIn(shellWords().lasting(spanOf(0, disk.full_in_s * 1000)))} curves={[{ values: steps.map((step) => step.written_bytes_s) }]} />
        {gpus.length === 0 ? (
          <section class="tile">
            <h2>{w.graphics}</h2>
            <p class="figure">{w.none}</p>
            <p class="more">{w.noneMore}</p>
          </section>
        ) : gpus.map((card) => (
          <Tile name={card.name} value={card.busy_percent === null ? unknown : percent(tag, card.busy_percent)} more={card.encoder_percent === null ? card.driver : w.encoders(percent(tag, card.encoder_percent))} curves={[{ values: steps.map((step) => step.gpu_percent), most: 100 }]} />
        ))}
      </div>
      <Streams now={now} />
      <p class="more foot">{w.serverIs(now.server.version, shellWords().lasting(spanOf(0, now.server.uptime_s * 1000)), now.server.cpu_percent === null ? unknown : percent(tag, now.server.cpu_percent))}</p>
    </>
  );
}

function Streams({ now }: { now: Load }) {
  const w = consoleWords();
  const tag = languageNow();
  const known = (value: number | null, write: (value: number) => string) => (value === null ? "–" : write(value));
  if (now.streams.length === 0) return null;
  return (
    <div class="table-place" tabIndex={0} role="region" aria-label={w.perStream}>
      <table class="table">
        <caption>{w.perStream}</caption>
        <thead>
          <tr>
            <th scope="col">{w.stream}</th>
            <th scope="col">{w.encoder}</th>
            <th scope="col" class="number">{w.processor}</th>
            <th scope="col" class="number">{w.speed}</th>
            <th scope="col" class="number">{w.lost}</th>
            <th scope="col" class="number">{w.in}</th>
            <th scope="col" class="number">{w.out}</th>
            <th scope="col" class="number">{w.watching}</th>
          </tr>
        </thead>
        <tbody>
          {now.streams.map((one) => (
            <tr key={one.name}>
              <th scope="row"><a href={`/watch/${encodeURIComponent(one.name)}`} dir="auto">{one.title || one.name}</a></th>
              <td data-label={w.encoder}>{one.encoder ?? "–"}</td>
              <td data-label={w.processor} class="number">{known(one.cpu_percent, (value) => percent(tag, value))}</td>
              <td data-label={w.speed} class="number">{known(one.speed, (value) => `${value.toLocaleString(tag, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}×`)}</td>
              <td data-label={w.lost} class="number">{known(one.dropped_frames, (value) => value.toLocaleString(tag))}</td>
              <td data-label={w.in} class="number">{bitrate(tag, one.in_bps)}</td>
              <td data-label={w.out} class="number">{bitrate(tag, one.out_bps)}</td>
              <td data-label={w.watching} class="number">{one.viewers.toLocaleString(tag)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function stepOf(now: Load): LoadStep {
  const { machine } = now;
  const busy = machine.gpus.map((card) => card.busy_percent ?? 0);
  return {
    at_ms: now.at_ms,
    cpu_percent: machine.cpu.busy_percent,
    memory_used_bytes: memoryOf(machine).used,
    in_bps: machine.network.in_bps,
    out_bps: machine.network.out_bps,
    written_bytes_s: machine.drives.reduce((sum, drive) => sum + drive.written_bytes_s, 0),
    gpu_percent: busy.length === 0 ? null : Math.max(...busy),
  };
}

/** Looks in order, each once, as many as are kept. */
function merged(before: readonly LoadStep[], since: readonly LoadStep[]): LoadStep[] {
  const all = new Map([...before, ...since].map((step) => [step.at_ms, step]));
  return [...all.values()].sort((a, b) => a.at_ms - b.at_ms).slice(-KEPT);
}
