// How the subjects are trained: facts, losses and samples of each training, while it goes on and afterwards.
import { createMemo, createSignal, For, Index, Show, type Accessor } from "solid-js";
import type { Training } from "../../data";
import { looked, state } from "../../load";
import type { Model } from "../../model";
import { progress } from "../../model/progress";
import { facts, outlook } from "../../training/facts";
import { sampleTable, type SamplePlace } from "../../training/samples";
import { LargeSample } from "./LargeSample";
import { LossPlot } from "./LossPlot";
import { Samples } from "./Samples";

export function TrainingView(props: { model: Model }) {
  const { model } = props;
  const running = createMemo(() => progress(model.page().run, model.pictures(), state(), looked()).running);
  const logarithmic = () => model.view.extra["training.scale"] === "log";
  const setLogarithmic = (on: boolean) => model.show({ extra: { ...model.view.extra, "training.scale": on ? "log" : "linear" } });
  return (
    <section class="training-view" aria-label="Training">
      {/* By place, not by object: what has the focus stays while the data of a training changes. */}
      <Index each={model.page().trainings}>
        {(training) => (
          <section class="training" aria-label={`Training of ${training().subject} on ${training().model}`}>
            <h2><bdi>{training().subject}</bdi> on <bdi>{training().model}</bdi></h2>
            <Facts training={training()} />
            <Outlook training={training()} text={outlook(training(), model.page().run.state, running())} running={running()} />
            <Show when={training().losses.step.length} fallback={<p class="quiet">The losses appear here after the first step.</p>}>
              <LossPlot training={training()} logarithmic={logarithmic()} setLogarithmic={setLogarithmic} />
            </Show>
            <SampleRows training={training} />
          </section>
        )}
      </Index>
    </section>
  );
}

function Facts(props: { training: Training }) {
  return (
    <dl class="training-facts">
      <For each={facts(props.training)}>{([name, value]) => <div><dt>{name}</dt><dd><bdi>{value}</bdi></dd></div>}</For>
    </dl>
  );
}

function Outlook(props: { training: Training; text: string; running: boolean }) {
  return (
    <Show when={props.text}>
      <p class="training-outlook">
        <Show when={props.running}>
          <progress value={props.training.done} max={props.training.last_step} aria-label={`Steps of ${props.training.subject}`} />
        </Show>
        {props.text}
      </p>
    </Show>
  );
}

function SampleRows(props: { training: Accessor<Training> }) {
  const [open, setOpen] = createSignal<SamplePlace | null>(null);
  const table = createMemo(() => sampleTable(props.training().samples));
  return (
    <Show when={table().steps.length} fallback={<p class="quiet">There are no samples yet.</p>}>
      <Samples table={table()} open={setOpen} />
      <Show when={open()}>
        {(at) => <LargeSample table={table()} subject={props.training().subject} at={at()} show={setOpen} close={() => setOpen(null)} />}
      </Show>
    </Show>
  );
}
