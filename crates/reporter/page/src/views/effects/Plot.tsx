// The curves drawn by uPlot: lines, their bands, the values under the pointer, and a click that leads to the cells.
import { createSignal, onMount, Show } from "solid-js";
import uPlot from "uplot";
import type { CurvePoint, Curves } from "../../effects/curve";
import { axisStyle, COLOURS, HEIGHT, keepDrawn, type Ground } from "../../parts/chart";
import { ChartLegend } from "../../parts/ChartLegend";

export interface PlotProps {
  curves: Curves;
  metric: string;
  axis: string;
  /** Called with the index of the line and of the position that was clicked. */
  open(line: number, point: number): void;
}

const DASHES = [[], [6, 4], [2, 3]];

/** How close to a point the pointer has to be, in CSS pixels. */
const REACH = 30;

export function Plot(props: PlotProps) {
  let box!: HTMLDivElement;
  const [hover, setHover] = createSignal<{ line: number; point: number } | null>(null);
  onMount(() => {
    let pressed: [number, number] | null = null;
    keepDrawn(box, (ground) => {
      const plot = new uPlot(options(props, ground, (at) => setHover(at)), data(props.curves), box);
      const over = plot.over;
      over.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]));
      over.addEventListener("click", (event) => {
        // A drag zooms; only a click that did not move opens cells.
        const moved = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4;
        const at = hover();
        if (at && !moved) props.open(at.line, at.point);
      });
      return plot;
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
      <ChartLegend
        lines={props.curves.lines.map(({ label }, at) => ({ label, stroke: colour(at), dash: dash(at), marked: hover()?.line === at }))}
      />
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
  ground: Ground,
  hovered: (at: { line: number; point: number } | null) => void,
): uPlot.Options {
  const { curves } = props;
  const axis = axisStyle(ground);
  const edge = { width: 0, points: { show: false } };
  const every = curves.x;
  return {
    width: ground.width,
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
