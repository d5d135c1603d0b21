// A metric along an axis: one line per value of another axis, and the spread over all other axes as a band.

import type { Axis, Column, Grid, RunPage } from "../data";
import { indexCells, valueOf } from "../model/cells";
import { percentile } from "../statistics";

export interface CurveChoice {
  /** The name of a column of numbers. */
  metric: string;
  /** The index of the axis from left to right. */
  x: number;
  /** The index of the axis with a line per value; null: one line. */
  lines: number | null;
  /** What the band spans: the quartiles (25 % to 75 %) or the smallest and greatest value. */
  band: "quartiles" | "extremes";
}

export interface Curves {
  /** The index of the axis' value at each position. */
  values: number[];
  /** The positions from left to right: the values themselves where all are numbers (`numeric`), else 0, 1, 2, … */
  x: number[];
  labels: string[];
  numeric: boolean;
  lines: CurveLine[];
}

export interface CurveLine {
  /** The index of the value that the line is for; 0 for the only line. */
  value: number;
  label: string;
  /** One entry per position. */
  points: CurvePoint[];
}

export interface CurvePoint {
  /** The median over the pictures, and the ends of the band; null without a picture that has the metric. */
  median: number | null;
  low: number | null;
  high: number | null;
  /** The pictures, those without a number left out. */
  pictures: number[];
}

/** The columns that can be plotted: metrics, then other outcomes that are numbers and differ. */
export function plottable(columns: Column[]): Column[] {
  const numbers = columns.filter(({ type, kind, index }) => type === "number" && (kind === "metric" || (kind === "outcome" && index)));
  return [...numbers.filter(({ kind }) => kind === "metric"), ...numbers.filter(({ kind }) => kind !== "metric")];
}

/**
 * What to show first: likeness to the reference against `strength` with a line per artist where there are such; otherwise
 * the first metric against the first axis of numbers that is no seed. Null without a metric or an axis to plot.
 */
export function defaultChoice({ pictures, grid }: Pick<RunPage, "pictures" | "grid">): CurveChoice | null {
  const metrics = plottable(pictures.columns);
  const metric = metrics.find(({ name }) => /likeness/i.test(name)) ?? metrics[0];
  const long = grid.axes.map((axis, at) => ({ axis, at })).filter(({ axis }) => axis.values.length > 1);
  const steady = long.filter(({ axis }) => !isSeed(axis));
  const x =
    steady.find(({ axis }) => axis.name === "strength") ??
    steady.find(({ axis }) => numbers(axis) !== null) ??
    steady[0] ??
    long[0];
  if (!metric || !x) return null;
  const others = steady.filter(({ at }) => at !== x.at);
  const lines = others.find(({ axis }) => /artist/i.test(axis.name)) ?? others[0];
  return { metric: metric.name, x: x.at, lines: lines?.at ?? null, band: "extremes" };
}

/** Computes the lines. `shown` says which pictures count, such as those that the filter leaves. */
export function curves(page: Pick<RunPage, "pictures" | "grid">, choice: CurveChoice, shown: (picture: number) => boolean = () => true): Curves {
  const { grid, pictures } = page;
  const axis = grid.axes[choice.x];
  const values = numbers(axis);
  const order = axis.values.map((_, at) => at);
  if (values) order.sort((a, b) => values[a] - values[b]);
  const column = pictures.columns.find(({ name }) => name === choice.metric);
  const members = gather(grid, choice, (picture) => shown(picture) && column !== undefined && number(column, picture) !== null);
  const labels = choice.lines === null ? [choice.metric] : grid.axes[choice.lines].values.map(({ label }) => label);
  const lines = labels.map((label, line) => ({
    value: line,
    label,
    points: order.map((value) => {
      const found = [...(members.get(line)?.get(value) ?? [])];
      return { ...spread(found.map((picture) => number(column!, picture)!), choice.band), pictures: found };
    }),
  }));
  return {
    values: order,
    x: order.map((value, at) => (values ? values[value] : at)),
    labels: order.map((value) => axis.values[value].label),
    numeric: values !== null,
    lines: lines.filter(({ points }) => points.some(({ pictures }) => pictures.length > 0)),
  };
}

/** The number of a picture in a column, or null if it has none. */
export function number(column: Column, picture: number): number | null {
  const text = valueOf(column, picture);
  const value = text === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

/** Pictures by line and by value along the axis; a picture that is several cells of one point counts once there. */
function gather(grid: Grid, choice: CurveChoice, counts: (picture: number) => boolean): Map<number, Map<number, Set<number>>> {
  const lines = new Map<number, Map<number, Set<number>>>();
  const cells = indexCells(grid);
  grid.picture.forEach((picture, cell) => {
    if (!counts(picture)) return;
    const at = cells.coordinates(cell);
    const line = choice.lines === null ? 0 : at[choice.lines];
    const points = lines.get(line) ?? lines.set(line, new Map()).get(line)!;
    const point = points.get(at[choice.x]) ?? points.set(at[choice.x], new Set()).get(at[choice.x])!;
    point.add(picture);
  });
  return lines;
}

function spread(values: number[], band: CurveChoice["band"]) {
  if (values.length === 0) return { median: null, low: null, high: null };
  values.sort((a, b) => a - b);
  const [low, high] = band === "quartiles" ? [0.25, 0.75] : [0, 1];
  return { median: percentile(values, 0.5), low: percentile(values, low), high: percentile(values, high) };
}

/** The values of an axis as numbers, or null if one of them is none or two are the same. */
function numbers(axis: Axis): number[] | null {
  const values = axis.values.map(({ label, set }) => Number(set.length === 1 && set[0][1] !== "" ? set[0][1] : label || NaN));
  return values.every(Number.isFinite) && new Set(values).size === values.length ? values : null;
}

function isSeed(axis: Axis): boolean {
  return axis.name === "seed" || axis.values.every(({ set }) => set.length > 0 && set.every(([name]) => name === "seed"));
}
