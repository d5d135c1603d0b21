import { describe, expect, it } from "vitest";
import type { DiffCell, DiffPage, DiffPair } from "../src/data";
import { counts, groups, outcomeText } from "../src/diff/order";
import { compareValues, compareWords } from "../src/diff/words";

const cell = (label: string, size: [number, number] = [64, 64]): DiffCell => ({
  cell: label,
  label,
  image: `${label}.png`,
  thumbnail: null,
  size,
  problem: null,
});

function pair(outcome: DiffPair["outcome"], mean: number | null = null, unexplained = false): DiffPair {
  return { left: cell("l"), right: cell("r"), settings: [], unexplained, outcome, mean_difference: mean, psnr: null };
}

const page = {
  left: "a@1",
  right: "a@2",
  pairs: [
    pair("identical"),
    pair("different", 3),
    pair("different", 9),
    pair("different", 1, true),
    pair("no_picture"),
    pair("sizes"),
    pair("sizes", null, true),
    pair("different", 9),
  ],
  only_left: [cell("x")],
  only_right: [],
} as unknown as DiffPage;

const titles = (...args: Parameters<typeof groups>) =>
  groups(...args).map((group) => [group.title, group.kind === "pairs" ? group.pairs : group.cells.length]);

describe("groups", () => {
  it("puts what is unexplained first, then the greatest difference", () => {
    expect(titles(page, "difference", "all")).toEqual([
      ["Same settings, different pixels", [6, 3]],
      ["Different pictures", [2, 7, 1]],
      ["Different sizes", [5]],
      ["A picture is missing", [4]],
      ["Identical pictures", [0]],
      ["Only in a@1", 1],
    ]);
  });

  it("keeps the order of the run", () => {
    expect(titles(page, "order", "all")).toEqual([
      ["Same settings, different pixels", [3, 6]],
      ["Pairs", [0, 1, 2, 4, 5, 7]],
      ["Only in a@1", 1],
    ]);
  });

  it("shows a part, as counted", () => {
    expect(counts(page)).toEqual({ all: 8, different: 6, unexplained: 2, identical: 1 });
    expect(titles(page, "difference", "identical")).toEqual([["Identical pictures", [0]]]);
    expect(titles(page, "difference", "unexplained")).toEqual([["Same settings, different pixels", [6, 3]]]);
  });
});

describe("outcomeText", () => {
  it.each([
    [pair("identical"), "identical"],
    [{ ...pair("different", 0.001234), psnr: 78.123 }, "mean difference 0.00123 of 255, PSNR 78.1 dB"],
    [{ ...pair("sizes"), right: cell("r", [32, 64]) }, "different sizes: 64x64 and 32x64"],
    [pair("no_picture"), "a picture is missing"],
  ])("says how the pictures differ", (given, expected) => expect(outcomeText(given)).toBe(expected));
});

describe("compareWords", () => {
  const marked = (text: string, other: string) =>
    compareWords(text, other).left.map(({ text, changed }) => (changed ? `[${text}]` : text)).join("");

  it.each([
    ["a red house", "a blue house", "a [red] house"],
    ["a house", "a house, at night", "a house"],
    ["a house, at night", "a house", "a house[, at night]"],
    ["same", "same", "same"],
    ["<b>old</b>", "<b>new</b>", "<b>[old]</b>"],
    ["Häuser am Fluß", "Häuser am See", "Häuser am [Fluß]"],
    ["", "words", ""],
  ])("marks %s against %s", (left, right, expected) => expect(marked(left, right)).toBe(expected));

  it("compares long texts as a whole", () => {
    const long = "word ".repeat(5000);
    expect(compareWords(long, `${long}more`).left).toEqual([{ text: long, changed: true }]);
  });

  it("loses nothing of either text", () => {
    const [left, right] = ["one two  three\nfour", "one 2 three four"];
    const compared = compareWords(left, right);
    expect(compared.left.map(({ text }) => text).join("")).toBe(left);
    expect(compared.right.map(({ text }) => text).join("")).toBe(right);
  });
});

describe("compareValues", () => {
  it("marks single words whole, and sides that lack the setting", () => {
    expect(compareValues({ name: "steps", left: "20", right: "30" })).toEqual({
      left: [{ text: "20", changed: true }],
      right: [{ text: "30", changed: true }],
    });
    expect(compareValues({ name: "eta", left: null, right: "0.5" })).toEqual({
      left: null,
      right: [{ text: "0.5", changed: true }],
    });
  });
});
