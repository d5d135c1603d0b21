// The one model of a run's page: its data, the view, and what follows from both. Views read it and call its actions.
import { createEffect, createMemo, createSignal, type Accessor } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { Column, Pictures, RunPage } from "../data";
import { createPicks, type PickStore } from "../picks/store";
import { reload } from "../load";
import { createEvents } from "./events";
import { describe, indexCells, positionAt, type Cells } from "./cells";
import { isError, matches, parseFilter, type FilterError } from "./filter";
import { heatOf, type Heat } from "./heat";
import { hashOf, urlState } from "./history";
import { gridSheet, listSheet, place, turn, type Placement, type Sheet } from "./layout";
import { subjects, type Subjects } from "./subject";
import { defaultView, fromHash, SIZES, toHash, type View } from "./view";

export interface Model {
  page: Accessor<RunPage>;
  pictures: Accessor<Pictures>;
  column(name: string): Column | undefined;
  cells: Accessor<Cells>;
  picks: PickStore;
  subjects: Accessor<Subjects>;

  view: View;
  /** Changes the view; the URL follows without a new entry in the history. */
  show(change: Partial<View>): void;

  placement: Accessor<Placement>;
  /** The values of each axis that are not hidden. */
  shown: Accessor<number[][]>;
  /** What is on the screen: the grid, or the list. */
  sheet: Accessor<Sheet>;
  /** How many columns the list has; the grid view sets it to what fits. */
  setListColumns(columns: number): void;
  /** All shown cells in walking order, over all values of the other axes. */
  walk: Accessor<number[]>;

  /** The focused cell; -1 where the experiment has none. */
  focus: Accessor<number>;
  /** The picture of the focused cell; -1 without a cell. */
  focused: Accessor<number>;
  focusCell(cell: number): void;
  /** The cell that had the focus before. */
  last: Accessor<number>;
  marked: Accessor<number>;
  /** One step; past an edge of the grid on to the next values of the other axes. False if there is nowhere to go. */
  step(rows: number, columns: number): boolean;
  /** The axis that `[` and `]` step through. */
  steppedAxis: Accessor<number>;
  setSteppedAxis(axis: number): void;
  stepAxis(by: 1 | -1): void;
  nextAxis(by: 1 | -1): void;
  /** Moves the focus by rows and columns within the sheet; infinite to its edge. */
  jump(rows: number, columns: number): void;
  /** Hides these values of an axis and shows its others; one that has the focus gives it to the first shown one. */
  hide(axis: number, values: number[]): void;
  /** Makes cells larger or smaller by a step. */
  resize(by: 1 | -1): void;

  filterError: Accessor<FilterError | null>;
  /** Whether a cell matches the filter; null without a filter. */
  matching: Accessor<((cell: number) => boolean) | null>;
  /** How many shown cells match. */
  matchCount: Accessor<number>;
  heat: Accessor<Heat | null>;

  /** Opens and closes the large view of the focused picture. */
  open(): void;
  close(): void;
  flicker: Accessor<boolean>;
  setFlicker(on: boolean): void;
  /** What the focused picture is compared with. */
  other: Accessor<Other | null>;
  nextAgainst(): void;
  markForComparison(): void;
  /** The comparison with a slider. */
  comparing: Accessor<boolean>;
  compare(): void;
  stopComparing(): void;

  panelOpen: Accessor<boolean>;
  showPanel(open: boolean): void;

  /** Listens to an event of `maquette review`, such as `votes`, for as long as the calling component lives. */
  onEvent(name: string, act: (data: unknown) => void): void;

  /** Says something to screen readers. */
  say(text: string): void;
  said: Accessor<string>;
}

/** A picture to compare with: the reference picture, or another cell's. */
export interface Other {
  image: string;
  label: string;
  cell: number | null;
}

