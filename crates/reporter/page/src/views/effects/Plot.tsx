// The curves drawn by uPlot: lines, their bands, the values under the pointer, and a click that leads to the cells.
import { createEffect, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../../theme";
import type { CurvePoint, Curves } from "../../effects/curve";

export interface PlotProps {
  curves: Curves;
  metric: string;
  axis: string;
  /** Called with the index of the line and of the position that was clicked. */
  open(line: number, point: number): void;
}

/** Colours that stay apart for colour-blind readers and have a contrast of 3 or more with both light and dark ground. */
const COLOURS = ["#2f86c8", "#d55e00", "#009e73", "#c4659a", "#8c6bd8", "#a57c00"];
const DASHES = [[], [6, 4], [2, 3]];
const HEIGHT = 320;

/** How close to a point the pointer has to be, in CSS pixels. */
const REACH = 30;

export function Plot(props: PlotProps) {
  let box!: HTMLDivElement;
  const [hover, setHover] = createSignal<{ line: number; point: number } | null>(null);
  onMount(() => {
    let plot: uPlot | undefined;
    let pressed: [number, number] | null = null;
    const draw = () => {
      theme();
      plot?.destroy();
      plot = new uPlot(options(props, box.clientWidth, getComputedStyle(box), (at) => setHover(at)), data(props.curves), box);
      const over = plot.over;
      over.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]));
      over.addEventListener("click", (event) => {
        // A drag zooms; only a click that did not move opens cells.
        const moved = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4;
        const at = hover();
        if (at && !moved) props.open(at.line, at.point);
      });
    };
    createEffect(draw);
    const resized = new ResizeObserver(() => plot?.setSize({ width: Math.max(box.clientWidth, 200), height: HEIGHT }));
    resized.observe(box);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    onCleanup(() => {
      dark.removeEventListener("change", draw);
      resized.disconnect();
      plot?.destroy();
    });
  });
  return (
    <div class="plot">
      <div class="plot-canvas" ref={box} role="img" aria-label={`${props.metric} along ${props.axis}; the button “Table” shows the numbers`} />
      <p class="plot-hover" aria-live="off">
        <Show when={hover()} fallback="Point at a line to see its values; click to see the pictures.">
          {(at) => hoverText(props, at().line, at().point)}
        </Show>
      </p>
      <ul class="plot-legend">
        <For each={props.curves.lines}>
          {({ label }, at) => (
            <li classList={{ "plot-hovered": hover()?.line === at() }}>
              <svg viewBox="0 0 24 8" aria-hidden="true">
                <line x1="0" x2="24" y1="4" y2="4" stroke={colour(at())} stroke-dasharray={dash(at()).join(" ")} />
              </svg>
              {label}
            </li>
          )}
        </For>
      </ul>
    </div>
  );
}

function colour(line: number): string {
  return COLOURS[line % COLOURS.length];
}

function dash(line: number): number[] {
  return DASHES[Math.floor(line / COLOURS.length) % DASHES.length];
}

function hoverText(props: PlotProps, line: number, point: number): string {
  const { labels, lines } = props.curves;
  // The curves may have changed since the pointer moved.
  const at = lines[line]?.points[point];
  if (!at || at.median === null) return "";
  const text = (value: number | null) => `${Number((value ?? 0).toPrecision(4))}`;
  const band = at.low === at.high ? "" : ` (${text(at.low)} to ${text(at.high)})`;
  const count = at.pictures.length === 1 ? "1 picture" : `${at.pictures.length} pictures`;
  return `${lines[line].label}, ${props.axis} ${labels[point]}: ${props.metric} ${text(at.median)}${band}, ${count}`;
}

/** Positions, then low, high and median of each line. */
function data({ x, lines }: Curves): uPlot.AlignedData {
  const series = (pick: (point: CurvePoint) => number | null) => (line: Curves["lines"][number]) => line.points.map(pick);
  return [
    x,
    ...lines.flatMap((line) => [series(({ low }) => low)(line), series(({ high }) => high)(line), series(({ median }) => median)(line)]),
  ];
}

function options(
  props: PlotProps,
  width: number,
  style: CSSStyleDeclaration,
  hovered: (at: { line: number; point: number } | null) => void,
): uPlot.Options {
  const { curves } = props;
  const ink = style.color;
  const grid = { stroke: style.borderColor || "rgba(128,128,128,0.3)", width: 1 };
  const font = `12px ${style.fontFamily}`;
  const axis = { stroke: ink, font, labelFont: font, grid, ticks: grid };
  const edge = { width: 0, points: { show: false } };
  const every = curves.x;
  return {
    width: Math.max(width, 200),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: true, y: false }, points: { show: false } },
    scales: { x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : pad(low, high)) } },
    series: [
      {},
      ...curves.lines.flatMap((_, line): uPlot.Series[] => [
        edge,
        edge,
        { stroke: colour(line), width: 2, dash: dash(line), spanGaps: true, points: { show: true, size: 7, fill: colour(line) } },
      ]),
    ],
    bands: curves.lines.map((_, line) => ({ series: [3 * line + 2, 3 * line + 1], fill: `${colour(line)}26` })),
    axes: [
      {
        ...axis,
        label: props.axis,
        splits: every.length <= 12 ? () => every : undefined,
        values: (_, splits) => splits.map((at) => (every.includes(at) ? curves.labels[every.indexOf(at)] : curves.numeric ? `${at}` : "")),
      },
      { ...axis, label: props.metric, size: 60 },
    ],
    hooks: {
      setCursor: [(plot) => hovered(nearest(plot, curves))],
    },
  };
}

function pad(low: number, high: number): [number, number] {
  const margin = (high - low) * 0.04;
  return [low - margin, high + margin];
}

/** The line and position whose point is nearest to the pointer, within reach. */
function nearest(plot: uPlot, curves: Curves): { line: number; point: number } | null {
  const { left, top } = plot.cursor;
  if (left === undefined || top === undefined || left < 0) return null;
  let best: { line: number; point: number; away: number } | null = null;
  curves.lines.forEach(({ points }, line) =>
    points.forEach(({ median }, point) => {
      if (median === null) return;
      const away = Math.hypot(plot.valToPos(curves.x[point], "x") - left, plot.valToPos(median, "y") - top);
      if (away <= REACH && (!best || away < best.away)) best = { line, point, away };
    }),
  );
  return best;
}
