// A metric against an axis as curves: the choices, the plot, and the same numbers as a table.
import { createMemo, createSignal, For, Show } from "solid-js";
import type { RunPage } from "../../data";
import { curves, defaultChoice, plottable, type CurveChoice, type Curves } from "../../effects/curve";
import { Plot } from "./Plot";

export interface CurvePanelProps {
  page: RunPage;
  /** Which pictures count, such as those that the filter leaves. */
  shown?: (picture: number) => boolean;
  /** What is plotted, as the URL has it: `metric`, `x`, `lines` and `band`; absent: the default. */
  chosen(key: keyof CurveChoice): string | undefined;
  choose(key: keyof CurveChoice, value: string): void;
  /** Called with the axis values of a point that was clicked, as [axis, value] indexes. */
  open(values: [number, number][]): void;
}

/** The choice of one line for everything, in the URL. */
const ONE_LINE = "-";

export function CurvePanel(props: CurvePanelProps) {
  const [table, setTable] = createSignal(false);
  const axes = () => props.page.grid.axes;
  const columns = createMemo(() => plottable(props.page.pictures.columns));
  const choice = createMemo(() => {
    const start = defaultChoice(props.page);
    return start && chosenCurve(props, start);
  });
  const shown = createMemo(() => choice() && curves(props.page, choice()!, props.shown));
  return (
    <section class="curves" aria-label="Curves">
      <h2>A metric along an axis</h2>
      <Show
        when={choice()}
        fallback={
          <p class="curves-none">
            There is no metric to plot along an axis. Measure one: <code>maquette measure {props.page.run.name}</code>
          </p>
        }
      >
        {(choice) => (
          <>
            <div class="curve-choices">
              <label>
                Metric
                <select value={choice().metric} onChange={(event) => props.choose("metric", event.currentTarget.value)}>
                  <For each={columns()}>{({ name }) => <option>{name}</option>}</For>
                </select>
              </label>
              <label>
                along
                <select value={axes()[choice().x].name} onChange={(event) => props.choose("x", event.currentTarget.value)}>
                  <For each={axes()}>{({ name }) => <option>{name}</option>}</For>
                </select>
              </label>
              <label>
                a line per
                <select value={linesName(choice())} onChange={(event) => props.choose("lines", event.currentTarget.value)}>
                  <option value={ONE_LINE}>(one line)</option>
                  <For each={axes().filter((_, at) => at !== choice().x)}>{({ name }) => <option>{name}</option>}</For>
                </select>
              </label>
              <label>
                band
                <select value={choice().band} onChange={(event) => props.choose("band", event.currentTarget.value)}>
                  <option value="extremes">smallest to greatest</option>
                  <option value="quartiles">middle half (25 % to 75 %)</option>
                </select>
              </label>
              <button type="button" aria-pressed={table()} onClick={() => setTable(!table())}>Table</button>
            </div>
            <p class="curve-about">{about(choice())}</p>
            <Show when={!table()} fallback={<CurveTable curves={shown()!} choice={choice()} page={props.page} open={open} />}>
              <Plot curves={shown()!} metric={choice().metric} axis={axes()[choice().x].name} open={open} />
            </Show>
          </>
        )}
      </Show>
    </section>
  );

  function linesName({ lines }: CurveChoice): string {
    return lines === null ? ONE_LINE : axes()[lines].name;
  }

  function about({ x, lines, band, metric }: CurveChoice): string {
    const others = axes().filter(({ values }, at) => at !== x && at !== lines && values.length > 1).map(({ name }) => name);
    const help = props.page.pictures.columns.find(({ name }) => name === metric)?.help;
    const spread = band === "quartiles" ? "the middle half" : "the smallest to the greatest value";
    const over = others.length ? `Lines are medians over ${others.join(", ")}; bands span ${spread}.` : "One picture per point.";
    return help ? `${over} ${help}` : over;
  }

  function open(line: number, point: number): void {
    const now = choice();
    const drawn = shown();
    if (!now || !drawn) return;
    const values: [number, number][] = [[now.x, drawn.values[point]]];
    if (now.lines !== null) values.push([now.lines, drawn.lines[line].value]);
    props.open(values);
  }
}

/** The curves' numbers: a row per position, a column per line. */
function CurveTable(props: { curves: Curves; choice: CurveChoice; page: RunPage; open(line: number, point: number): void }) {
  const text = (value: number | null) => (value === null ? "" : `${Number(value.toPrecision(4))}`);
  return (
    <div class="curve-table" tabindex="0" role="region" aria-label="Table of the curves">
      <table>
        <caption>
          {props.choice.metric} along {props.page.grid.axes[props.choice.x].name}: median, and the band in brackets
        </caption>
        <thead>
          <tr>
            <th scope="col">{props.page.grid.axes[props.choice.x].name}</th>
            <For each={props.curves.lines}>{({ label }) => <th scope="col">{label}</th>}</For>
          </tr>
        </thead>
        <tbody>
          <For each={props.curves.labels}>
            {(label, at) => (
              <tr>
                <th scope="row">{label}</th>
                <For each={props.curves.lines}>
                  {({ points }, line) => (
                    <td class="number">
                      <Show when={points[at()].median !== null}>
                        <button type="button" class="link" onClick={() => props.open(line(), at())} title="Show these pictures">
                          {text(points[at()].median)}
                        </button>
                      </Show>
                      <Show when={points[at()].low !== points[at()].high}>
                        <small>
                          {" "}
                          ({text(points[at()].low)} to {text(points[at()].high)})
                        </small>
                      </Show>
                    </td>
                  )}
                </For>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

/** The choice of the URL, where it names what this page has. */
function chosenCurve(props: CurvePanelProps, start: CurveChoice): CurveChoice {
  const { page } = props;
  const axis = (name: string | undefined) => page.grid.axes.findIndex((one) => one.name === name);
  const metric = plottable(page.pictures.columns).find(({ name }) => name === props.chosen("metric"))?.name ?? start.metric;
  const x = axis(props.chosen("x"));
  const chosen = { ...start, metric, x: x < 0 ? start.x : x };
  const lines = props.chosen("lines");
  if (lines === ONE_LINE) chosen.lines = null;
  else if (axis(lines) >= 0) chosen.lines = axis(lines);
  if (chosen.lines === chosen.x) chosen.lines = null;
  const band = props.chosen("band");
  if (band === "quartiles" || band === "extremes") chosen.band = band;
  return chosen;
}
