// What a page shows, as `data.js` holds it: the format between `crates/reporter/src/page/` and the page.
//
// A page opened from disk may not fetch files, so the data is a classic script: `maquettePage('<JSON of PageData>')`.
// Everything in it is data from experiments and files: it is only ever set as text, never as markup.
// Paths are URLs relative to the page, with `/` between names and percent-encoded where that is necessary.

/** The version of this format. A page refuses data of another format and says so. */
export const FORMAT = 1;

export type PageData = RunPage | DiffPage;

/** The page of one run. */
export interface RunPage {
  format: number;
  kind: "run";
  /** The program that wrote it, such as `0.1.0`. */
  version: string;
  /** Changes whenever anything below changes; the same as in `state.js`. */
  revision: string;
  run: RunInfo;
  grid: Grid;
  /** The pictures of the grid's cells, each once. */
  pictures: Pictures;
  /** The run's ancestry, nearest first; empty for an experiment written by hand. */
  ancestry: Ancestor[];
  /** The picks and votes in the run folder when the data was written. */
  picks: Picks;
  votes: Vote[];
  /** Variance shares along the axes, by measure (an embedding, or `pixels`); empty until they are computed. */
  effects: Effects[];
  /** The trainings that the run's cells need; absent if there are none. */
  trainings?: Training[];
}

export interface RunInfo {
  /** Such as `mucha@2`. */
  name: string;
  experiment: string;
  number: number;
  /** The experiment's title; may be empty. */
  title: string;
  /** The resolved experiment file. */
  toml: string;
  /**
   * When the data was written: a process renders into the run, every cell has ended and none is a draft, or neither.
   * The page reloads the data while a run goes on.
   */
  state: "running" | "complete" | "incomplete";
  /** Remarks for the reader, such as damaged rows of the log. */
  notes: string[];
}

/** The grid: its axes, and which positions of it are cells. */
export interface Grid {
  /** In the file's order; the last one varies fastest. */
  axes: Axis[];
  /** The positions of the grid that are cells, ascending, after `[[exclude]]` and `[[only]]`; null: all of them. */
  kept: number[] | null;
  /** For each cell, the index of its picture in `Pictures`; cells that are the same picture share one. */
  picture: number[];
  /** The layout of the contact sheets: the default of the page. Axis names, or null. */
  rows: string | null;
  columns: string | null;
}

export interface Axis {
  /** The setting or placeholder that it varies, or the name of the zip block. */
  name: string;
  values: { label: string; /** What it sets, as text: one entry for a sweep, several for a zip. */ set: [string, string][] }[];
}

/** One entry per distinct picture in every list. */
export interface Pictures {
  count: number;
  /** The full cell names, 64 hexadecimal digits. */
  cell: string[];
  /** `missing`: not rendered yet. */
  status: ("done" | "failed" | "missing")[];
  /** The file, relative to the page; null without a picture. */
  image: (string | null)[];
  /** Size in pixels, as [width, height]; the resolved settings' size where there is no picture. */
  size: [number, number][];
  /** Why a cell failed or its picture cannot be shown; null if nothing is wrong. */
  problem: (string | null)[];
  /** Whether the picture is only a draft: few steps, to be replaced. */
  draft: boolean[];
  /** Folders of thumbnails, smallest first. The thumbnail of a picture is `<folder>/<first 16 digits of the cell>.webp`, in a subfolder named by the first two digits where they are spread. */
  thumbnails: { folder: string; /** The longest edge in pixels. */ edge: number; spread: boolean }[];
  /** Whether the thumbnails of a picture exist; the page shows the picture itself otherwise. */
  thumbnail: boolean[];
  /** The reference picture of each (an index into `references`); null without one. */
  reference: (number | null)[];
  references: { image: string; size: [number, number] }[];
  /** Every setting, placeholder, outcome (`seconds`, `device`, `reused`, `note`, …) and metric, in the log's order. */
  columns: Column[];
  /** The experiment of one picture as TOML is `toml_head` and then a line for each setting of `columns` that is not
   * constant, which the page adds. Constant settings are in here already. No tables are: prompts and paths are written
   * with their placeholders filled in (and `{` doubled), so that `[vars]` and `[sweep]` are not needed. */
  toml_head: string;
}

/** A column of the log: `values[index[picture]]`; an `index` of null: the one value holds for all. Empty text: does not apply. */
export interface Column {
  name: string;
  kind: "setting" | "placeholder" | "outcome" | "metric";
  /** How a value is written in TOML: numbers and booleans without quotes. */
  type: "number" | "text" | "boolean";
  values: string[];
  index: number[] | null;
  /** One line about it, for a tooltip; empty if there is none. */
  help: string;
  /** For a metric: whether higher or lower values are better, or neither; and its range where it has one. */
  better?: "higher" | "lower" | null;
  range?: [number | null, number | null];
}

