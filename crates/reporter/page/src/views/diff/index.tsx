// The page of a comparison: settings that changed, and pairs of pictures, those that differ most on top.
import { createEffect, createMemo, createSignal, For, onMount, Show } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { DiffPage } from "../../data";
import { counts, groups, type Shown, type Sort } from "../../diff/order";
import { walk } from "../../diff/rows";
import { fromHash, toHash, type DiffState, type Mode } from "../../diff/state";
import { useKeys } from "../../keymap";
import { hashOf, urlState } from "../../model/history";
import { theme, toggleTheme } from "../../theme";
import { Help } from "../help";
import { Changes } from "./Changes";
import { PairList } from "./PairList";
import { PairViewer } from "./PairViewer";

const SHOWN_LABELS: Record<Shown, string> = {
  all: "All pairs",
  different: "Different pictures",
  unexplained: "Same settings, different pixels",
  identical: "Identical pictures",
};

export function DiffView(props: { page: DiffPage }) {
  const [state, setState] = createStore<DiffState>(fromHash(hashOf(), props.page.pairs.length));
  let main!: HTMLElement;
  // The list observes the element that scrolls, which has to be in the document for that.
  const [scroller, setScroller] = createSignal<HTMLElement>();
  onMount(() => setScroller(main));
  const [help, setHelp] = createSignal(false);
  const url = urlState((hash) => setState(reconcile(fromHash(hash, props.page.pairs.length))));
  let pushing = false;
  createEffect(() => {
    const next = toHash(state);
    if (!pushing && next !== hashOf()) url.replace(next);
  });
  createEffect(() => (document.title = `${props.page.left} and ${props.page.right}`));
  const grouped = createMemo(() => groups(props.page, state.sort, state.shown));
  const order = createMemo(() => walk(grouped()));
  const count = createMemo(() => counts(props.page));
  // Where the list's focus is: it follows the pair that was shown large.
  const [focus, setFocus] = createSignal(order()[0] ?? -1);

  function open(pair: number, mode?: Mode): void {
    pushing = true;
    setState({ open: pair, mode: mode ?? state.mode });
    pushing = false;
    url.push(toHash(state));
    setFocus(pair);
  }
  function close(): void {
    // Back would restore the entry of the moment of opening: it gets the present state first.
    const now = { ...state, open: null };
    if (url.back()) addEventListener("popstate", () => setState(reconcile(now)), { once: true });
    else setState(now);
  }

  useKeys([
    { keys: ["?"], does: "Show or hide the keys", group: "Page", run: () => setHelp(!help()) },
    { keys: ["t"], does: "Light or dark", group: "Page", run: toggleTheme },
    { keys: ["s"], does: "Sort by difference or in order", group: "Page", run: () => setState("sort", state.sort === "order" ? "difference" : "order") },
  ]);

  return (
    <>
      <header class="head">
        <div class="head-title">
          <h1><bdi>{props.page.left}</bdi> and <bdi>{props.page.right}</bdi></h1>
          <span class="quiet">{summary()}</span>
        </div>
        <div class="head-tools">
          <button type="button" class="icon" onClick={toggleTheme} title="Light or dark (t)" aria-label="Light or dark">{theme() === "dark" ? "☀" : "☾"}</button>
          <button type="button" class="icon" onClick={() => setHelp(true)} title="Keys (?)" aria-label="Keys">?</button>
        </div>
        <Show when={props.page.pairing.length}>
          <details class="notes">
            <summary>How cells were paired</summary>
            <ul><For each={props.page.pairing}>{(sentence) => <li><bdi>{sentence}</bdi></li>}</For></ul>
          </details>
        </Show>
      </header>
      <main class="diff" ref={main}>
        <Show when={props.page.settings.length} fallback={<p class="quiet">No setting of the whole runs differs.</p>}>
          <Changes caption="Settings that differ between the runs" changes={props.page.settings} left={props.page.left} right={props.page.right} />
        </Show>
        <section class="tools" aria-label="View">
          <label>
            Show
            <select value={state.shown} onChange={(event) => setState("shown", event.currentTarget.value as Shown)}>
              <For each={Object.keys(SHOWN_LABELS) as Shown[]}>{(shown) => <option value={shown}>{`${SHOWN_LABELS[shown]} (${count()[shown]})`}</option>}</For>
            </select>
          </label>
          <label>
            Sort
            <select value={state.sort} onChange={(event) => setState("sort", event.currentTarget.value as Sort)} title="s">
              <option value="difference">greatest difference first</option>
              <option value="order">in order</option>
            </select>
          </label>
        </section>
        <Show when={grouped().length} fallback={<p class="diff-none">There is no pair to show.</p>}>
          <Show when={scroller()}>
            {(element) => <PairList page={props.page} groups={grouped()} scroller={element()} focus={focus()} setFocus={setFocus} open={open} />}
          </Show>
        </Show>
      </main>
      <Show when={state.open !== null}>
        <PairViewer
          page={props.page} pair={state.open!} place={order().indexOf(state.open!)} count={order().length} mode={state.mode} gain={state.gain}
          setMode={(mode) => setState("mode", mode)} setGain={(gain) => setState("gain", gain)} step={step} close={close}
        />
      </Show>
      <Show when={help()}><Help close={() => setHelp(false)} /></Show>
    </>
  );

  function step(by: 1 | -1): void {
    const next = order()[order().indexOf(state.open!) + by];
    if (next === undefined) return;
    setState("open", next);
    setFocus(next);
  }

  function summary(): string {
    const { all, different, identical } = count();
    const parts = [all === 1 ? "1 pair" : `${all} pairs`, `${different} different`, `${identical} identical`];
    const { left, right, only_left, only_right } = props.page;
    if (only_left.length) parts.push(`${only_left.length} only in ${left}`);
    if (only_right.length) parts.push(`${only_right.length} only in ${right}`);
    return parts.join(" · ");
  }
}
