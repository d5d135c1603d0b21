// What the colours of the cells mean.
import { Show } from "solid-js";
import type { Model } from "../../model";
import { short } from "../../model/heat";

export function Legend(props: { model: Model }) {
  return (
    <Show when={props.model.heat()}>
      {(heat) => {
        const ends = () => {
          const { low, high, better } = heat();
          return better === "lower" ? [high, low] : [low, high];
        };
        return (
          <p class="legend" title={props.model.column(heat().name)?.help}>
            <b>{heat().name}</b> <span>{short(String(ends()[0]))}</span> <span class="scale" aria-hidden="true" /> <span>{short(String(ends()[1]))}</span>
            <Show when={heat().better}>{(better) => <span class="quiet">{better()} is better</span>}</Show>
          </p>
        );
      }}
    </Show>
  );
}
