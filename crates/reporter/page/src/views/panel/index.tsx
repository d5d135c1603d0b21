// Everything about the focused picture: marks, settings, what differs from its neighbour, copies for other places.
import { createMemo, For, Show } from "solid-js";
import type { Column } from "../../data";
import type { Model } from "../../model";
import { describe, isConstant, valueOf } from "../../model/cells";
import { condition } from "../../model/filter";
import { short } from "../../model/heat";
import { openMask, subjects } from "../../mask/subject";
import { CopyButton } from "../../parts/CopyButton";
import { toggleMark } from "../../picks/mark";
import { asA1111, asCommand, asToml } from "../../text/settings";
import { Note } from "./Note";

export function PicturePanel(props: { model: Model }) {
  const { model } = props;
  return (
    <details class="picture-panel" open={model.panelOpen()} onToggle={(event) => model.showPanel(event.currentTarget.open)}>
      <summary><bdi>{model.focus() < 0 ? "Not part of the experiment" : model.page().grid.axes.map((axis, i) => axis.values[model.view.at[i]]?.label).join(" · ")}</bdi></summary>
      <Show when={model.focused() >= 0} fallback={<p class="quiet">The experiment leaves this combination of values out.</p>}>
        <Preview model={model} />
        <Marks model={model} />
        <Settings model={model} />
        <Copies model={model} />
      </Show>
    </details>
  );
}

function Preview(props: { model: Model }) {
  const { model } = props;
  const image = () => (model.flicker() && model.other() ? model.other()!.image : model.pictures().image[model.focused()]);
  const problem = () => model.pictures().problem[model.focused()];
  return (
    <>
      <Show when={problem()}>{(text) => <p class="problem"><b>{model.pictures().status[model.focused()] === "failed" ? "Failed: " : ""}</b><bdi>{text()}</bdi></p>}</Show>
      <Show when={image()} fallback={<Show when={!problem()}><p class="quiet">Not rendered yet.</p></Show>}>
        {(source) => (
          <button type="button" class="preview" onClick={() => model.open()} title="Show large (Enter)">
            <img src={source()} alt={model.flicker() ? model.other()!.label : describe(model.page().grid, model.view.at)} />
            <Show when={model.flicker()}><span class="tag">{model.other()?.label}</span></Show>
          </button>
        )}
      </Show>
      <div class="buttons against">
        <button type="button" aria-pressed={model.flicker()} disabled={!model.other()} onClick={() => model.setFlicker(!model.flicker())} title="Flicker (Space)">Flicker</button>
        <button type="button" disabled={!model.other()} onClick={() => model.compare()} title="Slider (c)">Slider</button>
        <label>with
          <select value={model.view.against} onChange={(event) => model.show({ against: event.currentTarget.value as "reference" })}>
            <option value="reference">the reference</option>
            <option value="last">the last picture</option>
            <option value="marked">the marked picture</option>
          </select>
        </label>
        <button type="button" aria-pressed={model.marked() === model.focus()} onClick={() => model.markForComparison()} title="Mark to compare others with (m)">Mark</button>
        <Show when={subjects(model).length}>
          <button type="button" onClick={() => openMask(model)} title={`Make a mask of ${subjects(model)[0].label} (M)`}>Mask</button>
        </Show>
      </div>
    </>
  );
}

function Marks(props: { model: Model }) {
  const { model } = props;
  const cell = () => model.pictures().cell[model.focused()];
  const mark = () => model.picks.of(cell())?.mark;
  return (
    <div class="marks">
      <div class="buttons">
        <button type="button" class="pick" aria-pressed={mark() === "pick"} onClick={() => toggleMark(model, "pick")} title="Pick (p)">★ Pick</button>
        <button type="button" class="reject" aria-pressed={mark() === "reject"} onClick={() => toggleMark(model, "reject")} title="Reject (x)">⊘ Reject</button>
      </div>
      <Note model={model} cell={cell()} />
    </div>
  );
}

function Settings(props: { model: Model }) {
  const { model } = props;
  const columns = () => model.pictures().columns;
  const value = (column: Column) => valueOf(column, model.focused());
  const neighbour = createMemo(() => (model.last() < 0 ? -1 : model.page().grid.picture[model.last()]));
  const changed = (column: Column) => neighbour() >= 0 && column.kind !== "outcome" && valueOf(column, neighbour()) !== value(column);
  const varying = () => columns().filter((column) => !isConstant(column) && (column.kind === "setting" || column.kind === "placeholder") && value(column) !== "");
  const metrics = () => columns().filter((column) => column.kind === "metric" && value(column) !== "");
  const outcomes = () => columns().filter((column) => column.kind === "outcome" && !isConstant(column) && value(column) !== "");
  const constants = () => columns().filter((column) => isConstant(column) && value(column) !== "");
  const table = (list: () => Column[]) => <Table model={model} columns={list()} changed={changed} before={(column) => valueOf(column, neighbour())} />;
  return (
    <>
      {table(varying)}
      <Show when={metrics().length}><h2>Metrics</h2>{table(metrics)}</Show>
      <Show when={outcomes().length}><h2>Rendering</h2>{table(outcomes)}</Show>
      <details class="constants">
        <summary>{constants().length} constants</summary>
        {table(constants)}
        <dl class="settings"><div><dt>cell</dt><dd><code>{model.pictures().cell[model.focused()]}</code></dd></div></dl>
      </details>
    </>
  );
}

function Table(props: { model: Model; columns: Column[]; changed: (column: Column) => boolean; before: (column: Column) => string }) {
  const { model } = props;
  const value = (column: Column) => valueOf(column, model.focused());
  const filter = (column: Column) => {
    const term = condition(column.name, "=", value(column));
    const now = model.view.filter.trim();
    model.show({ filter: now.includes(term) ? now : [now, term].filter(Boolean).join(" ") });
  };
  return (
    <dl class="settings">
      <For each={props.columns}>{(column) =>
        <div classList={{ changed: props.changed(column) }}>
          <dt title={column.help}><bdi>{column.name}</bdi></dt>
          <dd>
            <bdi>{column.kind === "metric" ? short(value(column)) : value(column)}</bdi>
            <Show when={props.changed(column)}><small class="before">was <bdi>{column.kind === "metric" ? short(props.before(column)) : props.before(column) || "(empty)"}</bdi></small></Show>
          </dd>
          <dd><button type="button" class="link add" onClick={() => filter(column)} title="Add to the filter" aria-label={`Filter by ${column.name}`}>+</button></dd>
        </div>
      }</For>
    </dl>
  );
}

function Copies(props: { model: Model }) {
  const { model } = props;
  const button = (what: string, text: () => string) => <CopyButton label={what} text={text} say={model.say} />;
  return (
    <div class="buttons copies" role="group" aria-label="Copy the settings">
      <span class="quiet">Copy</span>
      {button("TOML", () => asToml(model.page(), model.focused()))}
      {button("A1111", () => asA1111(model.page(), model.focused()))}
      {button("Command", () => asCommand(model.page(), model.view.at))}
    </div>
  );
}
