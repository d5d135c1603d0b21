// One pair large: side by side, flickering, under a slider, or as a heat map of what differs.
import "img-comparison-slider";
import { createEffect, createSignal, For, Match, on, Show, Switch } from "solid-js";
import type { DiffCell, DiffPage } from "../../data";
import { outcomeText } from "../../diff/order";
import { GAINS, type Mode } from "../../diff/state";
import type { Binding } from "../../keymap";
import { Dialog } from "../../parts/Dialog";
import { Changes } from "./Changes";
import { HeatMap } from "./HeatMap";

export interface PairViewerProps {
  page: DiffPage;
  /** The index of the pair. */
  pair: number;
  /** Its place among the shown pairs, -1 if it is not among them, and how many they are. */
  place: number;
  count: number;
  mode: Mode;
  gain: number;
  setMode(mode: Mode): void;
  setGain(gain: number): void;
  step(by: 1 | -1): void;
  close(): void;
}

const MODES: { mode: Mode; label: string; key: string }[] = [
  { mode: "side", label: "Side by side", key: "1" },
  { mode: "flicker", label: "Flicker", key: "2" },
  { mode: "slider", label: "Slider", key: "3" },
  { mode: "heat", label: "Heat map", key: "4" },
];

export function PairViewer(props: PairViewerProps) {
  let stage!: HTMLDivElement;
  const pair = () => props.page.pairs[props.pair];
  const [side, setSide] = createSignal<"left" | "right">("left");
  const [broken, setBroken] = createSignal<ReadonlySet<string>>(new Set());
  createEffect(on(() => props.pair, () => setSide("left")));

  const missing = () => [pair().left, pair().right].some((cell) => !cell.image || broken().has(cell.image));
  /** Why the pictures cannot be laid over each other; empty if they can. */
  const apart = () => {
    if (missing()) return "A picture is missing.";
    if (pair().outcome === "sizes" && props.mode === "heat") return "Pictures of different sizes have no heat map.";
    return "";
  };
  const flicker = () => {
    if (props.mode !== "flicker") props.setMode("flicker");
    else setSide(side() === "left" ? "right" : "left");
  };
  const choose = (mode: Mode) => {
    props.setMode(mode);
    // So that the space bar flickers and does not press the button again.
    stage.focus();
  };
  const keys: Binding[] = [
    { keys: [" "], does: "Flicker between the two pictures", group: "Pair", run: flicker },
    { keys: ["ArrowRight"], does: "Next pair", group: "Pair", run: () => props.step(1) },
    { keys: ["ArrowLeft"], does: "Previous pair", group: "Pair", run: () => props.step(-1) },
    ...MODES.map(({ mode, label, key }): Binding => ({ keys: [key], does: label, group: "Pair", run: () => choose(mode) })),
    { keys: ["+"], does: "Show smaller differences in the heat map", group: "Pair", run: () => gain(1) },
    { keys: ["-"], does: "Show greater differences only", group: "Pair", run: () => gain(-1) },
  ];

  return (
    <Dialog title={title()} class="pair-viewer" close={props.close} keys={keys}>
      <div class="pair-tools">
        <div role="group" aria-label="How to compare">
          <For each={MODES}>
            {({ mode, label, key }) => (
              <button type="button" aria-pressed={props.mode === mode} title={`${label} (${key})`} onClick={() => choose(mode)}>{label}</button>
            )}
          </For>
        </div>
        <Show when={props.mode === "heat"}>
          <label>
            Differences
            <select value={String(props.gain)} onChange={(event) => props.setGain(Number(event.currentTarget.value))}>
              <For each={GAINS}>{(gain) => <option value={gain}>× {gain}</option>}</For>
            </select>
          </label>
        </Show>
        <Show when={props.mode === "flicker"}>
          <button type="button" onClick={() => { flicker(); stage.focus(); }} title="Space">Switch</button>
        </Show>
        <span class="pair-steps">
          <button type="button" class="icon" disabled={props.place <= 0} onClick={() => props.step(-1)} aria-label="Previous pair" title="Previous pair (←)">←</button>
          <span>{props.place + 1} of {props.count}</span>
          <button type="button" class="icon" disabled={props.place + 1 >= props.count} onClick={() => props.step(1)} aria-label="Next pair" title="Next pair (→)">→</button>
        </span>
      </div>
      <div class="pair-stage" ref={stage} tabindex="-1" data-mode={shownMode()} autofocus>
        <Show when={apart() && props.mode !== "side"}><p class="quiet">{apart()} They are side by side.</p></Show>
        <Switch>
          <Match when={shownMode() === "side"}>
            <div class="pair-sides">
              <Full cell={pair().left} name={props.page.left} />
              <Full cell={pair().right} name={props.page.right} />
            </div>
          </Match>
          <Match when={shownMode() === "flicker"}>
            <div class="pair-flicker">
              <img src={pair().left.image!} alt={pair().left.label} hidden={side() !== "left"} onError={() => fail(pair().left)} />
              <img src={pair().right.image!} alt={pair().right.label} hidden={side() !== "right"} onError={() => fail(pair().right)} />
            </div>
            <p class="pair-side" role="status">
              <b>{side() === "left" ? "Left" : "Right"}</b> <bdi>{props.page[side()]}: {pair()[side()].label}</bdi>
            </p>
          </Match>
          <Match when={shownMode() === "slider"}>
            <img-comparison-slider tabindex="0" aria-label={`Slider between ${pair().left.label} and ${pair().right.label}`}>
              <img slot="first" src={pair().left.image!} alt={pair().left.label} onError={() => fail(pair().left)} />
              <img slot="second" src={pair().right.image!} alt={pair().right.label} onError={() => fail(pair().right)} />
            </img-comparison-slider>
          </Match>
          <Match when={shownMode() === "heat"}>
            <HeatMap left={pair().left.image!} right={pair().right.image!} gain={props.gain} fail={(image) => setBroken(new Set([...broken(), image]))} />
          </Match>
        </Switch>
      </div>
      <p class="pair-outcome">{outcomeText(pair())}</p>
      <Show when={pair().settings.length} fallback={<Show when={pair().unexplained}><p class="quiet">All settings are the same.</p></Show>}>
        <Changes caption="Settings that differ in this pair" changes={pair().settings} left={props.page.left} right={props.page.right} />
      </Show>
    </Dialog>
  );

  function Full(own: { cell: DiffCell; name: string }) {
    const image = () => (own.cell.image && !broken().has(own.cell.image) ? own.cell.image : null);
    return (
      <figure>
        <Show when={image()} fallback={<p class="pair-missing">{own.cell.problem ?? (own.cell.image ? "The picture cannot be loaded." : "No picture.")}</p>}>
          {(src) => <img src={src()} alt={own.cell.label} width={own.cell.size[0]} height={own.cell.size[1]} onError={() => fail(own.cell)} />}
        </Show>
        <figcaption><bdi>{own.name}: {own.cell.label}</bdi></figcaption>
      </figure>
    );
  }

  function shownMode(): Mode {
    return apart() ? "side" : props.mode;
  }

  function fail(cell: DiffCell): void {
    setBroken(new Set([...broken(), cell.image!]));
  }

  function gain(by: 1 | -1): void {
    const next = GAINS[(GAINS as readonly number[]).indexOf(props.gain) + by];
    if (next !== undefined) props.setGain(next);
  }

  function title(): string {
    const { left, right } = pair();
    return left.label === right.label ? left.label : `${left.label} → ${right.label}`;
  }
}
