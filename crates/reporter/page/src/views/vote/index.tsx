// The blind vote of a run: its votes in this browser or on the server, the voted axis in the URL.
import { createMemo, createSignal } from "solid-js";
import { api } from "../../api";
import { storageKey, type Model } from "../../model";
import { browserVotes, serverVotes } from "../../vote/store";
import { VoteView } from "./VoteView";

export function Vote(props: { model: Model }) {
  const { model } = props;
  const [trouble, setTrouble] = createSignal("");
  const [changed, setChanged] = createSignal(0);
  model.onEvent("votes", () => setChanged(changed() + 1));
  const key = `maquette votes ${storageKey(model.page())}`;
  const store = createMemo(() =>
    model.picks.served() ? serverVotes(api, setTrouble) : browserVotes(model.page().votes, key, () => localStorage, setTrouble),
  );
  return (
    <>
      {trouble() && <p class="error trouble" role="alert">{trouble()}</p>}
      <VoteView
        page={model.page()} store={store()} session={session()} changed={changed}
        axis={model.view.extra["vote.axis"] ?? ""}
        setAxis={(axis) => model.show({ extra: { ...model.view.extra, "vote.axis": axis } })}
      />
    </>
  );
}

/** A number of this browser, so that two people who vote on one run do not see the same pairs. */
function session(): number {
  const name = "maquette vote session";
  try {
    const kept = Number(localStorage.getItem(name));
    if (kept > 0) return kept;
    const made = crypto.getRandomValues(new Uint32Array(1))[0] | 1;
    localStorage.setItem(name, String(made >>> 0));
    return made >>> 0;
  } catch {
    return 1;
  }
}
