// Which two pictures to show next: the pair whose vote is expected to teach most about the values of one axis.

import type { Pictures, Vote } from "../data";
import { covariances, design, fit, once } from "../ranking/fit";
import type { Places } from "../ranking/places";
import { mulberry32 } from "../ranking/random";
import { comparisons } from "../ranking/rank";

/** Indexes of pictures. */
export interface Pair {
  left: number;
  right: number;
}

/** What pairs are chosen from. `sizes`: how many values each axis has. */
export interface Candidates {
  sizes: number[];
  places: Places;
  cells: string[];
  /** Whether a picture may be shown at all. */
  usable: boolean[];
}

/** Pictures that can be voted on: finished ones, neither drafts nor with a problem. */
export function usablePictures(pictures: Pictures): boolean[] {
  return pictures.status.map(
    (status, at) =>
      status === "done" && pictures.image[at] !== null && pictures.problem[at] === null && !pictures.draft[at],
  );
}

/** For each axis, whether some pair of pictures differs along it, so that votes can rank its values. */
export function votableAxes({ sizes, places, usable }: Candidates): boolean[] {
  return sizes.map((_, axis) => {
    const values = new Set(places.filter((place, at) => usable[at] && place[axis].length === 1).map((place) => place[axis][0]));
    return values.size > 1;
  });
}

/**
 * The next pair for `axis`, or null when every pair has been voted on.
 *
 * Pictures that differ along the axis only come first; when those are used up, other axes are let go one by one, the seed
 * last. Among the pairs of values, the one with the greatest `p (1 - p) var(d)` is taken: how uncertain the outcome is times
 * how uncertain the difference of the two strengths is. Then the pictures whose other values were shown least, and the side
 * on which each value was shown less. What is still equal is decided by chance, seeded with `session`: the same votes and
 * session always give the same pair.
 */
export function nextPair(from: Candidates, axis: number, votes: Vote[], session: number, seedAxes: number[] = []): Pair | null {
  const find = new Map(from.cells.map((cell, at) => [cell, at]));
  const shown = new Shown(from.sizes, from.places, votes, (cell) => find.get(cell));
  const duels = valuePairs(from, axis, votes, (cell) => find.get(cell));
  const chance = mulberry32(Math.imul(session + 1, 0x9e3779b1) ^ votes.length);
  const jitter = from.cells.map(() => chance());
  const order = duels
    .map((duel) => ({ ...duel, jitter: chance() }))
    .sort((a, b) => b.information - a.information || a.jitter - b.jitter);
  for (const fixed of fixedAxes(from.sizes.length, axis, seedAxes)) {
    const contexts = group(from, axis, fixed);
    for (const { first, second } of order) {
      const pair = leastShown(contexts, first, second, shown, jitter, fixed, from.places);
      if (pair) return sides(pair, axis, shown, from.places, chance());
    }
  }
  return null;
}

/** The axes that must agree, strictest first: all others, then fewer and fewer, those of the seed last. */
function fixedAxes(count: number, axis: number, seedAxes: number[]): number[][] {
  const others = Array.from({ length: count }, (_, at) => at).filter((at) => at !== axis);
  others.sort((a, b) => Number(seedAxes.includes(b)) - Number(seedAxes.includes(a)) || a - b);
  return [...others.map((_, dropped) => others.slice(0, others.length - dropped)), []];
}

interface Duel {
  first: number;
  second: number;
  information: number;
}

function valuePairs(from: Candidates, axis: number, votes: Vote[], find: (cell: string) => number | undefined): Duel[] {
  const { counted } = comparisons(votes, from.places, find);
  const matrix = design(from.sizes, counted);
  const fitted = fit(matrix, once(matrix));
  const start = matrix.starts[axis];
  const strengths = fitted.subarray(start, start + from.sizes[axis]);
  const spread = covariances(matrix, fitted, Array.from(strengths, (_, value) => start + value));
  const shared = (i: number, j: number) => spread[i][start + j];
  const duels: Duel[] = [];
  for (let first = 0; first < from.sizes[axis]; first++) {
    for (let second = first + 1; second < from.sizes[axis]; second++) {
      const p = 1 / (1 + Math.exp(strengths[second] - strengths[first]));
      const variance = shared(first, first) + shared(second, second) - 2 * shared(first, second);
      // Rounded, so that values which are level up to rounding errors are left to chance.
      duels.push({ first, second, information: Number((p * (1 - p) * variance).toPrecision(9)) });
    }
  }
  return duels;
}

