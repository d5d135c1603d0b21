// The views of a run's page and the sections of its panel. README.md says how to add one.
import type { Component } from "solid-js";
import type { Model } from "../model";
import { GridView } from "./grid";
import { PicturePanel } from "./panel";

/** A view takes the place of the grid. */
export interface ViewEntry {
  /** Its name in the URL (`view=…`) and the first part of its keys in `View.extra`. */
  name: string;
  title: string;
  /** Whether the run has what the view shows; always if absent. */
  has?: (model: Model) => boolean;
  Component: Component<{ model: Model }>;
}

export const VIEWS: ViewEntry[] = [{ name: "grid", title: "Grid", Component: GridView }];

/** What stands beside the grid, from the top down. */
export const PANELS: Component<{ model: Model }>[] = [PicturePanel];
