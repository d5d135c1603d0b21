// A box over the page: the browser's dialog, which keeps the focus inside and closes by Escape.
import { onCleanup, onMount, type ParentProps } from "solid-js";
import { useKeys, type Binding } from "../keymap";

export function Dialog(props: ParentProps<{ title: string; close: () => void; class?: string; keys?: Binding[] }>) {
  let dialog!: HTMLDialogElement;
  // The keys of what lies below rest while the box is open.
  useKeys(props.keys ?? [], { modal: true });
  onMount(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    onCleanup(() => {
      dialog.close();
      before?.focus({ preventScroll: true });
    });
  });
  return (
    <dialog
      ref={dialog} class={`dialog ${props.class ?? ""}`} aria-label={props.title}
      onCancel={(event) => { event.preventDefault(); props.close(); }} onClick={(event) => event.target === dialog && props.close()}
    >
      <div class="dialog-body">
        <header><h2>{props.title}</h2><button type="button" class="icon" onClick={() => props.close()} aria-label="Close" title="Close (Esc)">×</button></header>
        {props.children}
      </div>
    </dialog>
  );
}
