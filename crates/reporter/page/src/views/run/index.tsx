// The page of a run: its head, the chosen view, the large view and the comparison over it.
import { createMemo, createSignal, Show } from "solid-js";
import { Dynamic } from "solid-js/web";
import type { RunPage } from "../../data";
import { createModel } from "../../model";
import { useKeys } from "../../keymap";
import { toggleTheme } from "../../theme";
import { VIEWS } from "..";
import { Compare } from "../compare";
import { Help } from "../help";
import { Large } from "../large";
import { Head } from "./Head";

export function RunView(props: { page: RunPage }) {
  const model = createModel(() => props.page);
  const [help, setHelp] = createSignal(false);
  const view = createMemo(() => VIEWS.find(({ name, has }) => name === model.view.mode && (has?.(model) ?? true)) ?? VIEWS[0]);

  useKeys([
    { keys: ["?"], does: "Show or hide the keys", group: "Page", run: () => setHelp(!help()) },
    { keys: ["t"], does: "Light or dark", group: "Page", run: toggleTheme },
  ]);

  return (
    <>
      <Head model={model} views={VIEWS.filter(({ has }) => has?.(model) ?? true)} help={() => setHelp(true)} />
      <main><Dynamic component={view().Component} model={model} /></main>
      <Show when={model.view.open}><Large model={model} /></Show>
      <Show when={model.comparing() && model.other()}>{(other) => <Compare model={model} other={other()} />}</Show>
      <Show when={help()}><Help close={() => setHelp(false)} /></Show>
      <div class="only-read" role="status" aria-live="polite">{model.said()}</div>
    </>
  );
}
