// The rows of a comparison's list: headings, pairs side by side as many as fit, and the cells of one run.

import type { DiffCell } from "../data";
import type { Group } from "./order";

export type Row =
  | { kind: "heading"; title: string; count: number }
  | { kind: "pairs"; /** Indexes into the pairs of the page. */ pairs: number[] }
  | { kind: "cells"; cells: DiffCell[] };

/** Fills rows of `columns` pairs; cells are half as wide as pairs. */
export function rows(groups: Group[], columns: number): Row[] {
  return groups.flatMap((group): Row[] => {
    const heading = (count: number): Row => ({ kind: "heading", title: group.title, count });
    if (group.kind === "pairs") {
      return [heading(group.pairs.length), ...chunks(group.pairs, columns).map((pairs): Row => ({ kind: "pairs", pairs }))];
    }
    return [heading(group.cells.length), ...chunks(group.cells, columns * 2).map((cells): Row => ({ kind: "cells", cells }))];
  });
}

/** The pairs in the order in which the rows show them. */
export function walk(groups: Group[]): number[] {
  return groups.flatMap((group) => (group.kind === "pairs" ? group.pairs : []));
}

/** The pair that an arrow key leads to: to the side along the walk, up and down to the nearest row's same place. */
export function neighbour(list: Row[], pair: number, key: string): number | null {
  const lines = list.flatMap((row) => (row.kind === "pairs" ? [row.pairs] : []));
  const line = lines.findIndex((pairs) => pairs.includes(pair));
  if (line < 0) return lines[0]?.[0] ?? null;
  const flat = lines.flat();
  const at = flat.indexOf(pair);
  const column = lines[line].indexOf(pair);
  const beside = (pairs: number[] | undefined) => pairs && pairs[Math.min(column, pairs.length - 1)];
  switch (key) {
    case "ArrowLeft":
      return flat[at - 1] ?? null;
    case "ArrowRight":
      return flat[at + 1] ?? null;
    case "ArrowUp":
      return beside(lines[line - 1]) ?? null;
    case "ArrowDown":
      return beside(lines[line + 1]) ?? null;
    case "Home":
      return flat[0];
    case "End":
      return flat[flat.length - 1];
    default:
      return null;
  }
}

function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size));
}
