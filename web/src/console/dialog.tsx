// A dialog that is open as long as it is drawn.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { consoleWords } from "../i18n/words.ts";
import { Icon } from "../shell/icons.tsx";

export function Dialog({ title, wide, onClose, children }: { title: string; wide?: boolean; onClose(): void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog class={wide ? "dialog wide" : "dialog"} ref={dialog} aria-labelledby={id} onClose={onClose}>
      <div>
        <div class="dialog-head">
          <h2 id={id} dir="auto">{title}</h2>
          <button type="button" class="round" aria-label={consoleWords().close} title={consoleWords().close} onClick={() => dialog.current?.close()}>
            <Icon name="cross" />
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be taken back. */
export function Sure({ title, more, verb, onYes, onClose }: { title: string; more: string; verb: string; onYes(): void; onClose(): void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="more">{more}</p>
      <div class="row ends">
        <button type="button" class="button" autofocus onClick={onClose}>{consoleWords().cancel}</button>
        <button type="button" class="button danger" onClick={() => (onYes(), onClose())}>{verb}</button>
      </div>
    </Dialog>
  );
}
