// A button that opens a menu: one stop for TAB, arrows within, Escape back to the button.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export type MenuProps = {
  id: string;
  open: boolean;
  onOpen(open: boolean): void;
  /** The accessible name of the button. */
  label: string;
  button: ComponentChildren;
  buttonId?: string;
  buttonClass?: string;
  children: ComponentChildren;
};

export function Menu({ id, open, onOpen, label, button, buttonId, buttonClass, children }: MenuProps) {
  const place = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (back: boolean) => {
    onOpen(false);
    if (back) opener.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const first = list.current?.querySelector<HTMLElement>('[aria-checked="true"]') ?? entriesOf(list.current)[0];
    first?.focus({ preventScroll: true });
    const outside = (event: Event) => {
      if (event.target instanceof Node && !place.current?.contains(event.target)) onOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close(true);
    }
    if (event.key === "Tab") onOpen(false);
    const entries = entriesOf(list.current);
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    entries[(next + entries.length) % entries.length]?.focus();
  };
  return (
    <div class="menu-place" ref={place}>
      <button type="button" ref={opener} id={buttonId} class={buttonClass} title={label} aria-label={label} aria-haspopup="menu" aria-expanded={open} aria-controls={id} onClick={() => onOpen(!open)}>
        {button}
      </button>
      <div class="menu" id={id} role="menu" aria-label={label} hidden={!open} ref={list} onKeyDown={key} onClick={() => close(true)}>
        {children}
      </div>
    </div>
  );
}

function entriesOf(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>("button:not(:disabled)") ?? [])];
}

/** An entry; with `checked` one of several of which one holds. */
export function Entry({ checked, more, onChoose, children }: { checked?: boolean; more?: string; onChoose(): void; children: ComponentChildren }) {
  const role = checked === undefined ? "menuitem" : "menuitemradio";
  return (
    <button type="button" role={role} aria-checked={checked} tabIndex={-1} onClick={onChoose}>
      <span>{children}</span>
      {more !== undefined && <small>{more}</small>}
    </button>
  );
}
