import { describe, expect, it } from "vitest";
import type { Column, Grid, RunPage } from "../src/data";
import { curves, defaultChoice, number, plottable } from "../src/effects/curve";

const axis = (name: string, labels: string[]) => ({
  name,
  values: labels.map((label) => ({ label, set: [[name, label]] as [string, string][] })),
});

const column = (name: string, kind: Column["kind"], values: string[]): Column => ({
  name,
  kind,
  type: "number",
  values,
  index: values.map((_, at) => at),
  help: "",
});

/** strength (out of order) by artist by seed. */
const grid: Grid = {
  axes: [axis("strength", ["0.9", "0.3"]), axis("artist", ["Mucha", "Klimt"]), axis("seed", ["1", "2", "3"])],
  kept: null,
  picture: Array.from({ length: 12 }, (_, at) => at),
  rows: null,
  columns: null,
};

const likeness = column("clip-likeness", "metric", ["1", "2", "6", "4", "", "8", "10", "20", "30", "nan", "inf", ""]);

const page = (columns: Column[], other = grid) => ({ pictures: { columns }, grid: other }) as unknown as RunPage;

describe("defaultChoice", () => {
  it("is likeness against strength with a line per artist", () => {
    const columns = [column("seconds", "outcome", ["1", "2"]), column("sharpness", "metric", []), likeness];
    expect(defaultChoice(page(columns))).toEqual({ metric: "clip-likeness", x: 0, lines: 1, band: "extremes" });
  });

  it("does without strength, artists or metrics", () => {
    const other = { ...grid, axes: [axis("artist", ["a", "b"]), axis("steps", ["5", "10"]), axis("seed", ["1", "2", "3"])] };
    expect(defaultChoice(page([likeness], other))).toMatchObject({ x: 1, lines: 0 });
    expect(defaultChoice(page([likeness], { ...grid, axes: [axis("seed", ["1", "2"])] }))).toMatchObject({ x: 0, lines: null });
    expect(defaultChoice(page([], grid))).toBeNull();
    expect(defaultChoice(page([likeness], { ...grid, axes: [] }))).toBeNull();
  });
});

describe("curves", () => {
  const choice = { metric: "clip-likeness", x: 0, lines: 1, band: "extremes" as const };

  it("sorts numbers, takes medians, and leaves out pictures without a number", () => {
    expect(curves(page([likeness]), choice)).toEqual({
      values: [1, 0],
      x: [0.3, 0.9],
      labels: ["0.3", "0.9"],
      numeric: true,
      lines: [
        {
          value: 0,
          label: "Mucha",
          points: [
            { median: 20, low: 10, high: 30, pictures: [6, 7, 8] },
            { median: 2, low: 1, high: 6, pictures: [0, 1, 2] },
          ],
        },
        {
          value: 1,
          label: "Klimt",
          points: [
            { median: null, low: null, high: null, pictures: [] },
            { median: 6, low: 4, high: 8, pictures: [3, 5] },
          ],
        },
      ],
    });
  });

  it("spans the quartiles", () => {
    const point = curves(page([likeness]), { ...choice, band: "quartiles" }).lines[0].points[1];
    expect(point).toMatchObject({ median: 2, low: 1.5, high: 4 });
  });

  it("keeps the order of an axis of words, and leaves out lines without a point", () => {
    const shown = curves(page([likeness]), { ...choice, x: 1, lines: 0 }, (picture) => picture < 6);
    expect(shown).toMatchObject({ x: [0, 1], labels: ["Mucha", "Klimt"], numeric: false });
    expect(shown.lines.map(({ label }) => label)).toEqual(["0.9"]);
  });

  it("counts a picture of several cells once per point", () => {
    const shared: Grid = { ...grid, picture: [0, 0, 0, ...grid.picture.slice(3)] };
    expect(curves(page([likeness], shared), choice).lines[0].points[1]).toMatchObject({ median: 1, pictures: [0] });
  });
});

describe("columns", () => {
  it("offers metrics, then outcomes that differ", () => {
    const constant: Column = { ...column("seconds", "outcome", ["1"]), index: null };
    const names = plottable([constant, column("psnr", "outcome", ["1", "2"]), column("steps", "setting", ["1"]), likeness]);
    expect(names.map(({ name }) => name)).toEqual(["clip-likeness", "psnr"]);
  });

  it("reads constant columns, and zero as a number", () => {
    expect(number({ ...likeness, index: null, values: ["0"] }, 5)).toBe(0);
    expect(number({ ...likeness, index: null, values: [""] }, 5)).toBeNull();
  });
});
