// The keys.
import { For } from "solid-js";
import { allBindings } from "../../keymap";
import { Dialog } from "../../parts/Dialog";

const NAMES: Record<string, string> = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

export function Help(props: { close: () => void }) {
  const groups = [...allBindings()];
  return (
    <Dialog title="Keys" close={props.close}>
      <div class="help">
        <For each={groups}>{([group, bindings]) =>
          <section>
            <h3>{group}</h3>
            <dl>
              <For each={bindings}>{(binding) =>
                <div>
                  <dt><For each={binding.keys}>{(key) => <kbd>{NAMES[key] ?? key.replace("+Arrow", "+")}</kbd>}</For></dt>
                  <dd>{binding.does}</dd>
                </div>
              }</For>
            </dl>
          </section>
        }</For>
      </div>
      <p class="quiet">Filter: names of settings, metrics and axes with <code>=</code> <code>!=</code> <code>&lt;</code> <code>&gt;</code> <code>&lt;=</code> <code>&gt;=</code>, or <code>:</code> for “contains”; the words picked, rejected, unmarked, noted, done, failed, missing, draft; any other text is searched for. <code>or</code>, <code>not</code> and brackets combine. Text with spaces stands in quotes: <code>artist: "van Gogh"</code>.</p>
    </Dialog>
  );
}