export function createModel(page: Accessor<RunPage>): Model {
  const grid = () => page().grid;
  const cells = createMemo(() => indexCells(grid()));
  const [view, setView] = createStore<View>(begin(page(), cells()));
  const events = createEvents();
  const picks = createPicks(storageKey(page()), page().picks, {
    data: () => void reload(), votes: (data) => events.tell("votes", data), masks: (data) => events.tell("masks", data),
  });
  createEffect(() => picks.folder(page().picks));

  const url = urlState((hash) => {
    const next = fromHash(hash, grid());
    // Back closes the large view; the focus stays on the picture that was seen last.
    if (view.open && !next.open) setView({ open: false });
    else setView(reconcile(next));
  });
  const hash = () => toHash(view, grid());
  const show = (change: Partial<View>) => setView(change);
  let pushing = false;
  createEffect(() => {
    const next = hash();
    if (!pushing && next !== hashOf()) url.replace(next);
  });

  const shown = createMemo(() =>
    grid().axes.map((axis, index) => axis.values.map((_, value) => value).filter((value) => !view.hidden[index].includes(value))),
  );
  const placement = createMemo(() => place(grid(), view.rows, view.columns));
  const described = createMemo(() => subjects(page(), cells(), picks.of));
  const parsed = createMemo(() => parseFilter(view.filter, described().names));
  // While a filter is being typed and cannot be read yet, the last one that could be read holds.
  const filter = createMemo<ReturnType<typeof usable>>((before) => usable(parsed()) ?? before, undefined);
  const matched = createMemo(() => {
    const wanted = filter();
    if (!wanted || wanted.kind === "all") return null;
    const about = described();
    return Uint8Array.from({ length: cells().count }, (_, cell) => Number(matches(wanted, about.of(cell))));
  });
  const matching = createMemo(() => {
    const found = matched();
    return found && ((cell: number) => found[cell] === 1);
  });
  const visible = createMemo(() => {
    const hidden = view.hidden.map((values) => new Set(values));
    const order: number[] = [];
    for (let cell = 0; cell < cells().count; cell++) {
      if (hidden.every((set) => !set.size) || cells().coordinates(cell).every((value, axis) => !hidden[axis].has(value))) order.push(cell);
    }
    return order;
  });
  const isList = () => view.list || view.sort !== "";
  const list = createMemo(() => {
    if (!isList()) return [];
    const keep = matching();
    const order = keep ? visible().filter(keep) : [...visible()];
    const sortable = view.sort && described().names.some(({ name }) => name === view.sort);
    return sortable ? described().sort(order, view.sort, view.descending) : order;
  });
  const [listColumns, setListColumns] = createSignal(1);
  const others = createMemo(() => placement().others.map((axis) => view.at[axis]), undefined, { equals: sameNumbers });
  const keep = () => (view.unmatched === "hide" ? matching() : null);
  const grids = createMemo(() => {
    const at = grid().axes.map(() => 0);
    placement().others.forEach((axis, i) => (at[axis] = others()[i]));
    return gridSheet(cells(), placement(), shown(), at, keep());
  });
  const sheet = () => (isList() ? listSheetMemo() : grids());
  const listSheetMemo = createMemo(() => listSheet(list(), listColumns()));

  const position = createMemo(() => positionAt(cells(), view.at));
  const focus = createMemo(() => cells().cellAt(position()));
  const focused = createMemo(() => (focus() < 0 ? -1 : grid().picture[focus()]));
  const [last, setLast] = createSignal(-1);
  const [marked, setMarked] = createSignal(-1);
  const [said, say] = createSignal("");
  const [flicker, setFlicker] = createSignal(false);
  const goTo = (at: number[]) => {
    if (focus() >= 0 && positionAt(cells(), at) !== position()) setLast(focus());
    setFlicker(false);
    show({ at });
  };
  const focusCell = (cell: number) => goTo(cells().coordinates(cell));

  const walk = createMemo(() => {
    if (isList()) return list();
    const order: number[] = [];
    const start = placement().others.reduce<number[]>((at, axis) => ((at[axis] = shown()[axis][0]), at), grid().axes.map(() => 0));
    for (let at: number[] | null = start; at; at = turn(placement(), shown(), at, 1)) {
      const one = gridSheet(cells(), placement(), shown(), at, keep());
      for (let row = 0; row < one.rows; row++) {
        for (let column = 0; column < one.columns; column++) {
          const cell = one.cell(row, column);
          if (cell >= 0) order.push(cell);
        }
      }
    }
    return order;
  });

  function step(rows: number, columns: number): boolean {
    const now = sheet();
    const found = now.find(focus(), view.at);
    if (!found) {
      const first = firstCell(now) ?? walk()[0];
      if (first === undefined) return false;
      focusCell(first);
      return true;
    }
    let [row, column] = found;
    for (;;) {
      row += rows;
      column += columns;
      if (row < 0 || row >= now.rows || column < 0 || column >= now.columns) return leave(rows, columns, found);
      const cell = now.cell(row, column);
      if (cell >= 0) {
        focusCell(cell);
        return true;
      }
    }
  }

  /** From an edge: in a list to the next line, in the grid to the opposite edge under the next values of the other axes. */
  function leave(rows: number, columns: number, from: [number, number]): boolean {
    const by = rows + columns > 0 ? 1 : -1;
    if (isList()) {
      const next = list()[list().indexOf(focus()) + by];
      if (columns === 0 || next === undefined) return false;
      focusCell(next);
      return true;
    }
    for (let at = turn(placement(), shown(), view.at, by); at; at = turn(placement(), shown(), at, by)) {
      const next = gridSheet(cells(), placement(), shown(), at, keep());
      const lines = rows ? next.rows : next.columns;
      for (let i = 0; i < lines; i++) {
        const line = by > 0 ? i : lines - 1 - i;
        const cell = rows ? next.cell(line, Math.min(from[1], next.columns - 1)) : next.cell(Math.min(from[0], next.rows - 1), line);
        if (cell >= 0) {
          focusCell(cell);
          say(describe(grid(), at));
          return true;
        }
      }
    }
    return false;
  }

  const [wantedAxis, setSteppedAxis] = createSignal(-1);
  const steppedAxis = () => (placement().others.includes(wantedAxis()) ? wantedAxis() : (placement().others[0] ?? -1));
  function stepAxis(by: 1 | -1): void {
    const axis = steppedAxis();
    if (axis < 0) return;
    const values = shown()[axis];
    const next = values[values.indexOf(view.at[axis]) + by];
    if (next !== undefined) goTo(view.at.map((value, i) => (i === axis ? next : value)));
  }

  function nextAxis(by: 1 | -1): void {
    const { others } = placement();
    const next = others[others.indexOf(steppedAxis()) + by];
    if (next === undefined) return;
    setSteppedAxis(next);
    say(`${grid().axes[next].name} is stepped by [ and ]`);
  }
  function jump(rows: number, columns: number): void {
    const found = sheet().find(focus(), view.at);
    if (!found) return;
    const limit = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
    const row = limit(found[0] + rows, sheet().rows);
    const column = limit(found[1] + columns, sheet().columns);
    // The nearest cell on the way back, where the experiment leaves out the one at the end.
    const candidates = Array.from({ length: Math.max(sheet().rows, sheet().columns) }, (_, i) =>
      sheet().cell(limit(row - i * Math.sign(rows), sheet().rows), limit(column - i * Math.sign(columns), sheet().columns)));
    const cell = candidates.find((one) => one >= 0);
    if (cell !== undefined) focusCell(cell);
  }
  function hide(axis: number, values: number[]): void {
    const hidden = view.hidden.map((before, i) => (i === axis ? [...values].sort((a, b) => a - b) : before));
    const first = grid().axes[axis].values.findIndex((_, value) => !values.includes(value));
    const at = view.at.map((value, i) => (i === axis && values.includes(value) ? first : value));
    if (first >= 0) show({ hidden, at });
  }
  function resize(by: 1 | -1): void {
    const size = Math.round(view.size * (by > 0 ? 1.25 : 0.8));
    show({ size: Math.max(SIZES.min, Math.min(SIZES.max, size)) });
  }
  const [comparing, setComparing] = createSignal(false);
  const [panelOpen, showPanel] = createSignal(innerWidth >= 800);
  function nextAgainst(): void {
    const all = ["reference", "last", "marked"] as const;
    show({ against: all[(all.indexOf(view.against) + 1) % all.length] });
    say(`compared with ${other()?.label ?? `the ${view.against} picture, which there is none of`}`);
  }
  function markForComparison(): void {
    if (focus() < 0) return;
    setMarked(marked() === focus() ? -1 : focus());
    show({ against: marked() < 0 ? "reference" : "marked" });
    say(marked() < 0 ? "no longer marked" : "marked: other pictures are compared with this one");
  }

  const other = createMemo((): Other | null => {
    const { pictures } = page();
    const cell = view.against === "last" ? last() : view.against === "marked" ? marked() : -1;
    const reference = focused() < 0 ? null : pictures.reference[focused()];
    if (view.against === "reference" && reference !== null) {
      return { image: pictures.references[reference].image, label: "the reference picture", cell: null };
    }
    const chosen = view.against === "marked" ? cell : last();
    const image = chosen < 0 || chosen === focus() ? null : pictures.image[grid().picture[chosen]];
    return image ? { image, label: describe(grid(), cells().coordinates(chosen)), cell: chosen } : null;
  });

  return {
    page,
    pictures: () => page().pictures,
    column: (name) => page().pictures.columns.find((column) => column.name === name),
    cells, picks, subjects: described, view, show, placement, shown, sheet, setListColumns, walk,
    focus, focused, focusCell, last, marked, step, steppedAxis, setSteppedAxis, stepAxis, nextAxis, jump, hide, resize,
    filterError: () => {
      const now = parsed();
      return isError(now) ? now : null;
    },
    matching,
    matchCount: createMemo(() => {
      const keep = matching();
      return keep ? visible().filter(keep).length : visible().length;
    }),
    heat: createMemo(() => {
      const column = view.heat ? page().pictures.columns.find(({ name }) => name === view.heat) : undefined;
      return column ? heatOf(column, page().grid.picture) : null;
    }),
    open() {
      if (view.open || focused() < 0) return;
      pushing = true;
      show({ open: true });
      pushing = false;
      url.push(hash());
    },
    close() {
      if (view.open && !url.back()) show({ open: false });
    },
    flicker, setFlicker, other, nextAgainst, markForComparison, comparing,
    compare: () => (other() ? void setComparing(true) : say("Nothing to compare with.")),
    stopComparing: () => void setComparing(false),
    panelOpen, showPanel, onEvent: events.on, say, said,
  };
}

