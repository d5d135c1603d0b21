// The samples of a training as a table: a row per number, a column per step.
import type { TrainingSample } from "../data";

export interface SampleTable {
  /** Ascending. */
  steps: number[];
  /** Ascending. */
  numbers: number[];
  /** The picture's file by row and column; null where there is none yet. */
  images: (string | null)[][];
}

/** The row and column of a sample. */
export interface SamplePlace {
  row: number;
  column: number;
}

export function sampleTable(samples: TrainingSample[]): SampleTable {
  const ascending = (values: number[]) => [...new Set(values)].sort((a, b) => a - b);
  const steps = ascending(samples.map(({ step }) => step));
  const numbers = ascending(samples.map(({ number }) => number));
  const images = new Map(samples.map(({ step, number, image }) => [`${number} ${step}`, image]));
  return { steps, numbers, images: numbers.map((number) => steps.map((step) => images.get(`${number} ${step}`) ?? null)) };
}

/** The next sample that exists, by rows and columns; null at an edge. */
export function neighbour({ images }: SampleTable, from: SamplePlace, rows: number, columns: number): SamplePlace | null {
  let [row, column] = [from.row + rows, from.column + columns];
  while (images[row]?.[column] === null) [row, column] = [row + rows, column + columns];
  return images[row]?.[column] ? { row, column } : null;
}
