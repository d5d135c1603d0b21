// Numbers that summarise other numbers.

/** The percentile of ascending numbers, `share` from 0 to 1, with linear interpolation as numpy's default. */
export function percentile(ascending: ArrayLike<number>, share: number): number {
  const at = share * (ascending.length - 1);
  const below = Math.floor(at);
  const low = ascending[below];
  const high = ascending[Math.min(below + 1, ascending.length - 1)];
  return low + (high - low) * (at - below);
}

/** The standard deviation of a sample of at least two numbers (divided by n - 1). */
export function standardDeviation(values: number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
