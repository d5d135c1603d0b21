// The views of a run's page and the sections of its panel. README.md says how to add one.
import type { Component } from "solid-js";
import type { Model } from "../model";
import { AncestryPanel } from "./ancestry";
import { EffectsView } from "./effects";
import { GridView } from "./grid";
import { MaskView } from "./mask";
import { PicturePanel } from "./panel";
import { TrainingView } from "./training";
import { Vote } from "./vote";

/** A view takes the place of the grid. */
export interface ViewEntry {
  /** Its name in the URL (`view=…`) and the first part of its keys in `View.extra`. */
  name: string;
  title: string;
  /** Whether the run has what the view shows; always if absent. */
  has?: (model: Model) => boolean;
  Component: Component<{ model: Model }>;
}

/** Whether there is more than one value along an axis. */
const varies = (model: Model) => model.page().grid.axes.some(({ values }) => values.length > 1);

export const VIEWS: ViewEntry[] = [
  { name: "grid", title: "Grid", Component: GridView },
  { name: "vote", title: "Vote", has: varies, Component: Vote },
  { name: "effects", title: "Effects", has: varies, Component: EffectsView },
  { name: "training", title: "Training", has: (model) => !!model.page().trainings?.length, Component: TrainingView },
  { name: "mask", title: "Mask", Component: MaskView },
];

/** What stands beside the grid, from the top down. */
export const PANELS: Component<{ model: Model }>[] = [PicturePanel, AncestryPanel];
