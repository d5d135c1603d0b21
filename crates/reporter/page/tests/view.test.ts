import { expect, test } from "vitest";
import type { Grid } from "../src/data";
import { defaultView, fromHash, toHash, type View } from "../src/model/view";

const labels = [["Alphonse Mucha", "Edvard Munch", "a, b & c = d#%", "@1", "", "same", "same"], ["0.3", "0.6"], ["7", "8"]];
const grid: Grid = {
  axes: ["artist", "strength", "a,\\=&#"].map((name, axis) => ({ name, values: labels[axis].map((label) => ({ label, set: [] })) })),
  kept: null, picture: [], rows: "artist", columns: "strength",
};
const back = (view: View) => fromHash(toHash(view, grid), grid);

test("the default view has an empty hash", () => {
  expect(toHash(defaultView(grid), grid)).toBe("");
  expect(back(defaultView(grid))).toEqual(defaultView(grid));
});

test("a view comes back from its hash", () => {
  const view: View = {
    mode: "vote", rows: ["strength", "a,\\=&#"], columns: [], at: [2, 1, 1], hidden: [[0, 3, 4, 6], [], [0]], list: true, size: 96, filter: 'artist: "a & b" or picked',
    unmatched: "hide", sort: "likeness", descending: true, heat: "dssim", against: "marked", open: true, extra: { "vote.axis": "artist" },
  };
  expect(back(view)).toEqual(view);
});

test("every value of an axis has a name of its own", () => {
  for (let value = 0; value < labels[0].length; value++) expect(back({ ...defaultView(grid), at: [value, 0, 0] }).at[0]).toBe(value);
});

test.each([
  ["rows=nothing&columns=artist&at.artist=Nobody&hide.strength=0.3&hide.strength=0.6&size=99999&layout=x&against=y"],
  ["%%%&&&==&at.artist=@99&size=-1"],
])("what the run does not have keeps its default: %s", (hash) => {
  const view = fromHash(hash, grid);
  expect(view.at).toEqual([0, 0, 0]);
  expect(view.hidden).toEqual([[], [], []]);
  expect([view.size, view.list, view.against]).toEqual([160, false, "reference"]);
});

test("an axis is not on both sides", () => {
  const view = fromHash("rows=artist&columns=artist,strength", grid);
  expect([view.rows, view.columns]).toEqual([["artist"], ["strength"]]);
});
