// The pairs as cards, as many beside each other as fit; only the rows near the window are in the document.
import { createVirtualizer } from "@tanstack/solid-virtual";
import { createMemo, createSignal, For, Match, onCleanup, onMount, Show, Switch } from "solid-js";
import type { DiffCell, DiffPage } from "../../data";
import { outcomeText, type Group } from "../../diff/order";
import { neighbour, rows, type Row } from "../../diff/rows";
import type { Mode } from "../../diff/state";
import { Changes } from "./Changes";

export interface PairListProps {
  page: DiffPage;
  groups: Group[];
  /** The element that scrolls. */
  scroller: HTMLElement;
  /** The pair that Tab reaches and the arrow keys start from. */
  focus: number;
  setFocus(pair: number): void;
  open(pair: number, mode?: Mode): void;
}

/** The least width of a card in CSS pixels. */
const CARD = 340;
const ESTIMATES: Record<Row["kind"], number> = { heading: 48, pairs: 260, cells: 220 };

export function PairList(props: PairListProps) {
  let list!: HTMLDivElement;
  const [width, setWidth] = createSignal(CARD);
  const [top, setTop] = createSignal(0);
  const columns = () => Math.max(1, Math.floor(width() / CARD));
  const lines = createMemo(() => rows(props.groups, columns()));
  onMount(() => {
    const measure = () => {
      setWidth(list.clientWidth);
      setTop(list.getBoundingClientRect().top - props.scroller.getBoundingClientRect().top + props.scroller.scrollTop);
    };
    const resized = new ResizeObserver(measure);
    resized.observe(list);
    // What stands above the list may grow, too.
    for (const above of props.scroller.children) resized.observe(above);
    measure();
    onCleanup(() => resized.disconnect());
  });
  const virtual = createVirtualizer({
    get count() {
      return lines().length;
    },
    get scrollMargin() {
      return top();
    },
    getScrollElement: () => props.scroller,
    estimateSize: (at) => ESTIMATES[lines()[at].kind],
    overscan: 4,
  });

  function move(event: KeyboardEvent, pair: number): void {
    if (event.key === " ") {
      event.preventDefault();
      props.open(pair, "flicker");
      return;
    }
    const next = neighbour(lines(), pair, event.key);
    if (next === null) return;
    event.preventDefault();
    props.setFocus(next);
    virtual.scrollToIndex(lines().findIndex((row) => row.kind === "pairs" && row.pairs.includes(next)), { align: "auto" });
    focusCard(next, 10);
  }

  /** The card appears a few frames after its row was scrolled to. */
  function focusCard(pair: number, tries: number): void {
    const card = list.querySelector<HTMLElement>(`[data-pair="${pair}"]`);
    if (card) card.focus({ preventScroll: true });
    else if (tries > 0) requestAnimationFrame(() => focusCard(pair, tries - 1));
  }

  return (
    <div class="pairs" ref={list} style={{ height: `${virtual.getTotalSize()}px` }}>
      <For each={virtual.getVirtualItems()}>
        {(item) => (
          <div
            class="pairs-row" data-index={item.index}
            ref={(element) => queueMicrotask(() => virtual.measureElement(element))}
            style={{ transform: `translateY(${item.start - top()}px)`, "--columns": `${columns()}` }}
          >
            <Show when={lines()[item.index]}>{(row) => <RowContent row={row()} />}</Show>
          </div>
        )}
      </For>
    </div>
  );

  function RowContent(own: { row: Row }) {
    const heading = () => own.row as Row & { kind: "heading" };
    return (
      <Switch>
        <Match when={own.row.kind === "heading"}>
          <h2>
            <bdi>{heading().title}</bdi> <span class="quiet">{heading().count}</span>
          </h2>
        </Match>
        <Match when={own.row.kind === "pairs"}>
          <div class="pairs-cards"><For each={(own.row as Row & { kind: "pairs" }).pairs}>{(pair) => <Card pair={pair} />}</For></div>
        </Match>
        <Match when={own.row.kind === "cells"}>
          <div class="pairs-cells"><For each={(own.row as Row & { kind: "cells" }).cells}>{(cell) => <Single cell={cell} />}</For></div>
        </Match>
      </Switch>
    );
  }

  function Card(own: { pair: number }) {
    const pair = () => props.page.pairs[own.pair];
    return (
      <article class="pair">
        <button
          type="button" class="pair-open" data-pair={own.pair} tabindex={props.focus === own.pair ? 0 : -1}
          aria-label={`Compare ${labels(own.pair)}: ${outcomeText(pair())}`}
          onClick={() => props.open(own.pair)} onKeyDown={(event) => move(event, own.pair)} onFocus={() => props.setFocus(own.pair)}
        >
          <Small cell={pair().left} />
          <Small cell={pair().right} />
        </button>
        <p class="pair-label"><bdi>{labels(own.pair)}</bdi></p>
        <p class="quiet">{outcomeText(pair())}</p>
        <Show when={pair().settings.length}>
          <Changes changes={pair().settings} left={props.page.left} right={props.page.right} />
        </Show>
      </article>
    );
  }

  function labels(at: number): string {
    const { left, right } = props.page.pairs[at];
    return left.label === right.label ? left.label : `${left.label} → ${right.label}`;
  }
}

/** A cell that only one run has. */
function Single(props: { cell: DiffCell }) {
  return (
    <figure class="pair-single">
      <Small cell={props.cell} />
      <figcaption><bdi>{props.cell.label}</bdi></figcaption>
    </figure>
  );
}

/** The thumbnail of a cell, or why there is none. */
function Small(props: { cell: DiffCell }) {
  const [broken, setBroken] = createSignal(false);
  const file = () => props.cell.thumbnail ?? props.cell.image;
  return (
    <Show when={!broken() && file()} fallback={<span class="pair-missing">{props.cell.problem ?? (broken() ? "The picture cannot be loaded." : "No picture.")}</span>}>
      {(src) => (
        <img
          src={src()} alt={props.cell.label} width={props.cell.size[0]} height={props.cell.size[1]} decoding="async" loading="lazy"
          onError={() => setBroken(true)}
        />
      )}
    </Show>
  );
}
