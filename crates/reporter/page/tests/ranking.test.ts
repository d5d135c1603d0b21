import { describe, expect, it } from "vitest";
import { design, fit, once, RIDGE, type Comparison } from "../src/ranking/fit";
import { differences, places } from "../src/ranking/places";
import { mulberry32 } from "../src/ranking/random";
import { comparisons, rank, votesNeeded } from "../src/ranking/rank";
import { percentile } from "../src/statistics";
import type { Grid } from "../src/data";

const grid: Grid = {
  axes: [
    { name: "artist", values: ["Mucha", "Klimt", "Schiele"].map((label) => ({ label, set: [] })) },
    { name: "seed", values: ["1", "2"].map((label) => ({ label, set: [] })) },
  ],
  kept: null,
  picture: [0, 1, 2, 3, 4, 5],
  rows: null,
  columns: null,
};

/** `count` comparisons of two values of one axis out of `axes`. */
function duels(winner: number, loser: number, count: number, axis = 0, axes = 1): Comparison[] {
  const differs = Array.from({ length: axes }, (_, at): [number, number] | null => (at === axis ? [winner, loser] : null));
  return Array.from({ length: count }, () => ({ differences: differs, score: 1 }));
}

function fitted(sizes: number[], compared: Comparison[]) {
  const matrix = design(sizes, compared);
  const strengths = [...fit(matrix, once(matrix))];
  return sizes.map((size, axis) => strengths.slice(matrix.starts[axis], matrix.starts[axis] + size));
}

describe("fit", () => {
  it("solves two values in closed form", () => {
    // With strengths s and -s: 7 wins of 10, and the gradient 7 - 10 p - RIDGE s is zero.
    const [[first, second]] = fitted([2], [...duels(0, 1, 7), ...duels(1, 0, 3)]);
    expect(first).toBeCloseTo(-second, 9);
    const p = 1 / (1 + Math.exp(-(first - second)));
    expect(7 - 10 * p - RIDGE * first).toBeCloseTo(0, 7);
  });

  it("nears the strengths of Hunter's MM algorithm as the penalty loses weight", () => {
    const wins = [[0, 3, 5], [2, 0, 4], [1, 2, 0]];
    const many = 2000;
    const compared: Comparison[] = wins.flatMap((row, i) => row.flatMap((count, j) => duels(i, j, count * many)));
    const [strengths] = fitted([3], compared);
    const expected = hunter(wins);
    strengths.forEach((strength, at) => expect(strength).toBeCloseTo(expected[at], 4));
  });

  it("counts a tie as half a win each", () => {
    const tie: Comparison = { differences: [[0, 1]], score: 0.5 };
    const [ties] = fitted([2], [...duels(0, 1, 2), tie, tie]);
    const [halves] = fitted([2], [...duels(0, 1, 3), ...duels(1, 0, 1)]);
    ties.forEach((strength, at) => expect(strength).toBeCloseTo(halves[at], 8));
  });

  it("gives finite strengths to values that won or lost everything", () => {
    const [[best, worst]] = fitted([2], duels(0, 1, 50));
    expect(best).toBeGreaterThan(1);
    expect(best).toBeLessThan(5);
    expect(worst).toBeCloseTo(-best, 9);
  });

  it("tells the effects of two axes apart", () => {
    // Value 0 of the first axis always wins; the second axis changes along with it and is a coin toss by itself.
    const both: Comparison = { differences: [[0, 1], [0, 1]], score: 1 };
    const seeds = [...duels(0, 1, 10, 1, 2), ...duels(1, 0, 10, 1, 2)];
    const [first, second] = fitted([2, 2], [both, both, both, both, ...duels(0, 1, 10, 0, 2), ...seeds]);
    expect(first[0]).toBeGreaterThan(1.5);
    expect(Math.abs(second[0])).toBeLessThan(0.1);
  });

  it("centres every axis", () => {
    const strengths = fitted([3, 2], [...duels(0, 1, 3, 0, 2), ...duels(1, 2, 2, 0, 2), ...duels(0, 1, 2, 1, 2)]);
    for (const axis of strengths) expect(axis.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 9);
  });
});

