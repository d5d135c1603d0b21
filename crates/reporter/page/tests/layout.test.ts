import { describe, expect, test } from "vitest";
import type { Grid } from "../src/data";
import { indexCells } from "../src/model/cells";
import { defaultPlacement, gridSheet, groups, listSheet, place, turn } from "../src/model/layout";

function grid(lengths: number[], kept: number[] | null = null, rows: string | null = null, columns: string | null = null): Grid {
  const axes = lengths.map((length, axis) => ({
    name: "abcdef"[axis],
    values: Array.from({ length }, (_, value) => ({ label: `${"abcdef"[axis]}${value}`, set: [] })),
  }));
  return { axes, kept, picture: [], rows, columns };
}

const shownAll = (one: Grid) => one.axes.map((axis) => axis.values.map((_, i) => i));

function sheetOf(one: Grid, rows: string[], columns: string[], at: number[], keep: ((cell: number) => boolean) | null = null, shown = shownAll(one)) {
  return gridSheet(indexCells(one), place(one, rows, columns), shown, at, keep);
}

const table = (sheet: ReturnType<typeof sheetOf>) =>
  Array.from({ length: sheet.rows }, (_, row) => Array.from({ length: sheet.columns }, (_, column) => sheet.cell(row, column)));

describe("cells", () => {
  test("the last axis varies fastest, whatever is kept", () => {
    for (const kept of [null, [0, 2, 3, 7, 11]]) {
      const cells = indexCells(grid([2, 3, 2], kept));
      for (let cell = 0; cell < cells.count; cell++) {
        const position = cells.coordinates(cell).reduce((sum, value, axis) => sum + value * cells.strides[axis], 0);
        expect(position).toBe(cells.positionOf(cell));
        expect(cells.cellAt(position)).toBe(cell);
      }
    }
  });
  test("a position that is left out has no cell", () => {
    expect(indexCells(grid([2, 3], [0, 2, 5])).cellAt(1)).toBe(-1);
    expect(indexCells(grid([2, 3], [0, 2, 5])).count).toBe(3);
  });
  test("an experiment without axes has one cell", () => {
    expect(table(sheetOf(grid([]), [], [], []))).toEqual([[0]]);
  });
});

describe("the grid", () => {
  test("any axis for rows and columns", () => {
    expect(table(sheetOf(grid([2, 3]), ["a"], ["b"], [0, 0]))).toEqual([[0, 1, 2], [3, 4, 5]]);
    expect(table(sheetOf(grid([2, 3]), ["b"], ["a"], [0, 0]))).toEqual([[0, 3], [1, 4], [2, 5]]);
    expect(table(sheetOf(grid([2, 3]), [], ["b"], [1, 0]))).toEqual([[3, 4, 5]]);
  });
  test("rows within rows, columns within columns", () => {
    expect(table(sheetOf(grid([2, 2, 2, 2]), ["a", "c"], ["b", "d"], [0, 0, 0, 0]))).toEqual([
      [0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15],
    ]);
  });
  test("hidden values are left out", () => {
    expect(table(sheetOf(grid([2, 3]), ["a"], ["b"], [0, 0], null, [[0, 1], [0, 2]]))).toEqual([[0, 2], [3, 5]]);
  });
  test("rows and columns without a wanted cell are left out", () => {
    expect(table(sheetOf(grid([3, 3]), ["a"], ["b"], [0, 0], (cell) => cell === 1 || cell === 6))).toEqual([[-1, 1], [6, -1]]);
    expect(sheetOf(grid([2, 2]), ["a"], ["b"], [0, 0], () => false).rows).toBe(0);
  });
  test("every cell is found where it is drawn, and only there", () => {
    const one = grid([2, 3, 2, 3], [...Array(36).keys()].filter((i) => i % 5));
    const cells = indexCells(one);
    for (const [rows, columns] of [[["a"], ["b"]], [["d", "a"], ["c"]], [[], ["b"]], [["a", "b", "c", "d"], []]]) {
      const at = [1, 2, 0, 1];
      const sheet = sheetOf(one, rows, columns, at);
      let found = 0;
      for (let cell = 0; cell < cells.count; cell++) {
        const place = sheet.find(cell, cells.coordinates(cell));
        if (!place) continue;
        found++;
        expect(sheet.cell(...place)).toBe(cell);
      }
      expect(found).toBe(table(sheet).flat().filter((cell) => cell >= 0).length);
    }
  });
  test("a place without a cell is found, too", () => {
    expect(sheetOf(grid([2, 2], [0, 3]), ["a"], ["b"], [0, 0]).find(-1, [0, 1])).toEqual([0, 1]);
  });
  test("the layout of the contact sheets is the default", () => {
    expect(defaultPlacement(grid([2, 2, 2], null, "c", null))).toEqual({ rows: ["c"], columns: [] });
    expect(defaultPlacement(grid([2, 2, 2]))).toEqual({ rows: ["b"], columns: ["c"] });
    expect(defaultPlacement(grid([2]))).toEqual({ rows: [], columns: ["a"] });
  });
});

test("a list fills rows in order", () => {
  const sheet = listSheet([5, 3, 8, 1], 3);
  expect([sheet.rows, sheet.columns, sheet.cell(1, 0), sheet.cell(1, 1)]).toEqual([2, 3, 1, -1]);
  expect(sheet.find(8, [])).toEqual([0, 2]);
  expect(sheet.find(7, [])).toBeNull();
});

test("the other axes turn like an odometer and stop at its ends", () => {
  const one = grid([2, 2, 3]);
  const placement = place(one, ["a"], []);
  const seen = [];
  for (let at: number[] | null = [1, 0, 0]; at; at = turn(placement, [[0, 1], [0, 1], [0, 2]], at, 1)) seen.push(at.join(""));
  expect(seen).toEqual(["100", "102", "110", "112"]);
  expect(turn(placement, shownAll(one), [1, 1, 0], -1)).toEqual([1, 0, 2]);
  expect(turn(placement, shownAll(one), [1, 0, 0], -1)).toBeNull();
});

test("headings span their group, also when it begins before the screen", () => {
  const { columnLevels } = sheetOf(grid([2, 3]), [], ["a", "b"], [0, 0]);
  expect(groups(columnLevels, 0, 1, 3)).toEqual([{ start: 0, end: 2, value: 0 }, { start: 3, end: 5, value: 1 }]);
});
