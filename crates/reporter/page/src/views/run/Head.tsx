// The head of the page: the run and its progress, the views, the picks, theme and help.
import { createMemo, For, Show } from "solid-js";
import type { Model } from "../../model";
import { looked, state } from "../../load";
import { progress } from "../../model/progress";
import { PickBox } from "../../picks/PickBox";
import { theme, toggleTheme } from "../../theme";
import type { ViewEntry } from "..";

export function Head(props: { model: Model; views: ViewEntry[]; help: () => void }) {
  const { model } = props;
  const run = () => model.page().run;
  const now = createMemo(() => progress(run(), model.pictures(), state(), looked(), model.page().trainings));
  return (
    <header class="head">
      <div class="head-title">
        <h1><bdi>{run().title || run().name}</bdi></h1>
        <Show when={run().title}><span class="quiet"><bdi>{run().name}</bdi></span></Show>
        <span class="quiet progress" aria-live="polite">{now().text}</span>
        <Show when={now().running}><progress value={now().done} max={now().total} aria-label="Rendered pictures" /></Show>
      </div>
      <Show when={props.views.length > 1}>
        <nav class="tabs" aria-label="Views">
          <For each={props.views}>{(view) =>
            <button type="button" aria-current={model.view.mode === view.name ? "page" : undefined} onClick={() => model.show({ mode: view.name })}>{view.title}</button>
          }</For>
        </nav>
      </Show>
      <div class="head-tools">
        <PickBox model={model} />
        <button type="button" class="icon" onClick={toggleTheme} title="Light or dark (t)" aria-label="Light or dark">{theme() === "dark" ? "☀" : "☾"}</button>
        <button type="button" class="icon" onClick={props.help} title="Keys (?)" aria-label="Keys">?</button>
      </div>
      <Show when={run().notes.length}>
        <details class="notes">
          <summary>{run().notes.length === 1 ? "1 remark" : `${run().notes.length} remarks`}</summary>
          <ul><For each={run().notes}>{(note) => <li><bdi>{note}</bdi></li>}</For></ul>
        </details>
      </Show>
      <Show when={model.picks.trouble()}><p class="error trouble" role="alert">{model.picks.trouble()}</p></Show>
    </header>
  );
}
