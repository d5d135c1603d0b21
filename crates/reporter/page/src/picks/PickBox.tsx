// How many pictures are picked, where picks are kept, and the file: export and import.
import { createSignal, Show } from "solid-js";
import type { Model } from "../model";
import { Popup } from "../parts/Popup";
import { download } from "../parts/download";
import { picksToml, readPicks } from "./format";

export function PickBox(props: { model: Model }) {
  const { model } = props;
  const [message, setMessage] = createSignal("");
  let file!: HTMLInputElement;
  const cells = () => new Set(model.pictures().cell);
  const count = (mark: string) => Object.entries(model.picks.all()).filter(([, pick]) => pick.mark === mark).length;
  const strangers = () => Object.keys(model.picks.all()).filter((cell) => !cells().has(cell)).length;

  async function read(): Promise<void> {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    try {
      const picks = Object.entries(readPicks(await chosen.text()));
      for (const [cell, pick] of picks) model.picks.change(cell, { mark: pick.mark ?? null, note: pick.note ?? null });
      const unknown = picks.filter(([cell]) => !cells().has(cell)).length;
      setMessage(`${picks.length} read from ${chosen.name}.${unknown ? ` ${unknown} are of cells that this run does not have; they are kept.` : ""}`);
    } catch (error) {
      setMessage(`${chosen.name} is not read: ${(error as Error).message.split("\n")[0]}`);
    }
  }

  return (
    <Popup title="Picks" label={`★ ${count("pick")}  ⊘ ${count("reject")}`} name={`Picks: ${count("pick")} picked, ${count("reject")} rejected`}>
      <p>{count("pick")} picked, {count("reject")} rejected.</p>
      <p class="quiet">{model.picks.kept()}</p>
      <Show when={strangers()}><p class="quiet">{strangers()} are of cells that this run does not have. They are kept.</p></Show>
      <p class="buttons">
        <button type="button" onClick={() => download("picks.toml", picksToml(model.page().run.name, model.picks.all()))}>Export picks.toml</button>
        <button type="button" onClick={() => file.click()}>Import …</button>
        <input type="file" accept=".toml" hidden ref={file} onChange={() => void read()} aria-label="A picks.toml to import" />
      </p>
      <p role="status">{message()}</p>
    </Popup>
  );
}
