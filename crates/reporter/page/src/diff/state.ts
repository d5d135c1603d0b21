// What the page of a comparison shows, and its form in the URL's hash.

import { SHOWN, SORTS, type Shown, type Sort } from "./order";

/** How the two pictures of a pair are compared. */
export const MODES = ["side", "flicker", "slider", "heat"] as const;
export type Mode = (typeof MODES)[number];

/** By how much the heat map multiplies differences. */
export const GAINS = [1, 2, 4, 8, 16, 32] as const;

export interface DiffState {
  sort: Sort;
  shown: Shown;
  /** The index of the pair that is shown large, or null. */
  open: number | null;
  mode: Mode;
  gain: number;
}

export const START: DiffState = { sort: "difference", shown: "all", open: null, mode: "side", gain: 4 };

/** The hash without `#`; what equals the start is left out. Pairs are counted from 1. */
export function toHash(state: DiffState): string {
  const out = new URLSearchParams();
  if (state.sort !== START.sort) out.set("sort", state.sort);
  if (state.shown !== START.shown) out.set("show", state.shown);
  if (state.open !== null) out.set("pair", `${state.open + 1}`);
  if (state.mode !== START.mode) out.set("compare", state.mode);
  if (state.gain !== START.gain) out.set("gain", `${state.gain}`);
  return out.toString();
}

/** The state of a hash; what this page does not have keeps its start. `pairs`: how many pairs there are. */
export function fromHash(hash: string, pairs: number): DiffState {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const one = <T>(key: string, allowed: readonly T[], start: T, read: (text: string) => unknown = (text) => text): T =>
    allowed.find((value) => given.has(key) && value === read(given.get(key)!)) ?? start;
  const pair = Number(given.get("pair")) - 1;
  return {
    sort: one("sort", SORTS, START.sort),
    shown: one("show", SHOWN, START.shown),
    open: Number.isInteger(pair) && pair >= 0 && pair < pairs ? pair : null,
    mode: one("compare", MODES, START.mode),
    gain: one("gain", GAINS as readonly number[], START.gain, Number),
  };
}
