// What the charts by uPlot share: colours, axes, and drawing again when something changes.
import { createEffect, onCleanup } from "solid-js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../theme";

/** Colours that stay apart for colour-blind readers and have a contrast of 3 or more with both light and dark ground. */
export const COLOURS = ["#2f86c8", "#d55e00", "#009e73", "#c4659a", "#8c6bd8", "#a57c00"];

/** In CSS pixels. */
export const HEIGHT = 320;
const LEAST_WIDTH = 200;

/** What a chart is drawn on: its width in CSS pixels, and the style of its box, whose border has the colour of the grid. */
export interface Ground {
  width: number;
  style: CSSStyleDeclaration;
}

/** Draws a chart into a box that is in the document, and again when what `draw` reads or the theme changes; it keeps to the box's width. */
export function keepDrawn(box: HTMLElement, draw: (ground: Ground) => uPlot): void {
  let plot: uPlot | undefined;
  const width = () => Math.max(box.clientWidth, LEAST_WIDTH);
  const again = () => {
    theme();
    plot?.destroy();
    plot = draw({ width: width(), style: getComputedStyle(box) });
  };
  createEffect(again);
  const resized = new ResizeObserver(() => plot?.setSize({ width: width(), height: HEIGHT }));
  resized.observe(box);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", again);
  onCleanup(() => {
    dark.removeEventListener("change", again);
    resized.disconnect();
    plot?.destroy();
  });
}

/** The ink, the font and the grid of an axis. */
export function axisStyle({ style }: Ground): uPlot.Axis {
  const grid = { stroke: style.borderColor || "rgba(128,128,128,0.3)", width: 1 };
  const font = `12px ${style.fontFamily}`;
  return { stroke: style.color, font, labelFont: font, grid, ticks: grid };
}
