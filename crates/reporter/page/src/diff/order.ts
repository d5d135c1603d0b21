// The pairs of a comparison in the order in which they are shown, in groups.

import type { DiffCell, DiffPage, DiffPair } from "../data";

export const SORTS = ["difference", "order"] as const;
export type Sort = (typeof SORTS)[number];

/** Which pairs to show. */
export const SHOWN = ["all", "different", "unexplained", "identical"] as const;
export type Shown = (typeof SHOWN)[number];

export type Group =
  | { title: string; kind: "pairs"; /** Indexes into the pairs of the page. */ pairs: number[] }
  | { title: string; kind: "cells"; side: "left" | "right"; cells: DiffCell[] };

/**
 * The groups that are not empty. Pairs with the same settings and other pixels come first, whatever the order; then, by
 * difference: different pictures, greatest difference first, pictures of different sizes, missing pictures, identical ones;
 * or all other pairs in the order of the left run. Cells that only one run has come last.
 */
export function groups(page: DiffPage, sort: Sort, shown: Shown): Group[] {
  const indexes = page.pairs.map((_, at) => at).filter((at) => isShown(page.pairs[at], shown));
  const found: Group[] = [];
  const pairs = (title: string, test: (pair: DiffPair) => boolean) => {
    const members = indexes.filter((at) => test(page.pairs[at]));
    if (sort === "difference") members.sort((a, b) => descending(difference(page.pairs[a]), difference(page.pairs[b])) || a - b);
    if (members.length) found.push({ title, kind: "pairs", pairs: members });
  };
  pairs("Same settings, different pixels", (pair) => pair.unexplained);
  if (sort === "order") {
    pairs("Pairs", (pair) => !pair.unexplained);
  } else {
    pairs("Different pictures", (pair) => !pair.unexplained && pair.outcome === "different");
    pairs("Different sizes", (pair) => !pair.unexplained && pair.outcome === "sizes");
    pairs("A picture is missing", (pair) => !pair.unexplained && pair.outcome === "no_picture");
    pairs("Identical pictures", (pair) => !pair.unexplained && pair.outcome === "identical");
  }
  if (shown === "all") {
    const cells = (side: "left" | "right", list: DiffCell[]) => {
      if (list.length) found.push({ title: `Only in ${page[side]}`, kind: "cells", side, cells: list });
    };
    cells("left", page.only_left);
    cells("right", page.only_right);
  }
  return found;
}

/** How many pairs each choice of `Shown` leaves. */
export function counts(page: DiffPage): Record<Shown, number> {
  const count = (shown: Shown) => page.pairs.filter((pair) => isShown(pair, shown)).length;
  return { all: count("all"), different: count("different"), unexplained: count("unexplained"), identical: count("identical") };
}

/** A line about a pair: how much the pictures differ. */
export function outcomeText(pair: DiffPair): string {
  switch (pair.outcome) {
    case "identical":
      return "identical";
    case "sizes":
      return `different sizes: ${pair.left.size.join("x")} and ${pair.right.size.join("x")}`;
    case "no_picture":
      return "a picture is missing";
    case "different": {
      const parts = [`mean difference ${figures(pair.mean_difference)} of 255`];
      if (pair.psnr !== null) parts.push(`PSNR ${pair.psnr.toFixed(1)} dB`);
      return parts.join(", ");
    }
  }
}

function isShown(pair: DiffPair, shown: Shown): boolean {
  switch (shown) {
    case "all":
      return true;
    case "different":
      return pair.outcome === "different" || pair.outcome === "sizes";
    case "unexplained":
      return pair.unexplained;
    case "identical":
      return pair.outcome === "identical";
  }
}

/** Pairs without a measure, such as pictures of different sizes, count as more different than any measured pair. */
function difference(pair: DiffPair): number {
  if (pair.outcome === "different" || pair.outcome === "sizes") return pair.mean_difference ?? Infinity;
  return pair.outcome === "identical" ? 0 : -1;
}

/** Compares two numbers, of which both may be infinite. */
function descending(a: number, b: number): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

/** A number with three significant figures; tiny differences do not become 0. */
function figures(value: number | null): string {
  return value === null ? "unknown" : `${Number(value.toPrecision(3))}`;
}
