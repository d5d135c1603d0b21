// Where cells are on the screen: as a grid whose rows and columns are axes (nested to any depth), or as a flat list.
import type { Grid } from "../data";
import type { Cells, Coordinates } from "./cells";

/** Which axes are rows and columns, outermost first; the others are shown one value at a time. */
export interface Placement {
  rows: number[];
  columns: number[];
  others: number[];
}

/** Rows and columns of cells: what the grid draws and the arrow keys walk through. */
export interface Sheet {
  rows: number;
  columns: number;
  /** The cell at a row and column; -1 where there is none. */
  cell(row: number, column: number): number;
  /** The row and column of a cell, or of coordinates that are no cell; null if they are not on the sheet. */
  find(cell: number, at: Coordinates): [number, number] | null;
  /** Levels of headings, outermost first: per row (column) the index of the value. Empty for a list. */
  rowLevels: Level[];
  columnLevels: Level[];
}

export interface Level {
  axis: number;
  values: number[];
}

export function place(grid: Grid, rows: readonly string[], columns: readonly string[]): Placement {
  const index = (name: string) => grid.axes.findIndex((axis) => axis.name === name);
  const used = new Set<number>();
  const take = (names: readonly string[]) =>
    names.map(index).filter((axis) => axis >= 0 && !used.has(axis) && used.add(axis));
  const placed = { rows: take(rows), columns: take(columns) };
  return { ...placed, others: grid.axes.map((_, axis) => axis).filter((axis) => !used.has(axis)) };
}

/** The axes of the contact sheets; without a `[sheet]`, the last two axes. */
export function defaultPlacement(grid: Grid): { rows: string[]; columns: string[] } {
  if (grid.rows !== null || grid.columns !== null) {
    return { rows: grid.rows === null ? [] : [grid.rows], columns: grid.columns === null ? [] : [grid.columns] };
  }
  const names = grid.axes.map((axis) => axis.name);
  return { rows: names.slice(-2, -1), columns: names.slice(-1) };
}

/** The shown values of the axes, multiplied; the last axis varies fastest. */
function product(axes: number[], shown: number[][]): number[][] {
  return axes.reduce<number[][]>((keys, axis) => keys.flatMap((key) => shown[axis].map((value) => [...key, value])), [[]]);
}

/**
 * The grid for the values `at` of the other axes. `shown` holds the values of each axis that are not hidden.
 * `keep` tells which cells are wanted: rows and columns without any are left out.
 */
export function gridSheet(
  cells: Cells, placement: Placement, shown: number[][], at: Coordinates, keep: ((cell: number) => boolean) | null,
): Sheet {
  const base = placement.others.reduce((sum, axis) => sum + cells.strides[axis] * at[axis], 0);
  const offset = (axes: number[]) => (key: number[]) => key.reduce((sum, value, i) => sum + value * cells.strides[axes[i]], 0);
  let rowKeys = product(placement.rows, shown);
  let columnKeys = product(placement.columns, shown);
  let rowOffsets = rowKeys.map(offset(placement.rows));
  let columnOffsets = columnKeys.map(offset(placement.columns));
  if (keep) {
    const wanted = (position: number) => {
      const cell = cells.cellAt(base + position);
      return cell >= 0 && keep(cell);
    };
    const keepRow = rowOffsets.map((row) => columnOffsets.some((column) => wanted(row + column)));
    const keepColumn = columnOffsets.map((column) => rowOffsets.some((row) => wanted(row + column)));
    rowKeys = rowKeys.filter((_, row) => keepRow[row]);
    rowOffsets = rowOffsets.filter((_, row) => keepRow[row]);
    columnKeys = columnKeys.filter((_, column) => keepColumn[column]);
    columnOffsets = columnOffsets.filter((_, column) => keepColumn[column]);
  }
  const rowOf = new Map(rowOffsets.map((value, row) => [value, row]));
  const columnOf = new Map(columnOffsets.map((value, column) => [value, column]));
  const part = (axes: number[], coordinates: Coordinates) => axes.reduce((sum, axis) => sum + coordinates[axis] * cells.strides[axis], 0);
  const levels = (axes: number[], keys: number[][]) => axes.map((axis, i) => ({ axis, values: keys.map((key) => key[i]) }));
  return {
    rows: columnOffsets.length ? rowOffsets.length : 0,
    columns: rowOffsets.length ? columnOffsets.length : 0,
    cell: (row, column) => {
      const cell = cells.cellAt(base + rowOffsets[row] + columnOffsets[column]);
      return cell >= 0 && keep && !keep(cell) ? -1 : cell;
    },
    find: (_, coordinates) => {
      if (placement.others.some((axis) => coordinates[axis] !== at[axis])) return null;
      const row = rowOf.get(part(placement.rows, coordinates));
      const column = columnOf.get(part(placement.columns, coordinates));
      return row === undefined || column === undefined ? null : [row, column];
    },
    rowLevels: levels(placement.rows, rowKeys),
    columnLevels: levels(placement.columns, columnKeys),
  };
}

/** Cells in an order, `columns` to a row. */
export function listSheet(order: number[], columns: number): Sheet {
  const places = new Map(order.map((cell, place) => [cell, place]));
  return {
    rows: Math.ceil(order.length / columns),
    columns: Math.min(columns, Math.max(order.length, 1)),
    cell: (row, column) => order[row * columns + column] ?? -1,
    find: (cell) => {
      const place = places.get(cell);
      return place === undefined ? null : [Math.floor(place / columns), place % columns];
    },
    rowLevels: [],
    columnLevels: [],
  };
}

/**
 * The next values of the other axes, like an odometer (the last one turns fastest), skipping hidden values;
 * null past either end.
 */
export function turn(placement: Placement, shown: number[][], at: Coordinates, by: 1 | -1): number[] | null {
  const next = [...at];
  for (const axis of [...placement.others].reverse()) {
    const values = shown[axis];
    const place = values.indexOf(at[axis]) + by;
    if (place >= 0 && place < values.length) {
      next[axis] = values[place];
      return next;
    }
    next[axis] = by > 0 ? values[0] : values[values.length - 1];
  }
  return null;
}

/** Runs of equal values of an outer heading between two indexes (inclusive): where it starts and how many it spans. */
export function groups(levels: Level[], depth: number, first: number, last: number): { start: number; end: number; value: number }[] {
  const same = (a: number, b: number) => levels.slice(0, depth + 1).every((level) => level.values[a] === level.values[b]);
  const found: { start: number; end: number; value: number }[] = [];
  const length = levels[depth].values.length;
  let start = first;
  while (start > 0 && same(start - 1, first)) start--;
  while (start <= last && start < length) {
    let end = start;
    while (end + 1 < length && same(start, end + 1)) end++;
    found.push({ start, end, value: levels[depth].values[start] });
    start = end + 1;
  }
  return found;
}
