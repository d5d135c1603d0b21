// The axes that are neither rows nor columns: one value of each is shown, chosen by tabs, a slider or a list.
import { For, Show } from "solid-js";
import type { Model } from "../../model";
import { number } from "../../model/filter";

const MOST_TABS = 10;

export function OtherAxes(props: { model: Model }) {
  const { model } = props;
  const grid = () => model.page().grid;
  return (
    <section class="others" aria-label="Other axes">
      <For each={model.placement().others}>{(axis) => {
        const name = () => grid().axes[axis].name;
        const values = () => model.shown()[axis];
        const label = (value: number) => grid().axes[axis].values[value].label;
        const choose = (value: number) => {
          model.setSteppedAxis(axis);
          model.show({ at: model.view.at.map((before, i) => (i === axis ? value : before)) });
        };
        const numeric = () => grid().axes[axis].values.every((value) => number(value.label) !== null);
        const kind = () => (values().length <= MOST_TABS ? "tabs" : numeric() ? "slider" : "list");
        return (
          <div class="other" classList={{ stepped: model.steppedAxis() === axis }}>
            <span class="other-name" id={`axis-${axis}`}><bdi>{name()}</bdi></span>
            <Show when={kind() === "tabs"}>
              <div class="choices" role="radiogroup" aria-labelledby={`axis-${axis}`}>
                <For each={values()}>{(value) =>
                  <label><input type="radio" name={`axis-${axis}`} checked={model.view.at[axis] === value} onChange={() => choose(value)} /><span><bdi>{label(value) || "(empty)"}</bdi></span></label>
                }</For>
              </div>
            </Show>
            <Show when={kind() === "slider"}>
              <input
                type="range" aria-labelledby={`axis-${axis}`} aria-valuetext={label(model.view.at[axis])} min="0" max={values().length - 1} step="1"
                value={Math.max(0, values().indexOf(model.view.at[axis]))} onInput={(event) => choose(values()[Number(event.currentTarget.value)])}
              />
              <output>{label(model.view.at[axis])}</output>
            </Show>
            <Show when={kind() === "list"}>
              <select aria-labelledby={`axis-${axis}`} onChange={(event) => choose(Number(event.currentTarget.value))}>
                <For each={values()}>{(value) => <option value={value} selected={model.view.at[axis] === value}>{label(value)}</option>}</For>
              </select>
            </Show>
          </div>
        );
      }}</For>
    </section>
  );
}
