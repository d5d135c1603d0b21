// What is shown: a message until there is data, then the page of its kind.
import { Match, Show, Switch } from "solid-js";
import type { DiffPage, RunPage } from "./data";
import { data, problem } from "./load";
import { DiffView } from "./views/diff";
import { RunView } from "./views/run";

export function App() {
  const run = () => (data()?.kind === "run" ? (data() as RunPage) : undefined);
  const diff = () => (data()?.kind === "diff" ? (data() as DiffPage) : undefined);
  return (
    <>
      <Show when={problem()}><p class="message error" role="alert">{problem()}</p></Show>
      <Switch fallback={<Show when={!problem()}><p class="message">Reading the data of the page …</p></Show>}>
        <Match when={run()}><RunView page={run() as RunPage} /></Match>
        <Match when={diff()}><DiffView page={diff() as DiffPage} /></Match>
      </Switch>
    </>
  );
}
