// The ranking of an axis' values: strengths with their intervals, and how many more votes would make the first place certain.
import { createMemo, createSignal, For, Show } from "solid-js";
import type { RunPage, Vote } from "../../data";
import type { Places } from "../../ranking/places";
import { CERTAINTIES, comparisons, rank, votesNeeded, type Certainty, type RankedValue } from "../../ranking/rank";

export interface RankingPanelProps {
  page: RunPage;
  places: Places;
  votes: Vote[];
  /** The index of the axis. */
  axis: number;
}

export function RankingPanel(props: RankingPanelProps) {
  const [certainty, setCertainty] = createSignal<Certainty>(0.95);
  const find = createMemo(() => new Map(props.page.pictures.cell.map((cell, at) => [cell, at])));
  const compared = createMemo(() => comparisons(props.votes, props.places, (cell) => find().get(cell)));
  const rankings = createMemo(() => rank(props.page.grid.axes.map(({ values }) => values.length), compared().counted));
  const axis = () => props.page.grid.axes[props.axis];
  const ranking = () => rankings()[props.axis];
  const label = (value: number) => axis().values[value].label;
  const range = createMemo(() => {
    const values = ranking().values;
    return { low: Math.min(...values.map(({ low }) => low)), high: Math.max(...values.map(({ high }) => high)) };
  });

  return (
    <section class="ranking" aria-label="Ranking">
      <Show when={ranking()?.values.length} fallback={<p>No vote between different values of {axis()?.name} yet.</p>}>
        <table>
          <caption>
            Values of {axis().name} by preference (Bradley-Terry), with 95 % intervals
          </caption>
          <thead>
            <tr>
              <th scope="col">{axis().name}</th>
              <th scope="col">Strength</th>
              <th scope="col">Interval</th>
              <th scope="col">Votes</th>
            </tr>
          </thead>
          <tbody>
            <For each={ranking().values}>
              {(value) => (
                <tr>
                  <th scope="row">{label(value.value)}</th>
                  <td class="number">{signed(value.strength)}</td>
                  <td>
                    <Interval value={value} low={range().low} high={range().high} />
                    <span class="interval-text">
                      {signed(value.low)} to {signed(value.high)}
                    </span>
                  </td>
                  <td class="number">{value.votes}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
        <p class="ranking-lead">
          {leadText()}{" "}
          <label>
            Certainty
            <select value={String(certainty())} onChange={(event) => setCertainty(Number(event.currentTarget.value) as Certainty)}>
              <For each={Object.keys(CERTAINTIES)}>{(share) => <option value={share}>{Number(share) * 100} %</option>}</For>
            </select>
          </label>
        </p>
      </Show>
      <p class="ranking-note">{leftOut()}</p>
    </section>
  );

  function leadText(): string {
    const lead = ranking().lead;
    if (!lead) return "";
    const [first, second] = ranking().values.map(({ value }) => label(value));
    const more = votesNeeded(lead, certainty());
    if (more === null) return `${first} and ${second} are level: no number of votes can be stated.`;
    if (more === 0) return `${first} is ahead of ${second}.`;
    return `About ${more} more ${more === 1 ? "vote" : "votes"} until it is certain that ${first} is ahead of ${second}.`;
  }

  /** The votes that are not in the ranking, and why; empty if all are. */
  function leftOut(): string {
    const { bad, unknown, same } = compared();
    const parts = [
      bad && `${bad} for “both bad”`,
      unknown && `${unknown} with cells that this page does not have`,
      same && `${same} between cells that do not differ along any axis`,
    ].filter(Boolean);
    return parts.length ? `Votes that are not in the ranking: ${parts.join(", ")}.` : "";
  }
}

/** The interval as a line with a dot for the strength, on the scale that all values share. */
function Interval(props: { value: RankedValue; low: number; high: number }) {
  const at = (strength: number) => (props.high > props.low ? 2 + (96 * (strength - props.low)) / (props.high - props.low) : 50);
  return (
    <svg class="interval" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <line x1={at(props.value.low)} x2={at(props.value.high)} y1="6" y2="6" />
      <line class="interval-strength" x1={at(props.value.strength)} x2={at(props.value.strength)} y1="1" y2="11" />
    </svg>
  );
}

/** Such as `+1.25` or `−0.50`. */
function signed(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return text === "0.00" ? text : `${value < 0 ? "−" : "+"}${text}`;
}
