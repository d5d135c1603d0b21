// The losses over the steps: a thin line of all, a thick one of their running mean, the learning rate where it changes.
import { createMemo, createSignal, onMount, untrack } from "solid-js";
import uPlot from "uplot";
import type { Losses, Training } from "../../data";
import { axisStyle, COLOURS, HEIGHT, keepDrawn, type Ground } from "../../parts/chart";
import { ChartLegend, type LegendLine } from "../../parts/ChartLegend";
import { number, placeOf, point, varies } from "../../training/facts";

/** The losses are paler than their mean. */
const LOSS = { stroke: `${COLOURS[0]}b3`, width: 1 };
const MEAN = { stroke: COLOURS[0], width: 3 };
const RATE = { stroke: COLOURS[5], width: 1, dash: [5, 4] };

export interface LossPlotProps {
  training: Training;
  logarithmic: boolean;
  setLogarithmic(on: boolean): void;
}

export function LossPlot(props: LossPlotProps) {
  let box!: HTMLDivElement;
  let plot: uPlot | undefined;
  const losses = () => props.training.losses;
  // The step that is read; null: the last one, also after it another one is done.
  const [step, setStep] = createSignal<number | null>(null);
  const at = createMemo(() => placeOf(losses(), step()));
  const choose = (place: number) => setStep(place === losses().step.length - 1 ? null : losses().step[place]);
  const mark = () => {
    const left = step() === null ? -10 : plot?.valToPos(losses().step[at()], "x");
    // Without a call of the hook, which is for the pointer.
    if (left !== undefined) plot?.setCursor({ left, top: left < 0 ? -10 : 0 }, false);
  };
  onMount(() => {
    const hovered = (place: number | null | undefined) => (typeof place === "number" ? choose(place) : setStep(null));
    keepDrawn(box, (ground) => {
      plot = new uPlot(options(losses(), props.logarithmic, ground, hovered), data(losses(), props.logarithmic), box);
      untrack(mark);
      return plot;
    });
  });
  return (
    <div class="plot">
      <div class="curve-choices">
        <button type="button" aria-pressed={props.logarithmic} onClick={() => props.setLogarithmic(!props.logarithmic)}>Log scale</button>
      </div>
      <div class="plot-canvas" ref={box} role="img" aria-label={summary(props.training)} />
      <label class="training-step">
        Step
        <input
          type="range" min={0} max={losses().step.length - 1} value={at()} aria-valuetext={point(losses(), at())}
          onInput={(event) => { choose(Number(event.currentTarget.value)); mark(); }}
        />
      </label>
      <p class="plot-hover">{point(losses(), at())}</p>
      <ChartLegend lines={legend(losses())} />
    </div>
  );
}

function legend(losses: Losses): LegendLine[] {
  const lines: LegendLine[] = [
    { label: "loss", ...LOSS },
    { label: `mean of the last ${losses.window} steps`, ...MEAN },
  ];
  const rates = losses.learning_rate.filter((rate) => rate !== null);
  if (varies(losses)) lines.push({ label: `learning rate, up to ${number(Math.max(...rates))}`, ...RATE });
  return lines;
}

/** What the chart shows, for those who do not see it. */
function summary({ subject, done, losses }: Training): string {
  const mean = (at: number) => number(losses.mean[at]);
  return `Losses of ${subject} over ${done} steps: the running mean is ${mean(0)} at first, ${mean(losses.step.length - 1)} at the end. The slider “Step” reads them.`;
}

/** A loss of 0 has no place on a logarithmic scale. */
function data(losses: Losses, logarithmic: boolean): uPlot.AlignedData {
  const placed = (values: (number | null)[]) => (logarithmic ? values.map((value) => (value !== null && value > 0 ? value : null)) : values);
  const rate = varies(losses) ? [losses.learning_rate] : [];
  return [losses.step, placed(losses.loss), placed(losses.mean), ...rate];
}

function options(losses: Losses, logarithmic: boolean, ground: Ground, hovered: (place: number | null | undefined) => void): uPlot.Options {
  const axis = axisStyle(ground);
  // One or two points make no line to see.
  const points = { show: losses.step.length < 3 };
  const rate: uPlot.Series[] = varies(losses) ? [{ ...RATE, scale: "rate", points: { show: false } }] : [];
  return {
    width: ground.width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: false, range: (_, low, high) => (low === high ? [low - 1, high + 1] : [low, high]) },
      y: logarithmic ? { distr: 3, range: (_, low, high) => decades(low, high) } : { range: (_, __, high) => [0, high * 1.05 || 1] },
      rate: { range: (_, __, high) => [0, high * 1.05 || 1] },
    },
    series: [{}, { ...LOSS, points }, { ...MEAN, points }, ...rate],
    axes: [{ ...axis, label: "step", incrs: STEPS }, { ...axis, label: "loss", size: 60, values: (_, splits) => splits.map(tick) }],
    hooks: { setCursor: [({ cursor }) => hovered(cursor.left !== undefined && cursor.left >= 0 ? cursor.idx : null)] },
  };
}

/** The ends of a logarithmic axis, rounded to one digit, which gets a label; there may be no loss above 0 at all. */
function decades(low: number | null, high: number | null): [number, number] {
  if (!low || !high) return [0.1, 1];
  const rounded = (value: number, round: (value: number) => number) => {
    const unit = 10 ** Math.floor(Math.log10(value));
    return round(value / unit) * unit;
  };
  const [from, to] = [rounded(low, Math.floor), rounded(high, Math.ceil)];
  return from < to ? [from, to] : [from / 2, to * 2];
}

/** uPlot rounds small numbers to 0. */
function tick(value: number | null): string {
  return value === null ? "" : number(value);
}

/** Distances between the steps of an axis: whole numbers. */
const STEPS = [1, 2, 5].flatMap((digit) => [0, 1, 2, 3, 4, 5, 6].map((power) => digit * 10 ** power)).sort((a, b) => a - b);
