// The sizes of cells and headings in CSS pixels, from the size of the pictures, the labels and the width of the screen.
import type { Model } from "../../model";

export interface Measures {
  cellWidth: number;
  cellHeight: number;
  /** The part of a cell that the picture has; the rest is the caption. */
  pictureHeight: number;
  headWidth: number;
  headHeight: number;
  /** One level of the column headings, and the widths of the levels of the row headings. */
  levelHeight: number;
  levelWidths: number[];
  listColumns: number;
}

const CHARACTER = 7;
const CAPTION = 34;
const GAP = 4;

export function measureSheet(model: Model, width: number, list: boolean): Measures {
  const { grid, pictures } = model.page();
  const [wide, high] = largest(pictures.size);
  const scale = model.view.size / Math.max(wide, high, 1);
  const cellWidth = Math.max(24, Math.round(wide * scale));
  const pictureHeight = Math.max(24, Math.round(high * scale));
  const sheet = model.placement();
  const longest = (axis: number) => grid.axes[axis].values.reduce((most, value) => Math.max(most, value.label.length), 0);
  const widest = width < 600 ? 84 : 168;
  const levelWidths = list ? [] : sheet.rows.map((axis) => Math.min(widest, Math.max(44, longest(axis) * CHARACTER + 16)));
  const lines = sheet.columns.some((axis) => longest(axis) * CHARACTER > cellWidth - 8) ? 2 : 1;
  // One level has room for the names of the axes in the corner.
  const levelHeight = Math.max(8 + lines * 16, sheet.columns.length === 1 ? 32 : 24);
  const listWidth = Math.max(cellWidth, 96);
  return {
    cellWidth: list ? listWidth : cellWidth,
    cellHeight: pictureHeight + (list ? CAPTION : 0),
    pictureHeight,
    headWidth: levelWidths.reduce((sum, one) => sum + one, 0),
    headHeight: list || !sheet.columns.length ? 0 : levelHeight * sheet.columns.length,
    levelHeight,
    levelWidths,
    listColumns: Math.max(1, Math.floor((width - 8) / (listWidth + GAP))),
  };
}

function largest(sizes: readonly [number, number][]): [number, number] {
  let [wide, high] = [1, 1];
  for (const [w, h] of sizes) {
    wide = Math.max(wide, w);
    high = Math.max(high, h);
  }
  return [wide, high];
}
