// The variance shares of a measure as bars, and what they say in words.

import type { Effects } from "../data";

export interface Bar {
  /** The axes, such as `artist`, or `artist x strength` for an interaction. */
  label: string;
  kind: "axis" | "interaction" | "rest";
  /** 0 to 1. */
  share: number;
}

/** The bars of a measure: axes and interactions, greatest share first, then the rest. */
export function bars(effects: Effects): Bar[] {
  const explained = effects.shares.map(({ axes, share }): Bar => ({
    label: axes.join(" × "),
    kind: axes.length > 1 ? "interaction" : "axis",
    share,
  }));
  explained.sort((a, b) => b.share - a.share);
  return [...explained, { label: "everything else", kind: "rest", share: effects.rest }];
}

/** Such as `42 %`; small shares are not shown as nothing. */
export function percent(share: number): string {
  const hundred = share * 100;
  if (hundred > 0 && hundred < 0.1) return "< 0.1 %";
  return `${hundred < 10 ? Number(hundred.toFixed(1)) : Math.round(hundred)} %`;
}

/** Sentences about values that stand out and axes that change nothing. `label` gives the label of a value of an axis. */
export function remarks(effects: Effects, label: (axis: string, value: number) => string): string[] {
  const outliers = effects.values.flatMap(({ axis, outlier, distance }) => {
    if (outlier === null) return [];
    const own = distance[outlier] ?? 0;
    const others = distance.filter((value, at): value is number => at !== outlier && value !== null);
    const mean = others.reduce((sum, value) => sum + value, 0) / others.length;
    const times = mean > 0 ? `, ${(own / mean).toFixed(1)} times as far from the centre as the others on average` : "";
    return [`${label(axis, outlier)} stands out along ${axis}${times}.`];
  });
  const idle = effects.idle.map((axis) => `${axis} changes nothing: the pictures are the same along it.`);
  return [...outliers, ...idle];
}
