// The masks in the run's folder, each with the lines of an experiment that uses it.
import { createEffect, createSignal, For, Show } from "solid-js";
import type { Model } from "../../model";
import { listMasks, type SavedMask } from "../../mask/server";
import { CopyButton } from "../../parts/CopyButton";

export function SavedMasks(props: { model: Model; changed: () => unknown }) {
  const [masks, setMasks] = createSignal<SavedMask[]>([]);
  const [trouble, setTrouble] = createSignal("");
  createEffect(() => {
    props.changed();
    listMasks().then((list) => (setMasks(list), setTrouble("")), (error: Error) => setTrouble(`The masks cannot be listed: ${error.message}`));
  });
  return (
    <>
      <Show when={trouble()}><p class="error" role="alert">{trouble()}</p></Show>
      <Show when={masks().length}>
        <section class="masks" aria-label="Saved masks">
          <h2>Saved masks</h2>
          <ul>
            <For each={masks()}>{(mask) =>
              <li>
                <img src={mask.file} alt="" loading="lazy" />
                <div>
                  <a href={mask.file} download={fileName(mask.file)}><bdi>{fileName(mask.file)}</bdi></a>
                  <pre><code>{mask.toml.trimEnd()}</code></pre>
                </div>
                <CopyButton label="Copy TOML" title="Copy the lines for an experiment" text={() => mask.toml} say={props.model.say} />
              </li>
            }</For>
          </ul>
          <p class="quiet">These lines go into any experiment, also into the one that <code>maquette next</code> writes. White is repainted, black is kept.</p>
        </section>
      </Show>
    </>
  );
}

function fileName(file: string): string {
  return file.split("/").pop()!;
}
