// The samples over the steps, side by side, so that over-training is seen: a row per sample.
import { Index, Show } from "solid-js";
import type { SamplePlace, SampleTable } from "../../training/samples";

export function Samples(props: { table: SampleTable; open(at: SamplePlace): void }) {
  const steps = () => props.table.steps;
  return (
    <div class="training-samples">
      <table>
        <caption>Samples over the steps</caption>
        <thead>
          <tr>
            <th scope="col">after steps</th>
            <Index each={steps()}>{(step) => <th scope="col">{step()}</th>}</Index>
          </tr>
        </thead>
        <tbody>
          <Index each={props.table.images}>
            {(images, row) => (
              <tr>
                <th scope="row">sample {props.table.numbers[row] + 1}</th>
                <Index each={images()}>
                  {(image, column) => (
                    <td>
                      <Show when={image()} fallback={<span class="quiet">none yet</span>}>
                        {(file) => (
                          <button type="button" class="training-sample" onClick={() => props.open({ row, column })} title="Show large (Enter)">
                            <img src={file()} alt={sampleLabel(props.table, { row, column })} loading="lazy" decoding="async" />
                          </button>
                        )}
                      </Show>
                    </td>
                  )}
                </Index>
              </tr>
            )}
          </Index>
        </tbody>
      </table>
    </div>
  );
}

export function sampleLabel({ steps, numbers }: SampleTable, { row, column }: SamplePlace): string {
  return `sample ${numbers[row] + 1} after ${steps[column] === 1 ? "1 step" : `${steps[column]} steps`}`;
}