/** Pictures by what the fixed axes say, then by their value along the axis. */
type Contexts = Map<string, Map<number, number[]>>;

function group(from: Candidates, axis: number, fixed: number[]): Contexts {
  const contexts: Contexts = new Map();
  from.places.forEach((place, picture) => {
    // A picture with several values along the axis says nothing about any of them.
    if (!from.usable[picture] || place[axis].length !== 1) return;
    const key = fixed.map((other) => place[other].join(",")).join(";");
    const values = contexts.get(key) ?? contexts.set(key, new Map()).get(key)!;
    values.set(place[axis][0], [...(values.get(place[axis][0]) ?? []), picture]);
  });
  return contexts;
}

/** The two pictures of two values that were shown least and never together. */
function leastShown(
  contexts: Contexts,
  first: number,
  second: number,
  shown: Shown,
  jitter: number[],
  fixed: number[],
  places: Places,
): [number, number] | null {
  let best: { pair: [number, number]; cost: number; jitter: number } | null = null;
  for (const values of contexts.values()) {
    const [left, right] = [values.get(first), values.get(second)];
    if (!left || !right) continue;
    const pair = firstUnseen(shown.sort(left, jitter), shown.sort(right, jitter), shown);
    if (!pair) continue;
    const cost = shown.context(places[pair[0]], fixed) + shown.times(pair[0]) + shown.times(pair[1]);
    const chance = jitter[pair[0]];
    if (!best || cost < best.cost || (cost === best.cost && chance < best.jitter)) best = { pair, cost, jitter: chance };
  }
  return best?.pair ?? null;
}

function firstUnseen(left: number[], right: number[], shown: Shown): [number, number] | null {
  for (const a of left) for (const b of right) if (a !== b && !shown.together(a, b)) return [a, b];
  return null;
}

function sides([a, b]: [number, number], axis: number, shown: Shown, places: Places, chance: number): Pair {
  // Positive if the first one's value was on the left more often than the other one's.
  const balance = shown.balance(axis, places[a][axis][0]) - shown.balance(axis, places[b][axis][0]);
  const swap = balance === 0 ? chance < 0.5 : balance > 0;
  return swap ? { left: b, right: a } : { left: a, right: b };
}

/** What the votes so far have shown. */
class Shown {
  private readonly pictures = new Map<number, number>();
  private readonly pairs = new Set<string>();
  private readonly values: number[][];
  private readonly lefts: number[][];

  constructor(sizes: number[], places: Places, votes: Vote[], find: (cell: string) => number | undefined) {
    this.values = sizes.map((size) => new Array<number>(size).fill(0));
    this.lefts = sizes.map((size) => new Array<number>(size).fill(0));
    for (const vote of votes) {
      const pair = [find(vote.left), find(vote.right)];
      pair.forEach((picture, side) => {
        if (picture === undefined) return;
        this.pictures.set(picture, this.times(picture) + 1);
        places[picture].forEach((values, axis) => {
          this.values[axis][values[0]]++;
          this.lefts[axis][values[0]] += side === 0 ? 1 : -1;
        });
      });
      if (pair[0] !== undefined && pair[1] !== undefined) this.pairs.add(key(pair[0], pair[1]));
    }
  }

  times(picture: number): number {
    return this.pictures.get(picture) ?? 0;
  }

  together(a: number, b: number): boolean {
    return this.pairs.has(key(a, b));
  }

  /** How often the values of a place along some axes were shown. */
  context(place: number[][], axes: number[]): number {
    return axes.reduce((sum, axis) => sum + this.values[axis][place[axis][0]], 0);
  }

  /** How much more often a value was on the left than on the right. */
  balance(axis: number, value: number): number {
    return this.lefts[axis][value];
  }

  sort(pictures: number[], jitter: number[]): number[] {
    return [...pictures].sort((a, b) => this.times(a) - this.times(b) || jitter[a] - jitter[b]);
  }
}

function key(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
