// The legend of a chart: a piece of each line, and what it shows.
import { For } from "solid-js";

export interface LegendLine {
  label: string;
  stroke: string;
  /** In CSS pixels; 3 if absent. */
  width?: number;
  /** Lengths of dashes and gaps; none for a whole line. */
  dash?: number[];
  /** Whether it stands out at the moment. */
  marked?: boolean;
}

export function ChartLegend(props: { lines: LegendLine[] }) {
  return (
    <ul class="plot-legend">
      <For each={props.lines}>
        {({ label, stroke, width, dash, marked }) => (
          <li classList={{ "plot-hovered": marked }}>
            <svg viewBox="0 0 24 8" aria-hidden="true">
              <line x1="0" x2="24" y1="4" y2="4" stroke={stroke} stroke-width={width ?? 3} stroke-dasharray={dash?.join(" ")} />
            </svg>
            {label}
          </li>
        )}
      </For>
    </ul>
  );
}
