import { describe, expect, it } from "vitest";
import type { DiffCell } from "../src/data";
import type { Group } from "../src/diff/order";
import { neighbour, rows, walk } from "../src/diff/rows";

const groups: Group[] = [
  { title: "Unexplained", kind: "pairs", pairs: [7] },
  { title: "Others", kind: "pairs", pairs: [4, 2, 0, 1, 3] },
  { title: "Only left", kind: "cells", side: "left", cells: [{}, {}, {}, {}, {}] as DiffCell[] },
];

describe("rows", () => {
  it("fill the width", () => {
    expect(rows(groups, 2).map((row) => (row.kind === "heading" ? row.count : row.kind === "pairs" ? row.pairs : row.cells.length))).toEqual([
      1, [7], 5, [4, 2], [0, 1], [3], 5, 4, 1,
    ]);
  });

  it("walk through all pairs", () => expect(walk(groups)).toEqual([7, 4, 2, 0, 1, 3]));

  it.each([
    [4, "ArrowLeft", 7],
    [7, "ArrowLeft", null],
    [3, "ArrowRight", null],
    [2, "ArrowDown", 1],
    [1, "ArrowDown", 3],
    [2, "ArrowUp", 7],
    [3, "Home", 7],
    [7, "End", 3],
    [99, "ArrowDown", 7],
  ])("%d and %s lead to %s", (pair, key, expected) => expect(neighbour(rows(groups, 2), pair, key)).toBe(expected));
});
