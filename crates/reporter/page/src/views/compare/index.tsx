// Two pictures one over the other, with a slider between them, and what differs in their settings.
import "img-comparison-slider";
import { For, Show } from "solid-js";
import type { Model, Other } from "../../model";
import { differences } from "../../model/differences";
import { describe } from "../../model/cells";
import { Dialog } from "../../parts/Dialog";

declare module "solid-js" {
  namespace JSX {
    interface IntrinsicElements {
      "img-comparison-slider": HTMLAttributes<HTMLElement> & { value?: number; tabindex?: string };
    }
  }
}

export function Compare(props: { model: Model; other: Other }) {
  const { model } = props;
  const here = () => model.pictures().image[model.focused()];
  const label = () => describe(model.page().grid, model.view.at);
  const changes = () => (props.other.cell === null ? [] : differences(model.page(), model.page().grid.picture[props.other.cell], model.focused()));
  return (
    <Dialog title="Compare" class="compare" close={model.stopComparing} keys={[{ keys: ["c"], does: "Close the comparison", group: "Look", run: model.stopComparing }]}>
      <Show when={here()} fallback={<p>The focused cell has no picture.</p>}>
        {(image) =>
          <img-comparison-slider tabindex="0" aria-label={`Slider between ${props.other.label} and ${label()}: arrow keys move it`}>
            <img slot="first" src={props.other.image} alt={props.other.label} />
            <img slot="second" src={image()} alt={label()} />
          </img-comparison-slider>
        }
      </Show>
      <div class="compare-labels"><span><bdi>{props.other.label}</bdi></span><span><bdi>{label()}</bdi></span></div>
      <Show when={changes().length}>
        <table class="changes">
          <tbody><For each={changes()}>{(change) => <tr><td><bdi>{change.left}</bdi></td><th scope="row"><bdi>{change.name}</bdi></th><td><bdi>{change.right}</bdi></td></tr>}</For></tbody>
        </table>
      </Show>
    </Dialog>
  );
}
