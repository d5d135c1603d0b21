// The strengths of axis values that explain comparisons best: Bradley and Terry's model (1952) with one term per axis.
//
// The left cell wins with probability 1 / (1 + exp(-d)), where d is the sum, over the axes along which the cells differ, of
// the left value's log-strength minus the right one's. With one axis this is exactly Bradley-Terry, which Hunter (2004,
// "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32) maximises; with several it is a logistic
// regression with one indicator per value. A tie counts as half a win each. The penalty `RIDGE / 2 * sum of squares` gives
// a value that won or lost every comparison a finite strength, and centres every axis on mean 0.

import { CholeskyDecomposition, Matrix } from "ml-matrix";

/** The penalty on the squares of the log-strengths. */
export const RIDGE = 0.1;

/** Newton's method ends when no log-strength changes by more. */
const TOLERANCE = 1e-9;
const MOST_STEPS = 100;

/** The values along each axis that two cells differ in, null where they do not differ, and the left cell's share of the win. */
export interface Comparison {
  differences: ([number, number] | null)[];
  score: 0 | 0.5 | 1;
}

/** Log-strengths by axis and value; values without a comparison have 0. */
export type Strengths = number[][];

/** Which values are compared at all: only those need an unknown. */
export interface Unknowns {
  /** The unknown of each axis and value, or -1. */
  index: number[][];
  count: number;
}

/** Numbers the values that occur in comparisons. `sizes`: how many values each axis has. */
export function unknowns(sizes: number[], comparisons: Comparison[]): Unknowns {
  const index = sizes.map((size) => new Array<number>(size).fill(-1));
  let count = 0;
  for (const { differences } of comparisons) {
    differences.forEach((pair, axis) =>
      pair?.forEach((value) => {
        if (index[axis][value] < 0) index[axis][value] = count++;
      }),
    );
  }
  return { index, count };
}

/** Fits the log-strengths of the unknowns. `start`: where to begin; it saves steps, the result is the same. */
export function fit(unknowns: Unknowns, comparisons: Comparison[], start?: number[]): number[] {
  const rows = comparisons.map((comparison) => signs(unknowns, comparison));
  let strengths = start ?? new Array<number>(unknowns.count).fill(0);
  for (let step = 0; step < MOST_STEPS && unknowns.count > 0; step++) {
    const { gradient, curvature } = derivatives(rows, comparisons, strengths);
    const move = new CholeskyDecomposition(curvature).solve(Matrix.columnVector(gradient)).to1DArray();
    const before = loss(rows, comparisons, strengths);
    let next = strengths.map((strength, at) => strength - move[at]);
    // The full step can only be too long far from the optimum.
    for (let length = 0.5; loss(rows, comparisons, next) > before + 1e-9 && length > 1e-6; length /= 2) {
      next = strengths.map((strength, at) => strength - length * move[at]);
    }
    const change = Math.max(...next.map((strength, at) => Math.abs(strength - strengths[at])));
    strengths = next;
    if (change < TOLERANCE) break;
  }
  return strengths;
}

/** The covariance of the unknowns at the fitted strengths: the inverse of the curvature of the penalised likelihood. */
export function covariance(unknowns: Unknowns, comparisons: Comparison[], strengths: number[]): Matrix {
  const rows = comparisons.map((comparison) => signs(unknowns, comparison));
  const { curvature } = derivatives(rows, comparisons, strengths);
  return new CholeskyDecomposition(curvature).solve(Matrix.eye(unknowns.count));
}

/** The strengths of all values of all axes. */
export function byValue(unknowns: Unknowns, strengths: number[]): Strengths {
  return unknowns.index.map((values) => values.map((at) => (at < 0 ? 0 : strengths[at])));
}

/** The unknowns that count for the left cell, and those that count for the right one. */
type Signs = { plus: number[]; minus: number[] };

function signs(unknowns: Unknowns, comparison: Comparison): Signs {
  const plus: number[] = [];
  const minus: number[] = [];
  comparison.differences.forEach((pair, axis) => {
    if (!pair) return;
    plus.push(unknowns.index[axis][pair[0]]);
    minus.push(unknowns.index[axis][pair[1]]);
  });
  return { plus, minus };
}

function difference({ plus, minus }: Signs, strengths: number[]): number {
  let sum = 0;
  for (let at = 0; at < plus.length; at++) sum += strengths[plus[at]] - strengths[minus[at]];
  return sum;
}

/** The negative penalised log-likelihood. */
function loss(rows: Signs[], comparisons: Comparison[], strengths: number[]): number {
  let sum = 0;
  rows.forEach((row, at) => {
    const d = difference(row, strengths);
    // -log p = log(1 + exp(-d)), without overflow.
    const lost = Math.max(0, -d) + Math.log1p(Math.exp(-Math.abs(d)));
    sum += lost + (1 - comparisons[at].score) * d;
  });
  for (const strength of strengths) sum += (RIDGE / 2) * strength * strength;
  return sum;
}

function derivatives(rows: Signs[], comparisons: Comparison[], strengths: number[]) {
  const gradient = strengths.map((strength) => RIDGE * strength);
  const curvature = Matrix.eye(strengths.length).mul(RIDGE);
  rows.forEach((row, at) => {
    const { plus, minus } = row;
    const p = 1 / (1 + Math.exp(-difference(row, strengths)));
    const slope = p - comparisons[at].score;
    const weight = p * (1 - p);
    for (let i = 0; i < plus.length; i++) {
      gradient[plus[i]] += slope;
      gradient[minus[i]] -= slope;
      for (let j = 0; j < plus.length; j++) {
        add(curvature, plus[i], plus[j], weight);
        add(curvature, minus[i], minus[j], weight);
        add(curvature, plus[i], minus[j], -weight);
        add(curvature, minus[i], plus[j], -weight);
      }
    }
  });
  return { gradient, curvature };
}

function add(matrix: Matrix, row: number, column: number, amount: number): void {
  matrix.set(row, column, matrix.get(row, column) + amount);
}
