// The run's ancestry: the runs that it was derived from, nearest first, and the cells that were chosen there.
import { For, Show } from "solid-js";
import type { Ancestor } from "../../data";
import type { Model } from "../../model";

export function AncestryPanel(props: { model: Model }) {
  const { model } = props;
  return (
    <Show when={model.page().ancestry.length}>
      <details class="ancestry" open>
        <summary>Derived from</summary>
        <ol>
          <For each={model.page().ancestry}>{(ancestor) => <li><Run ancestor={ancestor} /></li>}</For>
        </ol>
      </details>
    </Show>
  );
}

function Run(props: { ancestor: Ancestor }) {
  const { ancestor } = props;
  return (
    <>
      <p class="ancestor-run">
        <Show when={ancestor.page} fallback={<><bdi>{ancestor.run}</bdi> <span class="quiet">(not in the runs folder)</span></>}>
          {(page) => <a href={page()}><bdi>{ancestor.run}</bdi></a>}
        </Show>
      </p>
      <ul class="ancestor-cells">
        <For each={ancestor.cells}>
          {({ cell, label, image }) => (
            <li title={`cell ${cell.slice(0, 16)}`}>
              <Show when={image}>{(file) => <img src={file()} alt="" loading="lazy" decoding="async" />}</Show>
              <bdi>{label}</bdi>
            </li>
          )}
        </For>
      </ul>
    </>
  );
}
