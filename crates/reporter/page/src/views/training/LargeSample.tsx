// A sample large, with a step to the ones before and after it in the training, and to the other samples.
import { Dialog } from "../../parts/Dialog";
import { neighbour, type SamplePlace, type SampleTable } from "../../training/samples";
import { sampleLabel } from "./Samples";

export interface LargeSampleProps {
  table: SampleTable;
  subject: string;
  at: SamplePlace;
  show(at: SamplePlace): void;
  close(): void;
}

export function LargeSample(props: LargeSampleProps) {
  const image = () => props.table.images[props.at.row]?.[props.at.column] ?? "";
  const next = (rows: number, columns: number) => neighbour(props.table, props.at, rows, columns);
  const go = (rows: number, columns: number) => {
    const place = next(rows, columns);
    if (place) props.show(place);
  };
  const key = (name: string, does: string, rows: number, columns: number) => ({ keys: [name], does, group: "Samples", run: () => go(rows, columns) });
  const button = (label: string, title: string, rows: number, columns: number) => (
    <button type="button" disabled={!next(rows, columns)} onClick={() => go(rows, columns)} title={title}>{label}</button>
  );
  return (
    <Dialog
      title={`${props.subject}, ${sampleLabel(props.table, props.at)}`} close={props.close} class="large-sample"
      keys={[
        key("ArrowLeft", "Fewer steps", 0, -1), key("ArrowRight", "More steps", 0, 1),
        key("ArrowUp", "The sample before", -1, 0), key("ArrowDown", "The next sample", 1, 0),
      ]}
    >
      <img src={image()} alt={sampleLabel(props.table, props.at)} />
      <p class="buttons">
        {button("Fewer steps", "Arrow left", 0, -1)}
        {button("More steps", "Arrow right", 0, 1)}
        {button("Sample before", "Arrow up", -1, 0)}
        {button("Next sample", "Arrow down", 1, 0)}
        <a href={image()}>Open the file</a>
      </p>
    </Dialog>
  );
}