export interface Ancestor {
  /** Such as `mucha@1`. */
  run: string;
  /** The page of that run, relative to this page; null if the run is not in the runs folder. */
  page: string | null;
  /** The cells that the next experiment was derived from. */
  cells: { cell: string; label: string; image: string | null }[];
}

/** What people think of pictures, by cell name. The content of `picks.toml`. */
export interface Picks {
  [cell: string]: Pick;
}
export interface Pick {
  mark?: "pick" | "reject";
  note?: string;
}

/** A row of `votes.csv`: two cells, and which one was preferred. */
export interface Vote {
  left: string;
  right: string;
  choice: "left" | "right" | "tie" | "bad";
}

/** How much the pictures change along the axes, by one measure of distance. */
export interface Effects {
  /** Such as `pixels` or `clip`. */
  measure: string;
  about: string;
  /** Shares of the total variance, 0 to 1: an entry per axis, and per pair of axes for interactions. */
  shares: { axes: string[]; share: number }[];
  /** The share that no axis or pair of axes explains. */
  rest: number;
  /** For each axis: the values' mean distances from the axis' centre (null without pictures), and the one that stands out. */
  values: { axis: string; distance: (number | null)[]; outlier: number | null }[];
  /** Axes along which nothing changes. */
  idle: string[];
  /** Whether every position of the grid has a picture. */
  complete: boolean;
}

/** A training of a subject on a model, as far as it is. */
export interface Training {
  /** The subject's name in the experiment, and how prompts name it. */
  subject: string;
  word: string;
  /** The model as written in the experiment. */
  model: string;
  method: "lora" | "textual-inversion" | "dreambooth";
  /** The number of the subject's pictures, and of those of its class; 0 without prior preservation. */
  images: number;
  class_images: number;
  /** Of a LoRA; null for other methods. */
  rank: number | null;
  /** Of a textual inversion; null for other methods. */
  num_vectors: number | null;
  learning_rate: number;
  /** As set in the experiment. */
  steps: number;
  /** The last step whose weights a cell takes: no step after it is done for this run. */
  last_step: number;
  /** The last step that is done; 0 before the first one. */
  done: number;
  /** What these steps took. */
  seconds: number;
  losses: Losses;
  /** Pictures rendered on the way, by step and then by number. */
  samples: TrainingSample[];
}

/**
 * The losses of a training: an entry per step in every list. At most 400 steps are in it, among them the first, the last, and
 * the least and greatest loss of each stretch between them. null: not a number.
 */
export interface Losses {
  step: number[];
  loss: (number | null)[];
  /** The mean of the losses of this and the steps before it, `window` in all; of every step, also those that are not in the lists. */
  mean: (number | null)[];
  window: number;
  learning_rate: (number | null)[];
}

/** A picture rendered with the weights after a step. Pictures of one number have the same settings. */
export interface TrainingSample {
  step: number;
  /** From 0. */
  number: number;
  /** The file, relative to the page. */
  image: string;
}

/** The page of a comparison. Pictures lie in one or two run folders, so their paths are relative to this page. */
export interface DiffPage {
  format: number;
  kind: "diff";
  version: string;
  revision: string;
  left: string;
  right: string;
  /** How cells were paired, one sentence each. */
  pairing: string[];
  settings: Change[];
  pairs: DiffPair[];
  only_left: DiffCell[];
  only_right: DiffCell[];
}

export interface Change {
  name: string;
  left: string | null;
  right: string | null;
}

export interface DiffCell {
  cell: string;
  label: string;
  image: string | null;
  thumbnail: string | null;
  size: [number, number];
  problem: string | null;
}

export interface DiffPair {
  left: DiffCell;
  right: DiffCell;
  settings: Change[];
  /** Same settings, other pixels. */
  unexplained: boolean;
  outcome: "identical" | "different" | "sizes" | "no_picture";
  /** Mean absolute difference of the channels, 0 to 255, and the peak signal-to-noise ratio in dB, of different pictures. */
  mean_difference: number | null;
  psnr: number | null;
}

/** `state.js`: `maquetteState('<JSON of PageState>')`, small, rewritten while a run goes on. */
export interface PageState {
  revision: string;
  state: RunInfo["state"];
  /** Cells that are done; drafts are not. */
  done: number;
  total: number;
  /** When the process that renders wrote this last, in seconds since 1970: every ten seconds, even if nothing changes. */
  written: number;
}
