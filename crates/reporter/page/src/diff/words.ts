// The words that differ between two texts, such as prompts.

import { diffWordsWithSpace } from "diff";
import type { Change } from "../data";

/** A piece of one of the two texts. */
export interface Piece {
  text: string;
  changed: boolean;
}

export interface WordDiff {
  left: Piece[];
  right: Piece[];
}

/** Texts longer than this, in characters, are compared as a whole: comparing them word by word would block the page. */
const LONGEST = 20_000;

/** The two texts in pieces, those marked that the other text does not have. */
export function compareWords(left: string, right: string): WordDiff {
  if (left.length + right.length > LONGEST) {
    const changed = left !== right;
    return { left: pieces(left, changed), right: pieces(right, changed) };
  }
  const parts = diffWordsWithSpace(left, right);
  const side = (others: "added" | "removed") =>
    parts.filter((part) => !part[others]).map((part) => ({ text: part.value, changed: part.added || part.removed }));
  return { left: side("added"), right: side("removed") };
}

/** The two values of a setting in pieces; null for a side that does not have it. Values that are one word each are marked whole. */
export function compareValues(change: Change): { left: Piece[] | null; right: Piece[] | null } {
  const { left, right } = change;
  if (left === null || right === null) {
    return { left: left === null ? null : pieces(left, true), right: right === null ? null : pieces(right, true) };
  }
  if (!/\s/.test(left) && !/\s/.test(right)) return { left: pieces(left, true), right: pieces(right, true) };
  return compareWords(left, right);
}

function pieces(text: string, changed: boolean): Piece[] {
  return text === "" ? [] : [{ text, changed }];
}
