// Which axes are rows and columns, which values are shown, and how large the cells are.
import { For, Index, Show } from "solid-js";
import type { Model } from "../../model";
import { SIZES } from "../../model/view";
import { Popup } from "../../parts/Popup";

export function Axes(props: { model: Model }) {
  const { model } = props;
  return (
    <div class="axes">
      <Placing model={model} side="rows" title="Rows" />
      <Placing model={model} side="columns" title="Columns" />
      <Popup title="Show and hide values" label={hiddenCount(model) ? `Values (${hiddenCount(model)} hidden)` : "Values"}><Values model={model} /></Popup>
      <label class="size">Size
        <input type="range" min={SIZES.min} max={SIZES.max} step="4" value={model.view.size} onInput={(event) => model.show({ size: Number(event.currentTarget.value) })} />
      </label>
    </div>
  );
}

function hiddenCount(model: Model): number {
  return model.view.hidden.reduce((sum, values) => sum + values.length, 0);
}

/** Selects for the axes of one side: one for each level, and an empty one to add a level within. */
function Placing(props: { model: Model; side: "rows" | "columns"; title: string }) {
  const { model } = props;
  const names = () => model.view[props.side];
  const other = () => (props.side === "rows" ? "columns" : "rows");
  const levels = () => (names().length < model.page().grid.axes.length ? [...names(), ""] : names());

  function choose(level: number, name: string): void {
    const before = names()[level] ?? "";
    const mine = [...names()];
    const theirs = [...model.view[other()]];
    // The chosen axis may already be somewhere: the two change places.
    const swap = (list: string[], place: number) => (before ? (list[place] = before) : list.splice(place, 1));
    const [here, there] = [mine.indexOf(name), theirs.indexOf(name)];
    if (name && here >= 0) swap(mine, here);
    if (name && there >= 0) swap(theirs, there);
    if (name) mine[Math.min(level, mine.length)] = name;
    else mine.splice(level, 1);
    model.show({ [props.side]: [...new Set(mine)], [other()]: theirs });
  }

  return (
    <div class="placing" role="group" aria-label={props.title}>
      <span>{props.title}</span>
      <Index each={levels()}>{(name, level) =>
        <>
          <Show when={level}><span class="quiet" aria-hidden="true">›</span></Show>
          <select
            aria-label={level ? `${props.title} within ${names()[level - 1]}` : props.title} classList={{ empty: !name() }}
            value={name()} onChange={(event) => choose(level, event.currentTarget.value)}
          >
            <option value="" selected={name() === ""}>{level || !name() ? (level ? "within …" : "none") : "none"}</option>
            <For each={model.page().grid.axes}>{(axis) => <option value={axis.name} selected={axis.name === name()}>{axis.name}</option>}</For>
          </select>
        </>
      }</Index>
    </div>
  );
}

/** A box to tick for every value of every axis. */
function Values(props: { model: Model }) {
  const { model } = props;
  return (
    <div class="values">
      <For each={model.page().grid.axes}>{(axis, index) => {
        const hidden = () => model.view.hidden[index()];
        return (
          <fieldset>
            <legend>{axis.name} <button type="button" class="link" disabled={!hidden().length} onClick={() => model.hide(index(), [])}>show all</button></legend>
            <For each={axis.values}>{(value, place) =>
              <label>
                <input
                  type="checkbox" checked={!hidden().includes(place())}
                  disabled={hidden().length === axis.values.length - 1 && !hidden().includes(place())}
                  onChange={(event) => model.hide(index(), event.currentTarget.checked ? hidden().filter((one) => one !== place()) : [...hidden(), place()])}
                />
                <bdi>{value.label || "(empty)"}</bdi>
              </label>
            }</For>
          </fieldset>
        );
      }}</For>
    </div>
  );
}