describe("rank", () => {
  it("ranks values best first, with intervals around them", () => {
    const compared = [...duels(2, 0, 8), ...duels(0, 2, 4), ...duels(0, 1, 9), ...duels(1, 0, 3)];
    const [ranking] = rank([4], compared);
    expect(ranking.values.map(({ value }) => value)).toEqual([2, 0, 1]);
    for (const { low, strength, high } of ranking.values) {
      expect(low).toBeLessThan(strength);
      expect(high).toBeGreaterThan(strength);
    }
    expect(ranking.values.map(({ votes }) => votes)).toEqual([12, 24, 12]);
    expect(rank([4], compared)).toEqual([ranking]);
  });

  it("has no lead without two values", () => {
    expect(rank([2], [])[0]).toEqual({ axis: 0, votes: 0, values: [], lead: null });
  });
});

describe("votesNeeded", () => {
  it("quarters the votes when the difference doubles", () => {
    expect(votesNeeded({ difference: 0.5, deviation: 1, votes: 10 }, 0.95)).toBe(99);
    expect(votesNeeded({ difference: 1, deviation: 1, votes: 10 }, 0.95)).toBe(18);
    expect(votesNeeded({ difference: 2, deviation: 1, votes: 10 }, 0.95)).toBe(0);
  });

  it("knows no number for level values", () => {
    expect(votesNeeded({ difference: 0, deviation: 1, votes: 10 }, 0.8)).toBeNull();
  });

  it("is not certain after a single vote", () => {
    const { lead } = rank([2], duels(0, 1, 1))[0];
    expect(votesNeeded(lead!, 0.95)).toBeGreaterThan(3);
  });

  it("falls to 0 as votes agree", () => {
    const { lead } = rank([2], [...duels(0, 1, 40), ...duels(1, 0, 4)])[0];
    expect(votesNeeded(lead!, 0.99)).toBe(0);
  });
});

describe("comparisons", () => {
  const cells = ["a", "b", "c", "d", "e", "f"];
  const find = (cell: string) => (cells.includes(cell) ? cells.indexOf(cell) : undefined);

  it("sorts out votes that do not enter the ranking", () => {
    const result = comparisons(
      [
        { left: "a", right: "c", choice: "right" },
        { left: "a", right: "gone", choice: "left" },
        { left: "a", right: "b", choice: "bad" },
        { left: "a", right: "a", choice: "tie" },
      ],
      places(grid, 6),
      find,
    );
    expect(result).toEqual({ counted: [{ differences: [[0, 1], null], score: 0 }], bad: 1, unknown: 1, same: 1 });
  });
});

describe("places", () => {
  it("varies the last axis fastest and skips excluded positions", () => {
    expect(places({ ...grid, kept: [0, 3, 5], picture: [0, 1, 2] }, 3)).toEqual([[[0], [0]], [[1], [1]], [[2], [1]]]);
  });

  it("sees no difference along an axis that two pictures share a value of", () => {
    // The seed changes nothing for the first artist.
    const shared = places({ ...grid, picture: [0, 0, 1, 2, 3, 4] }, 5);
    expect(shared[0]).toEqual([[0], [0, 1]]);
    expect(differences(shared[0], shared[2])).toEqual([[0, 1], null]);
  });
});

describe("random", () => {
  it("repeats", () => {
    const draw = mulberry32(1);
    // The first numbers of the reference implementation with seed 1.
    expect([draw(), draw()]).toEqual([0.6270739405881613, 0.002735721180215478]);
  });

  it("interpolates percentiles as numpy does", () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(percentile([1, 2, 3, 4, 10], 0.975)).toBeCloseTo(9.4, 12);
  });
});

/** Hunter's MM iteration for the strengths of one axis, as centred logarithms. */
function hunter(wins: number[][]): number[] {
  let strengths = wins.map(() => 1);
  for (let step = 0; step < 2000; step++) {
    strengths = strengths.map((own, i) => {
      const won = wins[i].reduce((sum, count) => sum + count, 0);
      const met = wins.reduce((sum, row, j) => (i === j ? sum : sum + (wins[i][j] + row[i]) / (own + strengths[j])), 0);
      return won / met;
    });
  }
  const logs = strengths.map(Math.log);
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  return logs.map((value) => value - mean);
}
