// The grid as numbers: positions, coordinates, cells, pictures, and the columns of the log as functions of a cell.
import type { Column, Grid, RunPage } from "../data";

/** One value index per axis, in the order of the grid's axes. */
export type Coordinates = readonly number[];

export interface Cells {
  count: number;
  /** How far apart two neighbouring values of an axis lie among the positions; the last axis has 1. */
  strides: number[];
  /** The cell at a position, or -1 where the experiment leaves it out. */
  cellAt(position: number): number;
  positionOf(cell: number): number;
  coordinates(cell: number): number[];
}

export function indexCells(grid: Grid): Cells {
  const lengths = grid.axes.map((axis) => axis.values.length);
  const strides = lengths.map((_, axis) => lengths.slice(axis + 1).reduce((product, length) => product * length, 1));
  const kept = grid.kept;
  const total = lengths.reduce((product, length) => product * length, 1);
  const cellAt = (position: number) => (kept ? search(kept, position) : position);
  const positionOf = (cell: number) => (kept ? kept[cell] : cell);
  return {
    count: kept ? kept.length : total,
    strides,
    cellAt,
    positionOf,
    coordinates: (cell) => strides.map((stride, axis) => Math.floor(positionOf(cell) / stride) % lengths[axis]),
  };
}

/** The index of a number in an ascending list, or -1. */
function search(ascending: number[], wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] === wanted) return middle;
    if (ascending[middle] < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The position of coordinates. */
export function positionAt(cells: Cells, at: Coordinates): number {
  return cells.strides.reduce((sum, stride, axis) => sum + stride * at[axis], 0);
}

/** The text of a column for a picture; empty where it does not apply. */
export function valueOf(column: Column, picture: number): string {
  return column.values[column.index ? column.index[picture] : 0] ?? "";
}

/** Whether a column has the same value for every picture. */
export function isConstant(column: Column): boolean {
  return column.index === null || column.values.length < 2;
}

/** Such as `Edvard Munch, 0.5, 7`: the labels of a cell's values. */
export function labelsOf(grid: Grid, at: Coordinates): string[] {
  return grid.axes.map((axis, index) => axis.values[at[index]]?.label ?? "");
}

/** Such as `artist Edvard Munch, strength 0.5`: what a screen reader says and what captions hold. */
export function describe(grid: Grid, at: Coordinates): string {
  return grid.axes.map((axis, index) => `${axis.name} ${axis.values[at[index]]?.label ?? ""}`).join(", ") || "the only cell";
}

/** The file to show at a size in device pixels (longest edge): the smallest thumbnail that is large enough, or the picture. */
export function fileFor(page: RunPage, picture: number, devicePixels: number): string | null {
  const pictures = page.pictures;
  const image = pictures.image[picture];
  if (!image || !pictures.thumbnail[picture]) return image;
  const fitting = pictures.thumbnails.find((thumbnail) => thumbnail.edge >= devicePixels);
  if (!fitting) return image;
  const cell = pictures.cell[picture];
  return `${fitting.folder}/${fitting.spread ? `${cell.slice(0, 2)}/` : ""}${cell.slice(0, 16)}.webp`;
}
