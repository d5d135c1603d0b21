// Filter, sorting and colours.
import { createMemo, For, Show } from "solid-js";
import type { Model } from "../../model";
import { isConstant } from "../../model/cells";
import { WORDS } from "../../model/filter";

export function Filter(props: { model: Model }) {
  const { model } = props;
  const varying = createMemo(() => model.pictures().columns.filter((column) => !isConstant(column)));
  const sortable = createMemo(() => {
    const axes = model.page().grid.axes.map(({ name }) => name);
    return [...new Set([...axes, ...varying().map(({ name }) => name)])];
  });
  const numbers = createMemo(() => varying().filter(({ type }) => type === "number"));
  const words = createMemo(() => {
    const { status, draft } = model.pictures();
    const there: Record<string, boolean> = { failed: status.includes("failed"), missing: status.includes("missing"), draft: draft.includes(true) };
    return WORDS.filter((word) => word !== "done" && (there[word] ?? true));
  });
  const has = (word: string) => model.view.filter.split(/\s+/).includes(word);
  const toggle = (word: string) => {
    const parts = model.view.filter.split(/\s+/).filter(Boolean);
    model.show({ filter: (has(word) ? parts.filter((part) => part !== word) : [...parts, word]).join(" ") });
  };
  const list = () => model.view.list || model.view.sort !== "";
  return (
    <div class="filter">
      <div class="filter-text">
        <input
          id="filter" type="search" placeholder="Filter, such as strength > 0.5" aria-label="Filter" spellcheck={false} autocomplete="off"
          aria-invalid={!!model.filterError()} aria-describedby="filter-error" value={model.view.filter}
          onInput={(event) => model.show({ filter: event.currentTarget.value })}
          onKeyDown={(event) => {
            if (event.key !== "Escape" && event.key !== "Enter") return;
            event.preventDefault();
            document.querySelector<HTMLElement>(".sheet")?.focus();
          }}
        />
        <p class="filter-error" id="filter-error" role="status">
          <Show when={model.filterError()} fallback={<Show when={model.view.filter}>{model.matchCount()} match</Show>}>
            {(error) => <span class="error">{error().message} (at character {error().at + 1})</span>}
          </Show>
        </p>
      </div>
      <div class="chips" role="group" aria-label="Add to the filter">
        <For each={words()}>{(word) => <button type="button" class="chip" aria-pressed={has(word)} onClick={() => toggle(word)}>{word}</button>}</For>
      </div>
      <label>Unmatched
        <select value={model.view.unmatched} onChange={(event) => model.show({ unmatched: event.currentTarget.value as "dim" | "hide" })} disabled={list()}>
          <option value="dim">dimmed</option><option value="hide">hidden</option>
        </select>
      </label>
      <label>Layout
        <select value={list() ? "list" : "grid"} onChange={(event) => model.show(event.currentTarget.value === "list" ? { list: true } : { list: false, sort: "" })}>
          <option value="grid">grid</option><option value="list">list</option>
        </select>
      </label>
      <label>Sort
        <select value={model.view.sort} onChange={(event) => model.show({ sort: event.currentTarget.value })}>
          <option value="">as in the file</option>
          <For each={sortable()}>{(name) => <option value={name} selected={name === model.view.sort}>{name}</option>}</For>
        </select>
      </label>
      <Show when={model.view.sort}>
        <button type="button" class="icon" aria-pressed={model.view.descending} title="Largest first" aria-label="Largest first" onClick={() => model.show({ descending: !model.view.descending })}>{model.view.descending ? "↓" : "↑"}</button>
      </Show>
      <Show when={numbers().length}>
        <label>Colour
          <select value={model.view.heat} onChange={(event) => model.show({ heat: event.currentTarget.value })}>
            <option value="">none</option>
            <For each={numbers()}>{(column) => <option value={column.name} title={column.help} selected={column.name === model.view.heat}>{column.name}</option>}</For>
          </select>
        </label>
      </Show>
    </div>
  );
}
