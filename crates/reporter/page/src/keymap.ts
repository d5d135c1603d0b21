// The one table of keys: which key does what, where, and what the help says about it.
import { onCleanup } from "solid-js";

export interface Binding {
  /** As `KeyboardEvent.key`, with `Ctrl+` and `Shift+` before it where they are needed. */
  keys: string[];
  does: string;
  group: string;
  /** Whether it applies now; always if absent. */
  when?: () => boolean;
  run: (event: KeyboardEvent) => void;
  /** Called when the key is let go. */
  release?: () => void;
}

/** Layers of bindings, the last one first; a modal layer hides those below it. */
interface Layer {
  bindings: Binding[];
  modal: boolean;
}

const layers: Layer[] = [];
let held: { key: string; binding: Binding } | null = null;

/** Adds bindings for as long as the calling component lives. */
export function useKeys(bindings: Binding[], options: { modal?: boolean } = {}): void {
  const layer = { bindings, modal: options.modal ?? false };
  layers.push(layer);
  onCleanup(() => layers.splice(layers.indexOf(layer), 1));
}

/** All bindings, by group, for the help. */
export function allBindings(): Map<string, Binding[]> {
  const groups = new Map<string, Binding[]>();
  for (const binding of layers.flatMap((layer) => layer.bindings)) {
    groups.set(binding.group, [...(groups.get(binding.group) ?? []), binding]);
  }
  return groups;
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey || event.metaKey) return;
    const name = nameOf(event);
    if (typing(event.target, name)) return;
    for (const layer of [...layers].reverse()) {
      const binding = layer.bindings.find((one) => one.keys.includes(name) && (one.when?.() ?? true));
      if (binding) {
        event.preventDefault();
        if (binding.release) {
          if (event.repeat) return;
          held = { key: event.key, binding };
        }
        binding.run(event);
        return;
      }
      if (layer.modal) return;
    }
  });
  const release = () => {
    held?.binding.release?.();
    held = null;
  };
  document.addEventListener("keyup", (event) => held?.key === event.key && release());
  window.addEventListener("blur", release);
}

function nameOf(event: KeyboardEvent): string {
  // Shift is part of what a printable key types: `?` and `{` need no `Shift+`.
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  return (event.ctrlKey ? "Ctrl+" : "") + shift + event.key;
}

/** Whether the key belongs to the element that has the focus: text fields, lists, sliders, buttons. */
function typing(target: EventTarget | null, name: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range])")) return true;
  if (target.matches("input[type=range], input[type=radio]")) return /Arrow|Home|End|Page| /.test(name);
  if (target.matches("button, a[href], summary, input[type=checkbox], label")) return name === "Enter" || name === " ";
  return false;
}
