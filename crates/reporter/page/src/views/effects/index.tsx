// Which setting mattered: variance shares along the axes, what stands out, and a metric as curves.
import { createMemo, createSignal, For, Show } from "solid-js";
import type { Effects, RunPage } from "../../data";
import type { Model } from "../../model";
import { condition } from "../../model/filter";
import { CurvePanel } from "./CurvePanel";
import { bars, percent, remarks } from "../../effects/shares";

export function EffectsView(props: { model: Model }) {
  const { model } = props;
  const [measure, setMeasure] = createSignal("");
  const effects = () => model.page().effects.find((one) => one.measure === measure()) ?? model.page().effects[0];
  // Pictures with a cell that the filter leaves.
  const matched = createMemo(() => {
    const matching = model.matching();
    return matching && new Set(model.page().grid.picture.filter((_, cell) => matching(cell)));
  });
  /** Shows the cells of a point of the curves in the grid. */
  const open = (values: [number, number][]) => {
    const { axes } = model.page().grid;
    const filter = values.map(([axis, value]) => condition(axes[axis].name, "=", axes[axis].values[value].label)).join(" ");
    model.show({ mode: "grid", list: true, filter });
  };
  return (
    <section class="effects" aria-label="Which setting mattered">
      <Show
        when={effects()}
        fallback={
          <p class="effects-none">
            Variance shares are not computed yet: <code>maquette effects {model.page().run.name}</code>
          </p>
        }
      >
        {(shown) => (
          <section aria-label="Variance shares">
            <h2>How much the pictures change along each axis</h2>
            <Show when={model.page().effects.length > 1}>
              <label>
                Measure
                <select value={shown().measure} onChange={(event) => setMeasure(event.currentTarget.value)}>
                  <For each={model.page().effects}>{(one) => <option>{one.measure}</option>}</For>
                </select>
              </label>
            </Show>
            <p class="effects-about">{shown().about}</p>
            <Shares effects={shown()} page={model.page()} />
          </section>
        )}
      </Show>
      <CurvePanel
        page={model.page()} shown={(picture) => matched()?.has(picture) ?? true} open={open}
        chosen={(key) => model.view.extra[`effects.${key}`]}
        choose={(key, value) => model.show({ extra: { ...model.view.extra, [`effects.${key}`]: value } })}
      />
    </section>
  );
}

function Shares(props: { effects: Effects; page: RunPage }) {
  const rows = createMemo(() => bars(props.effects));
  const greatest = () => Math.max(...rows().map(({ share }) => share), 1e-9);
  const label = (axis: string, value: number) =>
    props.page.grid.axes.find(({ name }) => name === axis)?.values[value]?.label ?? `value ${value + 1}`;
  return (
    <>
      <table class="shares">
        <caption>Shares of the variance, by {props.effects.measure}</caption>
        <thead>
          <tr>
            <th scope="col">Axis</th>
            <th scope="col">Share</th>
            <th class="shares-bars" aria-hidden="true" />
          </tr>
        </thead>
        <tbody>
          <For each={rows()}>
            {(bar) => (
              <tr class={bar.kind}>
                <th scope="row">{bar.label}</th>
                <td class="number">{percent(bar.share)}</td>
                <td aria-hidden="true">
                  <svg viewBox="0 0 100 10" preserveAspectRatio="none">
                    <rect width={Math.max(0, (100 * bar.share) / greatest())} height="10" />
                  </svg>
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <ul class="effects-remarks">
        <For each={remarks(props.effects, label)}>{(remark) => <li>{remark}</li>}</For>
      </ul>
    </>
  );
}
