// A button that opens a box: the browser's popover, which closes by Escape and by a click elsewhere.
import { createSignal, createUniqueId, Show, type ParentProps } from "solid-js";

export function Popup(props: ParentProps<{ label: string; title: string; name?: string }>) {
  const id = createUniqueId();
  const [open, setOpen] = createSignal(false);
  let button!: HTMLButtonElement;
  let box!: HTMLDivElement;
  const place = (event: ToggleEvent) => {
    setOpen(event.newState === "open");
    if (event.newState !== "open") return;
    const from = button.getBoundingClientRect();
    box.style.top = `${Math.round(from.bottom + 4)}px`;
    box.style.maxHeight = `${Math.max(160, innerHeight - from.bottom - 16)}px`;
    box.style.left = `${Math.round(Math.max(8, Math.min(from.left, innerWidth - box.offsetWidth - 8)))}px`;
  };
  return (
    <>
      <button type="button" ref={button} popovertarget={`popup-${id}`} title={props.title} aria-label={props.name ?? props.title}>{props.label}</button>
      <div class="popup" id={`popup-${id}`} popover="auto" ref={box} onToggle={place} role="dialog" aria-label={props.title}>
        <Show when={open()}>{props.children}</Show>
      </div>
    </>
  );
}
