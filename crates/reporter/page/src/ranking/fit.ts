// The strengths of axis values that explain comparisons best: Bradley and Terry's model (1952) with one term per axis.
//
// The left cell wins with probability 1 / (1 + exp(-d)), where d is the sum, over the axes along which the cells differ, of
// the left value's log-strength minus the right one's. With one axis this is exactly Bradley-Terry, which Hunter (2004,
// "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 32) maximises; with several it is a logistic
// regression with one indicator per value. A tie counts as half a win each. The penalty `RIDGE / 2 * sum of squares` gives
// a value that won or lost every comparison a finite strength, and centres every axis on mean 0.
//
// Newton's method; its linear systems are solved by Cholesky's decomposition. The unknowns are the values that are compared at
// all, which are few enough.

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

/** Comparisons as rows of a sparse matrix. Log-strengths are listed by value, one axis after another. */
export interface Design {
  /** The index of each axis' first value. */
  starts: number[];
  /** The value of each unknown: those that are compared at all. */
  values: Int32Array;
  /** How many values there are. */
  count: number;
  /** Where the pairs of each comparison begin; one more entry for the end. */
  rows: Int32Array;
  /** The unknowns that count for the left cell and for the right one, by pair. */
  left: Int32Array;
  right: Int32Array;
  scores: Float64Array;
}

/** The sparse matrix of comparisons. `sizes`: how many values each axis has. */
export function design(sizes: number[], comparisons: Comparison[]): Design {
  let count = 0;
  const starts = sizes.map((size) => (count += size) - size);
  const values: number[] = [];
  const unknown = new Int32Array(count).fill(-1);
  const of = (value: number) => (unknown[value] < 0 ? (unknown[value] = values.push(value) - 1) : unknown[value]);
  const left: number[] = [];
  const right: number[] = [];
  const rows = [0];
  for (const { differences } of comparisons) {
    differences.forEach((pair, axis) => {
      if (!pair) return;
      left.push(of(starts[axis] + pair[0]));
      right.push(of(starts[axis] + pair[1]));
    });
    rows.push(left.length);
  }
  const scores = Float64Array.from(comparisons, ({ score }) => score);
  return { starts, values: Int32Array.from(values), count, rows: Int32Array.from(rows), left: Int32Array.from(left), right: Int32Array.from(right), scores };
}

/** Every comparison of a design once, as `fit` takes it. */
export function once({ scores }: Design): Float64Array {
  return new Float64Array(scores.length).fill(1);
}

/**
 * The log-strengths of all values; those without a comparison have 0. `times`: how often each comparison counts. `start`: where
 * to begin; it saves steps, the result is the same.
 */
export function fit(of: Design, times: Float64Array, start?: Float64Array): Float64Array {
  let strengths = Float64Array.from(of.values, (value) => start?.[value] ?? 0);
  for (let step = 0; step < MOST_STEPS; step++) {
    const { gradient, curvature } = derivatives(of, times, strengths);
    const move = solve(decompose(curvature, strengths.length), gradient);
    const before = loss(of, times, strengths);
    let next = strengths.map((strength, at) => strength - move[at]);
    // The full step can only be too long far from the optimum.
    for (let length = 0.5; loss(of, times, next) > before + TOLERANCE && length > 1e-6; length /= 2) {
      next = strengths.map((strength, at) => strength - length * move[at]);
    }
    const change = next.reduce((most, strength, at) => Math.max(most, Math.abs(strength - strengths[at])), 0);
    strengths = next;
    if (change < TOLERANCE) break;
  }
  const all = new Float64Array(of.count);
  of.values.forEach((value, at) => (all[value] = strengths[at]));
  return all;
}

/**
 * The covariances of some values with all values: rows of the inverse of the curvature of the penalised likelihood. A value
 * without a comparison is only held by the penalty.
 */
export function covariances(of: Design, strengths: Float64Array, wanted: number[]): Float64Array[] {
  const { curvature } = derivatives(of, once(of), Float64Array.from(of.values, (value) => strengths[value]));
  const factor = decompose(curvature, of.values.length);
  return wanted.map((value) => {
    const all = new Float64Array(of.count);
    const unknown = of.values.indexOf(value);
    if (unknown < 0) {
      all[value] = 1 / RIDGE;
      return all;
    }
    const unit = new Float64Array(of.values.length);
    unit[unknown] = 1;
    solve(factor, unit).forEach((covariance, at) => (all[of.values[at]] = covariance));
    return all;
  });
}

/** The left cell's log-strength minus the right one's. */
function difference({ rows, left, right }: Design, row: number, strengths: Float64Array): number {
  let sum = 0;
  for (let at = rows[row]; at < rows[row + 1]; at++) sum += strengths[left[at]] - strengths[right[at]];
  return sum;
}

/** The negative penalised log-likelihood. */
function loss(of: Design, times: Float64Array, strengths: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < strengths.length; at++) sum += (RIDGE / 2) * strengths[at] * strengths[at];
  for (let row = 0; row < times.length; row++) {
    if (times[row] === 0) continue;
    const d = difference(of, row, strengths);
    // -log p = log(1 + exp(-d)), without overflow.
    sum += times[row] * (Math.max(0, -d) + Math.log1p(Math.exp(-Math.abs(d))) + (1 - of.scores[row]) * d);
  }
  return sum;
}

/** The gradient of the loss, and its matrix of second derivatives, row by row. */
function derivatives(of: Design, times: Float64Array, strengths: Float64Array) {
  const { rows, left, right } = of;
  const size = strengths.length;
  const gradient = strengths.map((strength) => RIDGE * strength);
  const curvature = new Float64Array(size * size);
  for (let at = 0; at < size; at++) curvature[at * size + at] = RIDGE;
  for (let row = 0; row < times.length; row++) {
    if (times[row] === 0) continue;
    const p = 1 / (1 + Math.exp(-difference(of, row, strengths)));
    const slope = times[row] * (p - of.scores[row]);
    const weight = times[row] * p * (1 - p);
    for (let i = rows[row]; i < rows[row + 1]; i++) {
      gradient[left[i]] += slope;
      gradient[right[i]] -= slope;
      for (let j = rows[row]; j < rows[row + 1]; j++) {
        curvature[left[i] * size + left[j]] += weight;
        curvature[right[i] * size + right[j]] += weight;
        curvature[left[i] * size + right[j]] -= weight;
        curvature[right[i] * size + left[j]] -= weight;
      }
    }
  }
  return { gradient, curvature };
}

/** Cholesky's decomposition: the lower factor of a symmetric, positive definite matrix, in its place. */
function decompose(matrix: Float64Array, size: number): Float64Array {
  for (let column = 0; column < size; column++) {
    for (let row = column; row < size; row++) {
      let sum = matrix[row * size + column];
      for (let at = 0; at < column; at++) sum -= matrix[row * size + at] * matrix[column * size + at];
      matrix[row * size + column] = row === column ? Math.sqrt(sum) : sum / matrix[column * size + column];
    }
  }
  return matrix;
}

/** Solves `factor * factor' * x = right`. */
function solve(factor: Float64Array, right: Float64Array): Float64Array {
  const size = right.length;
  const x = right.slice();
  for (let row = 0; row < size; row++) {
    for (let at = 0; at < row; at++) x[row] -= factor[row * size + at] * x[at];
    x[row] /= factor[row * size + row];
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let at = row + 1; at < size; at++) x[row] -= factor[at * size + row] * x[at];
    x[row] /= factor[row * size + row];
  }
  return x;
}
