// The axis values at which a picture lies in the grid.

import type { Grid } from "../data";

/** For each picture and axis, the indexes of the values at which the picture lies, ascending. */
export type Places = number[][][];

/** The index of the value along each axis of a position of the grid; the last axis varies fastest. */
export function coordinates(grid: Grid, position: number): number[] {
  const values = new Array<number>(grid.axes.length);
  for (let axis = grid.axes.length - 1; axis >= 0; axis--) {
    const count = grid.axes[axis].values.length;
    values[axis] = position % count;
    position = Math.floor(position / count);
  }
  return values;
}

/** Where each picture lies. Cells that are the same picture give it several values along an axis. */
export function places(grid: Grid, pictures: number): Places {
  const sets = Array.from({ length: pictures }, () => grid.axes.map(() => new Set<number>()));
  grid.picture.forEach((picture, cell) => {
    const position = grid.kept ? grid.kept[cell] : cell;
    coordinates(grid, position).forEach((value, axis) => sets[picture][axis].add(value));
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
