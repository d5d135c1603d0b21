// The grid or list of pictures: only what is on the screen is in the document.
import { createVirtualizer, defaultRangeExtractor, type Range } from "@tanstack/solid-virtual";
import { createEffect, createMemo, createSignal, For, on, onCleanup, onMount, Show } from "solid-js";
import type { Model } from "../../model";
import { groups } from "../../model/layout";
import { Cell, cellId } from "./Cell";
import { measureSheet } from "./measures";

const GAP = 4;

export function Grid(props: { model: Model }) {
  const model = props.model;
  let scroll!: HTMLDivElement;
  const [width, setWidth] = createSignal(0);
  const sheet = model.sheet;
  const isList = () => model.view.list || model.view.sort !== "";
  const measures = createMemo(() => measureSheet(model, width(), isList()));
  const place = createMemo(() => sheet().find(model.focus(), model.view.at));

  onMount(() => {
    const observer = new ResizeObserver(() => setWidth(scroll.clientWidth));
    observer.observe(scroll);
    onCleanup(() => observer.disconnect());
    scroll.focus({ preventScroll: true });
  });
  createEffect(() => model.setListColumns(measures().listColumns));

  // The focused cell stays in the document, so that screen readers keep it.
  const withFocus = (index: number | undefined) => (range: Range) => {
    const indexes = defaultRangeExtractor(range);
    return index === undefined || indexes.includes(index) || index >= range.count ? indexes : [...indexes, index].sort((a, b) => a - b);
  };
  const rows = createVirtualizer({
    get count() { return sheet().rows; },
    getScrollElement: () => scroll,
    estimateSize: () => measures().cellHeight + GAP,
    overscan: 2,
    get paddingStart() { return measures().headHeight; },
    get scrollPaddingStart() { return measures().headHeight; },
    get rangeExtractor() { return withFocus(place()?.[0]); },
  });
  const columns = createVirtualizer({
    horizontal: true,
    get count() { return sheet().columns; },
    getScrollElement: () => scroll,
    estimateSize: () => measures().cellWidth + GAP,
    overscan: 2,
    get paddingStart() { return measures().headWidth; },
    get scrollPaddingStart() { return measures().headWidth; },
    get rangeExtractor() { return withFocus(place()?.[1]); },
  });
  createEffect(on(() => [measures().cellHeight, measures().cellWidth, measures().headHeight, measures().headWidth], () => {
    rows.measure();
    columns.measure();
    follow();
  }));
  const follow = () => {
    const at = place();
    if (!at) return;
    rows.scrollToIndex(at[0], { align: "auto" });
    columns.scrollToIndex(at[1], { align: "auto" });
  };
  createEffect(on(place, (now, before) => {
    if (now && before && now[0] === before[0] && now[1] === before[1]) return;
    queueMicrotask(follow);
  }, { defer: true }));
  onMount(() => requestAnimationFrame(follow));

  const grid = () => model.page().grid;
  const levelsOf = (levels: { axis: number; values: number[] }[], index: number) =>
    levels.map(({ axis, values }) => `${grid().axes[axis].name} ${grid().axes[axis].values[values[index]]?.label}`).join(", ");
  const label = (axis: number, value: number) => grid().axes[axis].values[value]?.label ?? "";
  const headRows = () => (sheet().columnLevels.length ? 1 : 0);
  const headColumns = () => (sheet().rowLevels.length ? 1 : 0);

  return (
    <div
      class="sheet" ref={scroll} role="grid" tabindex="0" aria-label={isList() ? "Pictures, as a list" : "Pictures"}
      aria-rowcount={sheet().rows + headRows()} aria-colcount={sheet().columns + headColumns()}
      aria-activedescendant={place() ? cellId(...place()!) : undefined}
    >
      <Show when={sheet().rows === 0}><p class="nothing">{model.matching() ? "No cell matches the filter." : "Nothing to show here."}</p></Show>
      <div class="sheet-body" role="presentation" style={{ width: `${columns.getTotalSize()}px`, height: `${rows.getTotalSize()}px` }}>
        <Show when={sheet().columnLevels.length}>
          <div class="column-heads" role="row" aria-rowindex="1" style={{ height: `${measures().headHeight}px` }}>
            <div class="corner" role="presentation" style={{ width: `${measures().headWidth}px` }}>
              <span class="corner-columns">{sheet().columnLevels.map(({ axis }) => grid().axes[axis].name).join(" › ")}</span>
              <span class="corner-rows">{sheet().rowLevels.map(({ axis }) => grid().axes[axis].name).join(" › ")}</span>
            </div>
            <For each={sheet().columnLevels.slice(0, -1)}>{(level, depth) =>
              <For each={groupsIn(columns.getVirtualItems(), (a, b) => groups(sheet().columnLevels, depth(), a, b))}>{(group) =>
                <div class="group-head" aria-hidden="true" style={{
                  left: `${measures().headWidth + group.start * (measures().cellWidth + GAP)}px`,
                  width: `${(group.end - group.start + 1) * (measures().cellWidth + GAP) - GAP}px`,
                  top: `${depth() * measures().levelHeight}px`, height: `${measures().levelHeight - 2}px`,
                }}><span style={{ left: `${measures().headWidth + 4}px` }} title={label(level.axis, group.value)}>{label(level.axis, group.value)}</span></div>
              }</For>
            }</For>
            <For each={columns.getVirtualItems()}>{(column) =>
              <div
                class="column-head" classList={{ current: place()?.[1] === column.index }} role="columnheader" aria-colindex={column.index + 1 + headColumns()}
                aria-label={levelsOf(sheet().columnLevels, column.index)} title={lastLabel(sheet().columnLevels, column.index, label)}
                style={{
                  left: `${column.start}px`, width: `${measures().cellWidth}px`,
                  top: `${(sheet().columnLevels.length - 1) * measures().levelHeight}px`, height: `${measures().levelHeight}px`,
                }}
              ><span>{lastLabel(sheet().columnLevels, column.index, label)}</span></div>
            }</For>
          </div>
        </Show>
        <Show when={sheet().rowLevels.length > 1}>
          <div class="row-groups" aria-hidden="true">
            <For each={sheet().rowLevels.slice(0, -1)}>{(level, depth) =>
              <For each={groupsIn(rows.getVirtualItems(), (a, b) => groups(sheet().rowLevels, depth(), a, b))}>{(group) =>
                <div class="row-group" style={{
                  left: `${measures().levelWidths.slice(0, depth()).reduce((a, b) => a + b, 0)}px`, width: `${measures().levelWidths[depth()] - 3}px`,
                  top: `${group.start * (measures().cellHeight + GAP) + (sheet().columnLevels.length ? 0 : measures().headHeight)}px`,
                  height: `${(group.end - group.start + 1) * (measures().cellHeight + GAP) - GAP}px`,
                }}><span style={{ top: `${measures().headHeight + 4}px` }} title={label(level.axis, group.value)}>{label(level.axis, group.value)}</span></div>
              }</For>
            }</For>
          </div>
        </Show>
        <For each={rows.getVirtualItems()}>{(row) =>
          <div class="row" role="row" aria-rowindex={row.index + 1 + headRows()} style={{ transform: `translateY(${row.start}px)`, height: `${measures().cellHeight}px` }}>
            <Show when={sheet().rowLevels.length}>
              <div
                class="row-head" classList={{ current: place()?.[0] === row.index }} role="rowheader" aria-colindex="1"
                aria-label={levelsOf(sheet().rowLevels, row.index)} title={lastLabel(sheet().rowLevels, row.index, label)}
                style={{ width: `${measures().headWidth}px`, "padding-left": `${measures().headWidth - (measures().levelWidths.at(-1) ?? 0)}px` }}
              ><span>{lastLabel(sheet().rowLevels, row.index, label)}</span></div>
            </Show>
            <For each={columns.getVirtualItems()}>{(column) =>
              <Cell
                model={model} id={cellId(row.index, column.index)} focus={place()?.[0] === row.index && place()?.[1] === column.index} cell={row.index < sheet().rows && column.index < sheet().columns ? sheet().cell(row.index, column.index) : -1}
                left={column.start} column={column.index + 1 + headColumns()} measures={measures()} caption={isList()}
              />
            }</For>
          </div>
        }</For>
      </div>
    </div>
  );
}

/** The groups of headings over the rows or columns that are on the screen. */
function groupsIn<T>(items: readonly { index: number }[], find: (first: number, last: number) => T[]): T[] {
  return items.length ? find(items[0].index, items[items.length - 1].index) : [];
}

function lastLabel(levels: { axis: number; values: number[] }[], index: number, label: (axis: number, value: number) => string): string {
  const level = levels[levels.length - 1];
  return level ? label(level.axis, level.values[index]) : "";
}
