// Pseudo-random numbers that are the same in every browser and in the Rust code.

/**
 * Mulberry32 (Tommy Ettinger, 2017, public domain): uniform numbers in [0, 1), 32 bits each, from a 32-bit seed.
 * Not for secrets.
 */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
