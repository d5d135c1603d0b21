import { describe, expect, it } from "vitest";
import type { Effects } from "../src/data";
import { bars, percent, remarks } from "../src/effects/shares";

const effects: Effects = {
  measure: "pixels",
  about: "",
  shares: [
    { axes: ["seed"], share: 0.2 },
    { axes: ["artist"], share: 0.5 },
    { axes: ["artist", "seed"], share: 0.25 },
    { axes: ["eta"], share: 0 },
  ],
  rest: 0.05,
  values: [
    { axis: "artist", distance: [1, 2, 6], outlier: 2 },
    { axis: "eta", distance: [0, 0], outlier: null },
  ],
  idle: ["eta"],
  complete: true,
};

describe("effects", () => {
  it("are bars, greatest first and the rest last", () => {
    expect(bars(effects).map(({ label, kind, share }) => [label, kind, share])).toEqual([
      ["artist", "axis", 0.5],
      ["artist × seed", "interaction", 0.25],
      ["seed", "axis", 0.2],
      ["eta", "axis", 0],
      ["everything else", "rest", 0.05],
    ]);
  });

  it("name outliers and idle axes", () => {
    expect(remarks(effects, (axis, value) => `${axis}${value}`)).toEqual([
      "artist2 stands out along artist, 4.0 times as far from the centre as the others on average.",
      "eta changes nothing: the pictures are the same along it.",
    ]);
  });

  it.each([
    [0, "0 %"],
    [0.0005, "< 0.1 %"],
    [0.0123, "1.2 %"],
    [0.5, "50 %"],
    [1, "100 %"],
  ])("%d is %s", (share, text) => expect(percent(share)).toBe(text));
});
