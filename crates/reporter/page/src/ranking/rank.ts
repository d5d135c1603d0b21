// The ranking of the values of every axis from the votes between cells.

import type { Vote } from "../data";
import { covariances, design, fit, once, type Comparison } from "./fit";
import { differences, type Places } from "./places";
import { percentile, standardDeviation } from "../statistics";
import { mulberry32 } from "./random";

/** How often the votes are drawn anew for the intervals. */
export const RESAMPLES = 200;
/** The seed of those draws. */
export const BOOTSTRAP_SEED = 1;

/** The certainties that can be asked for, and the number of standard deviations of each (quantiles of the normal curve). */
export const CERTAINTIES = { 0.8: 0.8416212, 0.9: 1.2815516, 0.95: 1.6448536, 0.99: 2.3263479 } as const;
export type Certainty = keyof typeof CERTAINTIES;

export interface Ranking {
  axes: AxisRanking[];
  /** Votes that the ranking is computed from. */
  counted: number;
  /** Votes for "both bad". */
  bad: number;
  /** Votes that name a cell which this page does not have. */
  unknown: number;
  /** Votes between cells that do not differ along any axis. */
  same: number;
}

export interface AxisRanking {
  /** The index of the axis. */
  axis: number;
  /** Votes between cells that differ along the axis. */
  votes: number;
  /** The values with votes, best first; equal strengths in the order of the axis. */
  values: RankedValue[];
  /** What decides between the first and the second value; null with fewer than two. */
  lead: Lead | null;
}

export interface RankedValue {
  /** The index of the value. */
  value: number;
  /** The log-strength; the mean over the axis is 0. */
  strength: number;
  /** The interval of the log-strength: percentiles 2.5 and 97.5 of the bootstrap. */
  low: number;
  high: number;
  votes: number;
}

export interface Lead {
  /** The first value's log-strength minus the second one's. */
  difference: number;
  /** Its standard deviation. */
  deviation: number;
  votes: number;
}

/** The votes as comparisons, and those that are none. `find` gives the picture of a cell name. */
export function comparisons(votes: Vote[], places: Places, find: (cell: string) => number | undefined) {
  const counted: Comparison[] = [];
  let bad = 0;
  let unknown = 0;
  let same = 0;
  for (const vote of votes) {
    const left = find(vote.left);
    const right = find(vote.right);
    if (vote.choice === "bad") bad++;
    else if (left === undefined || right === undefined) unknown++;
    else {
      const differs = differences(places[left], places[right]);
      const score = vote.choice === "left" ? 1 : vote.choice === "right" ? 0 : 0.5;
      if (differs.some(Boolean)) counted.push({ differences: differs, score });
      else same++;
    }
  }
  return { counted, bad, unknown, same };
}

/** Ranks the values of all axes. `sizes`: how many values each axis has. */
export function rank(sizes: number[], compared: Comparison[]): AxisRanking[] {
  const matrix = design(sizes, compared);
  const strengths = fit(matrix, once(matrix));
  const resampled = resamples(compared.length).map((times) => fit(matrix, times, strengths));
  return sizes.map((size, axis) => {
    const start = matrix.starts[axis];
    const counts = new Array<number>(size).fill(0);
    const votes = compared.flatMap(({ differences }) => (differences[axis] ? [differences[axis]] : []));
    votes.flat().forEach((value) => counts[value]++);
    const values = counts
      .map((votes, value) => ({ value, strength: strengths[start + value], ...interval(start + value), votes }))
      .filter(({ votes }) => votes > 0)
      .sort((a, b) => b.strength - a.strength || a.value - b.value);
    return { axis, votes: votes.length, values, lead: lead(start, votes.length, values) };
  });

  function interval(unknown: number): { low: number; high: number } {
    const drawn = Float64Array.from(resampled, (one) => one[unknown]).sort();
    return { low: percentile(drawn, 0.025), high: percentile(drawn, 0.975) };
  }

  function lead(start: number, votes: number, values: RankedValue[]): Lead | null {
    if (values.length < 2) return null;
    const [first, second] = values.map(({ value }) => start + value);
    const drawn = resampled.map((one) => one[first] - one[second]);
    const [of, other] = covariances(matrix, strengths, [first, second]);
    const curvature = of[first] + other[second] - 2 * of[second];
    // Of few votes that all agree, every resample is the same: the likelihood's curvature tells what is not known yet.
    const deviation = Math.max(standardDeviation(drawn), Math.sqrt(curvature));
    return { difference: values[0].strength - values[1].strength, deviation, votes };
  }
}

/**
 * How many more votes make it certain that the first value is ahead of the second, if things go on as so far; null if the
 * two are level, so that no number does.
 *
 * The first is ahead with certainty c if `difference >= z(c) * deviation`. The deviation shrinks with the square root of
 * the votes n, so that `n' = n * (z(c) * deviation / difference)^2` votes are needed in all.
 */
export function votesNeeded(lead: Lead, certainty: Certainty): number | null {
  if (lead.difference <= 1e-9) return null;
  const all = lead.votes * ((CERTAINTIES[certainty] * lead.deviation) / lead.difference) ** 2;
  return Math.max(0, Math.ceil(all - lead.votes));
}

/** How often each comparison is in each resample, which has as many as there are, drawn with replacement. */
function resamples(count: number): Float64Array[] {
  const uniform = mulberry32(BOOTSTRAP_SEED);
  return Array.from({ length: RESAMPLES }, () => {
    const times = new Float64Array(count);
    for (let drawn = 0; drawn < count; drawn++) times[Math.floor(uniform() * count)]++;
    return times;
  });
}
