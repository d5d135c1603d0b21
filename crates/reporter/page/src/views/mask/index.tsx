// Masks from clicks: a point says which thing of the reference picture, or of a cell's own, is repainted or kept.
import { createSignal, For, Show } from "solid-js";
import type { Model } from "../../model";
import { useKeys } from "../../keymap";
import { KIND, subjects } from "../../mask/subject";
import { Editor } from "./Editor";
import { SavedMasks } from "./SavedMasks";

export function MaskView(props: { model: Model }) {
  const { model } = props;
  const [saved, setSaved] = createSignal(0);
  model.onEvent("masks", () => setSaved(saved() + 1));
  const possible = () => subjects(model);
  const subject = () => possible().find(({ kind }) => kind === model.view.extra[KIND]) ?? possible()[0];
  // Another picture begins anew; new data of the same picture does not.
  const shown = () => subject() && `${subject().kind} ${subject().image}`;
  useKeys([{ keys: ["Escape"], does: "Back to the grid", group: "Mask", run: () => model.show({ mode: "grid" }) }]);
  return (
    <section class="mask" aria-label="Mask">
      <Show when={shown()} keyed fallback={<p class="message">The focused cell has no finished picture and no reference picture to make a mask of. Choose another one in the grid.</p>}>
        <Editor model={model} subject={subject()} saved={() => setSaved(saved() + 1)}>
          <Show when={possible().length > 1}>
            <div class="buttons" role="group" aria-label="Picture">
              <For each={possible()}>{({ kind }) =>
                <button type="button" aria-pressed={kind === subject().kind} onClick={() => model.show({ extra: { ...model.view.extra, [KIND]: kind } })}>
                  {kind === "reference" ? "Reference picture" : "Cell’s own picture"}
                </button>
              }</For>
            </div>
          </Show>
        </Editor>
      </Show>
      <Show when={model.picks.served()}><SavedMasks model={model} changed={saved} /></Show>
    </section>
  );
}
