// The list of keys.

import { useEffect, useRef } from "preact/hooks";
import { chatWords, watchWords } from "../i18n/words.ts";

export function KeysDialog({ onClose }: { onClose(): void }) {
  const w = watchWords();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const keys: [string[], string][] = [
    [["space", "k"], w.keyPlay],
    [["m"], w.keyMute],
    [["↑", "↓"], w.keyVolume],
    [["←", "→"], w.keySeek],
    [["l"], w.keyLive],
    [["f"], w.keyFull],
    [["t"], w.keyTheatre],
    [["c"], w.keyCaptions],
    [["/"], w.keyChat],
    [["?"], w.keyKeys],
  ];
  return (
    <dialog class="dialog" ref={dialog} aria-labelledby="keys-title" onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <div>
        <h2 id="keys-title">{w.keys}</h2>
        <dl class="keys">
          {keys.map(([names, what]) => (
            <div>
              <dt>{names.map((one) => <kbd>{one}</kbd>)}</dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <div class="row"><button type="button" class="button" onClick={() => dialog.current?.close()}>{chatWords().close}</button></div>
      </div>
    </dialog>
  );
}
