// The ranking against the one that `tests/fixtures/ranking.py` computed, which the Rust crate `analysis` is checked against as well.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Comparison } from "../src/ranking/fit";
import { rank } from "../src/ranking/rank";
import type { Vote } from "../src/data";

interface Case {
  name: string;
  sizes: number[];
  entered: number;
  votes: { left: number[]; right: number[]; choice: Vote["choice"] }[];
  axes: { votes: number; counts: number[]; strengths: number[]; low?: number[]; high?: number[]; lead?: { difference: number; deviation: number } }[];
}

const file = new URL("../../../../tests/fixtures/ranking.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: Case[] };
const SCORES = { left: 1, right: 0, tie: 0.5 } as const;

describe("rank", () => {
  it.each(cases)("agrees with scipy: $name", ({ sizes, votes, entered, axes }) => {
    const compared = votes.flatMap(({ left, right, choice }): Comparison[] => {
      const differences = left.map((value, axis): [number, number] | null => (value === right[axis] ? null : [value, right[axis]]));
      return choice === "bad" || !differences.some(Boolean) ? [] : [{ differences, score: SCORES[choice] }];
    });
    expect(compared.length).toBe(entered);
    rank(sizes, compared).forEach((ranking, axis) => {
      const expected = axes[axis];
      expect(ranking.votes).toBe(expected.votes);
      expect(ranking.values.length).toBe(expected.counts.filter((count) => count > 0).length);
      for (const { value, strength, low, high, votes } of ranking.values) {
        expect(votes).toBe(expected.counts[value]);
        expect(strength).toBeCloseTo(expected.strengths[value], 7);
        expect(low).toBeCloseTo(expected.low![value], 6);
        expect(high).toBeCloseTo(expected.high![value], 6);
      }
      if (!expected.lead) expect(ranking.lead).toBeNull();
      else {
        expect(ranking.lead!.difference).toBeCloseTo(expected.lead.difference, 6);
        expect(ranking.lead!.deviation).toBeCloseTo(expected.lead.deviation, 6);
      }
    });
  });
});
