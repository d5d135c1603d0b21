// One cell: its picture, or why there is none; its mark, its heat, and in a list its caption.
import { createMemo, Show } from "solid-js";
import type { Model } from "../../model";
import { describe, fileFor, labelsOf, valueOf } from "../../model/cells";
import { colour, short } from "../../model/heat";
import type { Measures } from "./measures";

export const cellId = (row: number, column: number) => `cell-${row}-${column}`;

interface Props {
  model: Model;
  id: string;
  /** -1 where the experiment has no cell. */
  cell: number;
  focus: boolean;
  left: number;
  column: number;
  measures: Measures;
  caption: boolean;
}

export function Cell(props: Props) {
  const { model } = props;
  const picture = createMemo(() => (props.cell < 0 ? -1 : model.page().grid.picture[props.cell]));
  const at = createMemo(() => (props.cell < 0 ? [] : model.cells().coordinates(props.cell)));
  const pictures = model.pictures;
  const file = createMemo(() => {
    if (picture() < 0) return null;
    if (props.focus && model.flicker() && model.other()) return model.other()!.image;
    return fileFor(model.page(), picture(), model.view.size * devicePixelRatio);
  });
  const pick = () => (picture() < 0 ? undefined : model.picks.of(pictures().cell[picture()]));
  const dimmed = () => props.cell >= 0 && model.matching()?.(props.cell) === false;
  const level = () => (picture() < 0 ? null : (model.heat()?.level(picture()) ?? null));
  const heatColour = () => {
    const now = level();
    return now === null ? undefined : colour(now);
  };
  // Most cells have nothing on their picture.
  const decorated = () => picture() >= 0 && !!(pick()?.mark || pick()?.note || pictures().draft[picture()] || (level() !== null && model.view.size >= 72));
  const status = () => pictures().status[picture()];
  const label = () => {
    if (picture() < 0) return "not part of the experiment";
    const parts = [describe(model.page().grid, at())];
    if (status() === "failed") parts.push(`failed: ${pictures().problem[picture()] ?? ""}`);
    else if (!pictures().image[picture()]) parts.push(pictures().problem[picture()] ?? "not rendered yet");
    if (pictures().draft[picture()]) parts.push("draft");
    if (pick()?.mark) parts.push(pick()!.mark === "pick" ? "picked" : "rejected");
    if (pick()?.note) parts.push(`note: ${pick()!.note}`);
    if (model.heat() && level() !== null) parts.push(`${model.heat()!.name} ${model.heat()!.text(picture())}`);
    return parts.join(", ");
  };
  const sortValue = () => {
    const column = model.column(model.view.sort);
    const isAxis = model.page().grid.axes.some(({ name }) => name === model.view.sort);
    return column && !isAxis && picture() >= 0 ? valueOf(column, picture()) : "";
  };
  const click = () => {
    if (props.cell < 0) return;
    if (props.focus) model.open();
    else model.focusCell(props.cell);
  };

  return (
    <div
      id={props.id} class="cell" role="gridcell" aria-colindex={props.column} aria-label={label()} aria-selected={props.focus}
      classList={{ focus: props.focus, dimmed: dimmed(), out: props.cell < 0, captioned: props.caption, reject: pick()?.mark === "reject", heated: level() !== null }}
      style={{ left: `${props.left}px`, width: `${props.measures.cellWidth}px`, height: `${props.measures.cellHeight}px`, "--heat": heatColour() }}
      onClick={click}
    >
      <div class="frame" style={{ height: `${props.measures.pictureHeight}px` }}>
        <Show when={file()} fallback={<Absent model={model} picture={picture()} />}>
          {(source) => <img src={source()} alt="" decoding="async" draggable={false} />}
        </Show>
        <Show when={decorated()}>
          <Show when={pick()?.mark}>{(mark) => <span class={`badge ${mark()}`} aria-hidden="true">{mark() === "pick" ? "★" : "⊘"}</span>}</Show>
          <Show when={pick()?.note}><span class="badge note" aria-hidden="true">✎</span></Show>
          <Show when={pictures().draft[picture()]}><span class="tag" aria-hidden="true">draft</span></Show>
          <Show when={level() !== null && model.view.size >= 72}><span class="heat-value" aria-hidden="true">{model.heat()!.text(picture())}</span></Show>
        </Show>
      </div>
      <Show when={props.caption && picture() >= 0}>
        <div class="caption" title={describe(model.page().grid, at())}>
          <Show when={sortValue()}>{(value) => <b>{short(value())} · </b>}</Show>
          <bdi>{labelsOf(model.page().grid, at()).join(" · ")}</bdi>
        </div>
      </Show>
    </div>
  );
}

/** Why a cell has no picture. */
function Absent(props: { model: Model; picture: number }) {
  const pictures = props.model.pictures;
  const failed = () => pictures().status[props.picture] === "failed" || pictures().problem[props.picture];
  return (
    <Show when={props.picture >= 0} fallback={<span class="absent" title="The experiment leaves this combination out." />}>
      <span class="absent" classList={{ failed: !!failed() }} title={pictures().problem[props.picture] ?? "not rendered yet"}>
        <b>{pictures().status[props.picture] === "failed" ? "failed" : failed() ? "no picture" : "not yet"}</b>
        <Show when={pictures().problem[props.picture]}>{(problem) => <small>{problem().slice(0, 400)}</small>}</Show>
      </span>
    </Show>
  );
}
