// The grid with its tools above it, the values of the other axes, and the panel beside it.
import { For, Show } from "solid-js";
import { Dynamic } from "solid-js/web";
import type { Model } from "../../model";
import { PANELS } from "..";
import { gridKeys } from "./keys";
import { useKeys } from "../../keymap";
import { Axes } from "./Axes";
import { Filter } from "./Filter";
import { Grid } from "./Grid";
import { OtherAxes } from "./OtherAxes";
import { Legend } from "./Legend";

export function GridView(props: { model: Model }) {
  useKeys(gridKeys(props.model));
  return (
    <div class="grid-view">
      <section class="tools" aria-label="View">
        <Axes model={props.model} />
        <Filter model={props.model} />
      </section>
      <Show when={props.model.placement().others.length && !props.model.view.list && !props.model.view.sort}><OtherAxes model={props.model} /></Show>
      <Legend model={props.model} />
      <div class="work">
        <Grid model={props.model} />
        <aside class="panel" aria-label="Focused picture"><For each={PANELS}>{(panel) => <Dynamic component={panel} model={props.model} />}</For></aside>
      </div>
    </div>
  );
}
