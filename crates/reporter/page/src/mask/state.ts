// What the reader has put on pictures, kept while the page is open: another view or cell loses nothing.
import { createStore } from "solid-js/store";
import type { Point } from "./points";

export interface Draft {
  points: readonly Point[];
  invert: boolean;
}

const NONE: Draft = { points: [], invert: false };
const [drafts, setDrafts] = createStore<Record<string, Draft>>({});

/** What was put on a picture, by its file. Tracked. */
export const draftOf = (image: string): Draft => drafts[image] ?? NONE;

export const changeDraft = (image: string, change: Partial<Draft>) => setDrafts(image, { ...draftOf(image), ...change });
