import { describe, expect, it } from "vitest";
import type { Grid, Pictures, Vote } from "../src/data";
import { places } from "../src/ranking/places";
import { indexCells } from "../src/model/cells";
import { nextPair, usablePictures, votableAxes, type Candidates } from "../src/vote/pairs";

/** A full grid of axes named by their sizes; cell `n` is position `n`. */
function candidates(sizes: number[], unusable: number[] = []): Candidates & { grid: Grid } {
  const count = sizes.reduce((product, size) => product * size, 1);
  const picture = Array.from({ length: count }, (_, at) => at);
  const axes = sizes.map((size, axis) => ({
    name: `axis${axis}`,
    values: Array.from({ length: size }, (_, at) => ({ label: `${at}`, set: [] as [string, string][] })),
  }));
  const grid: Grid = { axes, kept: null, picture, rows: null, columns: null };
  return {
    grid,
    sizes,
    places: places(grid, count),
    cells: picture.map((at) => `cell${at}`),
    usable: picture.map((at) => !unusable.includes(at)),
  };
}

/** Votes `count` times for whatever is shown; `prefer` decides. */
function session(from: Candidates, axis: number, count: number, number: number, prefer: (left: number, right: number) => Vote["choice"]) {
  const votes: Vote[] = [];
  for (let at = 0; at < count; at++) {
    const pair = nextPair(from, axis, votes, number, [1]);
    if (!pair) break;
    votes.push({ left: from.cells[pair.left], right: from.cells[pair.right], choice: prefer(pair.left, pair.right) });
  }
  return votes;
}

const at = (cell: string) => Number(cell.slice(4));

describe("nextPair", () => {
  const from = candidates([4, 6]);
  const where = (cell: string) => indexCells(from.grid).coordinates(at(cell));
  const better = (left: number, right: number): Vote["choice"] => (left < right ? "left" : "right");

  it("pairs cells that differ along the axis only, and never repeats", () => {
    const votes = session(from, 0, 1000, 7, better);
    const onlyAxis = 6 * 6; // 6 pairs of values, 6 seeds
    const seen = new Set<string>();
    votes.forEach(({ left, right }, number) => {
      const [a, b] = [where(left), where(right)];
      expect(a[0]).not.toBe(b[0]);
      if (number < onlyAxis) expect(a[1]).toBe(b[1]);
      const key = [left, right].sort().join();
      expect(seen.has(key)).toBe(false);
      seen.add(key);
    });
    // Then every other pair of different values, until none is left.
    expect(votes.length).toBe(6 * 6 * 6);
  });

  it("depends on nothing but votes and session", () => {
    expect(session(from, 0, 20, 7, better)).toEqual(session(from, 0, 20, 7, better));
    expect(session(from, 0, 20, 7, better)).not.toEqual(session(from, 0, 20, 8, better));
  });

  it("balances seeds and sides", () => {
    const votes = session(from, 0, 24, 3, () => "tie");
    const seeds = new Array<number>(6).fill(0);
    const sides = new Array<number>(4).fill(0);
    for (const { left, right } of votes) {
      seeds[where(left)[1]]++;
      sides[where(left)[0]]++;
      sides[where(right)[0]]--;
    }
    expect(seeds).toEqual([4, 4, 4, 4, 4, 4]);
    for (const side of sides) expect(Math.abs(side)).toBeLessThanOrEqual(2);
  });

  it("asks about every value before it asks twice", () => {
    const votes = session(candidates([6, 6]), 0, 3, 1, better);
    const values = votes.flatMap(({ left, right }) => [at(left), at(right)].map((cell) => Math.floor(cell / 6)));
    expect(new Set(values).size).toBe(6);
  });

  it("asks most about values that are close", () => {
    // Value 3 always loses; 0, 1 and 2 are level.
    const votes = session(candidates([4, 40]), 0, 60, 5, (left, right) => {
      if (left >= 120) return "right";
      return right >= 120 ? "left" : "tie";
    });
    const hopeless = votes.filter(({ left, right }) => at(left) >= 120 || at(right) >= 120).length;
    expect(hopeless).toBeLessThan(25);
  });

  it("leaves out what cannot be shown", () => {
    const some = candidates([2, 2], [0]);
    const votes = session(some, 0, 10, 1, better);
    expect(votes.flatMap(({ left, right }) => [left, right])).not.toContain("cell0");
    expect(votes.length).toBe(2);
    expect(nextPair(candidates([2, 2], [0, 1]), 0, [], 1)).toBeNull();
  });

  it("ignores votes for cells that are gone", () => {
    expect(nextPair(from, 0, [{ left: "gone", right: "cell0", choice: "left" }], 1)).not.toBeNull();
  });

  it("does not compare a picture with itself", () => {
    const grid: Grid = { ...candidates([2, 2]).grid, picture: [0, 1, 0, 2] };
    const shared = { ...candidates([2, 2]), places: places(grid, 3), cells: ["cell0", "cell1", "cell2"], usable: [true, true, true] };
    expect(nextPair(shared, 0, [], 1)).toEqual(expect.objectContaining({}));
    const pair = nextPair(shared, 0, [], 1)!;
    expect([pair.left, pair.right].sort()).toEqual([1, 2]);
  });

  it("chooses among 10,000 cells within a moment", () => {
    const large = candidates([50, 200]);
    const started = performance.now();
    expect(nextPair(large, 0, session(large, 0, 3, 1, better), 1)).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(4000);
  });
});

describe("what can be voted on", () => {
  it("is finished, whole and final", () => {
    const pictures = {
      status: ["done", "failed", "missing", "done", "done", "done"],
      image: ["a.png", null, null, "b.png", "c.png", null],
      problem: [null, "failed", null, "damaged", null, null],
      draft: [false, false, false, false, true, false],
    } as unknown as Pictures;
    expect(usablePictures(pictures)).toEqual([true, false, false, false, false, false]);
  });

  it("needs two values", () => {
    expect(votableAxes(candidates([2, 1]))).toEqual([true, false]);
    expect(votableAxes(candidates([2, 2], [2, 3]))).toEqual([false, true]);
  });
});