/** The view of the URL; the focus is on the first cell if the URL names none. */
function begin(page: RunPage, cells: Cells): View {
  const view = location.hash ? fromHash(hashOf(), page.grid) : defaultView(page.grid);
  if (cells.count && cells.cellAt(positionAt(cells, view.at)) < 0 && !/(^|[#&])at\./.test(location.hash)) {
    view.at = cells.coordinates(0);
  }
  // The size follows the width of the screen at first: three columns on a phone.
  if (!/(^|[#&])size=/.test(location.hash)) view.size = Math.max(SIZES.min, Math.min(SIZES.start, Math.floor(innerWidth / 3.6)));
  return view;
}

function usable(parsed: ReturnType<typeof parseFilter>) {
  return isError(parsed) ? undefined : parsed;
}

function firstCell(sheet: Sheet): number | undefined {
  for (let row = 0; row < sheet.rows; row++) {
    for (let column = 0; column < sheet.columns; column++) if (sheet.cell(row, column) >= 0) return sheet.cell(row, column);
  }
  return undefined;
}

function sameNumbers(a: number[], b: number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Names a run and its plan in the browser's storage: the run's name and a hash (FNV-1a) of its cells. */
export function storageKey(page: RunPage): string {
  let hash = 0x811c9dc5;
  for (const cell of page.pictures.cell) {
    for (let i = 0; i < 16; i++) hash = Math.imul(hash ^ cell.charCodeAt(i), 0x01000193);
  }
  return `${page.run.name} ${(hash >>> 0).toString(16)}`;
}
