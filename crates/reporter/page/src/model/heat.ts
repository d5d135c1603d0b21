// Colours cells by a column of numbers. The better end of a metric is always the bright end of the scale.
import type { Column } from "../data";
import { valueOf } from "./cells";
import { number } from "./filter";

export interface Heat {
  name: string;
  low: number;
  high: number;
  better: "higher" | "lower" | null;
  /** 0 (dark) to 1 (bright); null without a value. */
  level(picture: number): number | null;
  text(picture: number): string;
}

/** Viridis (matplotlib, CC0) at nine even steps: even in lightness, and readable to the colour-blind. */
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];

/** The scale of a column over the given pictures; null if it has no numbers there. */
export function heatOf(column: Column, pictures: Iterable<number>): Heat | null {
  let [low, high] = [Infinity, -Infinity];
  for (const picture of pictures) {
    const value = number(valueOf(column, picture));
    if (value === null || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return null;
  const better = column.better ?? null;
  return {
    name: column.name,
    low,
    high,
    better,
    level(picture) {
      const value = number(valueOf(column, picture));
      if (value === null) return null;
      const part = high === low ? 0.5 : Math.min(1, Math.max(0, (value - low) / (high - low)));
      return better === "lower" ? 1 - part : part;
    },
    text: (picture) => short(valueOf(column, picture)),
  };
}

/** The colour of a level, as `rgb(…)`. */
export function colour(level: number): string {
  const place = level * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const [a, b] = [channels(VIRIDIS[index]), channels(VIRIDIS[index + 1])];
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * (place - index))).join(" ")})`;
}

/** A number with at most four significant digits; other text unchanged. */
export function short(text: string): string {
  const value = number(text);
  return value === null || /^-?\d+$/.test(text) ? text : String(Number(value.toPrecision(4)));
}

function channels(hex: string): number[] {
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}
