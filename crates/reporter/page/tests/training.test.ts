import { describe, expect, it, test } from "vitest";
import type { Losses, PageState, Pictures, RunInfo, Training } from "../src/data";
import { progress } from "../src/model/progress";
import { duration, facts, outlook, placeOf, point, varies } from "../src/training/facts";
import { neighbour, sampleTable } from "../src/training/samples";

const losses: Losses = { step: [1, 2, 10, 40], loss: [0.5, null, 0.123456, 0], mean: [0.5, 0.5, 0.3, 0.2], window: 5, learning_rate: [0.001, 0.001, 0.001, 0.001] };

const training = (change: Partial<Training> = {}): Training => ({
  subject: "me", word: "sks man", model: "sketchbook", method: "lora", images: 5, class_images: 4, rank: 16, num_vectors: null,
  learning_rate: 0.001, steps: 40, last_step: 40, done: 12, seconds: 24, losses, samples: [], ...change,
});

test("a LoRA's facts", () => {
  expect(facts(training())).toEqual([
    ["word", "sks man"], ["method", "lora"], ["steps", "12 of 40"], ["pictures", "5"], ["rank", "16"], ["learning rate", "0.001"],
    ["class pictures", "4"], ["time", "24 s"],
  ]);
});

test("what does not apply is left out", () => {
  const other = training({ method: "textual-inversion", rank: null, num_vectors: 3, class_images: 0, done: 0, seconds: 0 });
  expect(facts(other).map(([name]) => name)).toEqual(["word", "method", "steps", "pictures", "vectors", "learning rate"]);
});

test.each<[Partial<Training>, string]>([
  [{ done: 40 }, "40 of 40"],
  [{ done: 5, last_step: 20 }, "5 of 20 (40 in the experiment, but no picture needs more)"],
  // Another run needed more.
  [{ done: 40, last_step: 20 }, "40 of 40"],
])("steps of %o: %s", (change, expected) => expect(facts(training(change)).find(([name]) => name === "steps")![1]).toBe(expected));

test.each<[Partial<Training>, RunInfo["state"], boolean, string]>([
  [{}, "running", true, "About 56 s left."],
  [{ done: 0 }, "running", true, "No step is done yet."],
  [{ done: 40 }, "running", true, ""],
  [{ done: 20, last_step: 20 }, "incomplete", false, ""],
  [{}, "incomplete", false, "Interrupted: the next run of the experiment goes on with it."],
  // A process that was killed: the data still says that it runs.
  [{}, "running", false, "Interrupted: the next run of the experiment goes on with it."],
  [{ done: 0 }, "incomplete", false, "Not begun."],
  [{ done: 0 }, "complete", false, "Not finished: the run has all of its pictures without it."],
])("%o of a run that is %s (%s): %s", (change, state, running, expected) => expect(outlook(training(change), state, running)).toBe(expected));

test.each([[0.4, "0 s"], [89, "89 s"], [90, "2 min"], [5340, "89 min"], [5400, "1 h 30 min"], [36_010, "10 h 0 min"]])("%d seconds: %s", (seconds, expected) =>
  expect(duration(seconds)).toBe(expected));

describe("losses", () => {
  it("are read at a step, and at the last one by default", () => {
    expect([null, 1, 0, 2, 3, 5, 6, 7, 39, 99].map((step) => placeOf(losses, step))).toEqual([3, 0, 0, 1, 1, 1, 2, 2, 3, 3]);
  });

  it("are said with four digits, zero and gaps as what they are", () => {
    expect(point(losses, 2)).toBe("Step 10: loss 0.1235, mean 0.3");
    expect(point(losses, 3)).toBe("Step 40: loss 0, mean 0.2");
    expect(point(losses, 1)).toBe("Step 2: loss not a number, mean 0.5");
  });

  it("have the learning rate where it changes", () => {
    const warmed = { ...losses, learning_rate: [0, 0.0005, 0.001, 0.001] };
    expect([varies(losses), varies(warmed)]).toEqual([false, true]);
    expect(point(warmed, 0)).toBe("Step 1: loss 0.5, mean 0.5, learning rate 0");
  });
});

describe("samples", () => {
  const sample = (step: number, number: number) => ({ step, number, image: `${step}-${number}.png` });
  const table = sampleTable([sample(10, 0), sample(10, 1), sample(9, 0), sample(40, 0), sample(40, 1)]);

  it("are a row per number and a column per step", () => {
    expect(table).toEqual({
      steps: [9, 10, 40], numbers: [0, 1],
      images: [["9-0.png", "10-0.png", "40-0.png"], [null, "10-1.png", "40-1.png"]],
    });
    expect(sampleTable([])).toEqual({ steps: [], numbers: [], images: [] });
  });

  it("are walked from one to the next that exists", () => {
    expect(neighbour(table, { row: 0, column: 0 }, 0, 1)).toEqual({ row: 0, column: 1 });
    expect(neighbour(table, { row: 1, column: 1 }, 0, -1)).toBeNull();
    expect(neighbour(table, { row: 0, column: 0 }, 1, 0)).toBeNull();
    expect(neighbour(table, { row: 0, column: 2 }, 1, 0)).toEqual({ row: 1, column: 2 });
    expect(neighbour(table, { row: 0, column: 2 }, 0, 1)).toBeNull();
  });
});

test.each<[RunInfo["state"], Training[], string]>([
  ["running", [training({ done: 40 }), training({ subject: "cat", done: 3 })], "0 of 2 pictures · training cat: 3 of 40 steps · running"],
  ["running", [training({ done: 40 })], "0 of 2 pictures · running"],
  // Either not begun, or not needed for the pictures that are left.
  ["running", [training({ done: 0 })], "0 of 2 pictures · running"],
  ["incomplete", [training()], "0 of 2 pictures · incomplete"],
])("the progress of a run that is %s: %#", (state, trainings, expected) => {
  const pictures = { count: 2, status: ["missing", "missing"], draft: [false, false] } as unknown as Pictures;
  const told: PageState = { revision: "1", state, done: 0, total: 2, written: 1000 };
  expect(progress({ state } as RunInfo, pictures, told, 1000, trainings).text).toBe(expected);
});
