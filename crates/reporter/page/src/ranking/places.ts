// The axis values at which a picture lies in the grid.

import type { Grid } from "../data";
import { indexCells } from "../model/cells";

/** For each picture and axis, the indexes of the values at which the picture lies, ascending. */
export type Places = number[][][];

/** Where each picture lies. Cells that are the same picture give it several values along an axis. */
export function places(grid: Grid, pictures: number): Places {
  const sets = Array.from({ length: pictures }, () => grid.axes.map(() => new Set<number>()));
  const cells = indexCells(grid);
  grid.picture.forEach((picture, cell) => {
    cells.coordinates(cell).forEach((value, axis) => sets[picture][axis].add(value));
  });
  return sets.map((axes) => axes.map((values) => [...values].sort((a, b) => a - b)));
}

/**
 * How two pictures differ: one entry per axis, the two values, or null where they have a value in common. A picture with
 * several values along an axis counts with the first one.
 */
export function differences(left: number[][], right: number[][]): ([number, number] | null)[] {
  return left.map((values, axis) =>
    values.some((value) => right[axis].includes(value)) ? null : [values[0], right[axis][0]],
  );
}
