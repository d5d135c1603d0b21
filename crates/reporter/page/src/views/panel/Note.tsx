// The note of a picture, saved as it is typed.
import { createEffect, on, onCleanup } from "solid-js";
import type { Model } from "../../model";

const PAUSE = 500;

export function Note(props: { model: Model; cell: string }) {
  let area!: HTMLTextAreaElement;
  let timer: number | undefined;
  let edited: string | null = null;
  const save = () => {
    clearTimeout(timer);
    if (edited !== null) props.model.picks.change(edited, { note: area.value.trim() || null });
    edited = null;
  };
  // Another picture, or a note that another browser wrote: shown, unless the reader is writing here.
  createEffect(on(() => [props.cell, props.model.picks.of(props.cell)?.note ?? ""] as const, ([cell, note], before) => {
    if (before && before[0] !== cell) save();
    if (edited !== cell) area.value = note;
  }));
  window.addEventListener("pagehide", save);
  onCleanup(() => {
    save();
    window.removeEventListener("pagehide", save);
  });
  return (
    <textarea
      id="note" ref={area} rows="2" placeholder="Note" aria-label="Note"
      onInput={() => {
        edited = props.cell;
        clearTimeout(timer);
        timer = window.setTimeout(save, PAUSE);
      }}
      onBlur={save}
      onKeyDown={(event) => {
        if (event.key !== "Escape" && !(event.key === "Enter" && (event.ctrlKey || event.metaKey))) return;
        event.preventDefault();
        document.querySelector<HTMLElement>(".sheet")?.focus();
      }}
    />
  );
}
