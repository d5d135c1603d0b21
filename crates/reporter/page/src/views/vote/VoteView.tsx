// Blind voting: two pictures without labels, the reader's choice, and on demand the ranking that follows from all votes.
import { createEffect, createMemo, createSignal, For, on, Show } from "solid-js";
import type { RunPage, Vote } from "../../data";
import { useKeys } from "../../keymap";
import { places } from "../../ranking/places";
import { download } from "../../parts/download";
import { nextPair, usablePictures, votableAxes, type Candidates } from "../../vote/pairs";
import { RankingPanel } from "./RankingPanel";
import { votesCsv, type VoteStore } from "../../vote/store";

export interface VoteViewProps {
  page: RunPage;
  store: VoteStore;
  /** The name of the axis whose values are ranked; of another name: the first axis that can be voted on, seeds last. */
  axis: string;
  setAxis(name: string): void;
  /** Decides what the votes leave to chance. */
  session: number;
  /** Changes when the votes of the server changed, so that they are read again. */
  changed?: () => unknown;
}

type Choice = Vote["choice"];

const BUTTONS: { choice: Choice; label: string; keys: string[]; hint: string }[] = [
  { choice: "left", label: "Left", keys: ["ArrowLeft"], hint: "←" },
  { choice: "tie", label: "Tie", keys: ["ArrowDown", "="], hint: "↓" },
  { choice: "bad", label: "Both bad", keys: ["b"], hint: "b" },
  { choice: "right", label: "Right", keys: ["ArrowRight"], hint: "→" },
];

export function VoteView(props: VoteViewProps) {
  const [broken, setBroken] = createSignal<ReadonlySet<number>>(new Set());
  const [trouble, setTrouble] = createSignal("");
  const [revealed, setRevealed] = createSignal(false);
  const [ranked, setRanked] = createSignal(false);
  const [saving, setSaving] = createSignal(false);
  /** Null until they are read. */
  const [read, setRead] = createSignal<Vote[] | null>(null);
  const votes = () => read() ?? [];
  createEffect(() => {
    props.changed?.();
    const { store } = props;
    // A store that is no longer the page's has nothing to say.
    void store.list().then((list) => store === props.store && setRead(list), fail);
  });

  const candidates = createMemo((): Candidates => {
    const usable = usablePictures(props.page.pictures);
    return {
      sizes: props.page.grid.axes.map(({ values }) => values.length),
      places: places(props.page.grid, props.page.pictures.count),
      cells: props.page.pictures.cell,
      usable: usable.map((yes, picture) => yes && !broken().has(picture)),
    };
  });
  const seeds = createMemo(() => props.page.grid.axes.flatMap(({ name }, at) => (name === "seed" ? [at] : [])));
  const votable = createMemo(() => {
    const can = votableAxes(candidates());
    return props.page.grid.axes.map((axis, at) => ({ axis, at })).filter(({ at }) => can[at]);
  });
  const axis = createMemo(() => {
    const chosen = votable().find(({ axis }) => axis.name === props.axis);
    return (chosen ?? votable().find(({ at }) => !seeds().includes(at)) ?? votable()[0])?.at ?? -1;
  });
  const pair = createMemo(() =>
    axis() < 0 || !read() ? null : nextPair(candidates(), axis(), votes(), props.session, seeds()),
  );
  createEffect(on(pair, () => setRevealed(false)));

  function fail(error: unknown): void {
    setTrouble(`The votes cannot be read or saved: ${(error as Error).message}`);
  }

  async function change(act: () => Promise<Vote[]>) {
    if (saving()) return;
    setSaving(true);
    try {
      setRead(await act());
      setTrouble("");
    } catch (error) {
      fail(error);
    } finally {
      setSaving(false);
    }
  }
  const vote = (choice: Choice) => {
    const shown = pair();
    if (!shown) return;
    const { cell } = props.page.pictures;
    void change(() => props.store.add({ left: cell[shown.left], right: cell[shown.right], choice }));
  };
  const undo = () => void change(() => props.store.undo());

  useKeys([
    ...BUTTONS.map(({ choice, label, keys }) => ({
      keys,
      does: choice === "left" || choice === "right" ? `The ${choice} picture is better` : label,
      group: "Vote",
      when: () => pair() !== null,
      run: () => vote(choice),
    })),
    { keys: ["u"], does: "Undo the last vote", group: "Vote", run: undo },
    { keys: ["l"], does: "Show or hide the labels of the two pictures", group: "Vote", run: () => setRevealed(!revealed()) },
    { keys: ["r"], does: "Show or hide the ranking", group: "Vote", run: () => setRanked(!ranked()) },
  ]);

  return (
    <section class="vote" aria-label="Blind vote">
      <div class="vote-bar">
        <label>
          Vote on
          <select value={props.page.grid.axes[axis()]?.name} onChange={(event) => props.setAxis(event.currentTarget.value)}>
            <For each={votable()}>{({ axis }) => <option value={axis.name}>{axis.name}</option>}</For>
          </select>
        </label>
        <span class="vote-count" role="status">
          {votes().length === 1 ? "1 vote" : `${votes().length} votes`}
        </span>
        <button type="button" onClick={undo} disabled={!votes().length} title="Undo the last vote (u)">Undo</button>
        <button type="button" aria-pressed={revealed()} onClick={() => setRevealed(!revealed())} title="Show what the two pictures are (l)">
          Labels
        </button>
        <button type="button" aria-pressed={ranked()} onClick={() => setRanked(!ranked())} title="Show the ranking (r)">Ranking</button>
        <Show when={props.store.needsExport}>
          <button
            type="button"
            onClick={() => download("votes.csv", votesCsv(votes()), "text/csv")}
            disabled={!votes().length}
            title="Votes are kept in this browser. Save votes.csv into the run’s folder to keep them with the run."
          >
            Export votes.csv
          </button>
        </Show>
      </div>
      <Show when={trouble()}>
        <p class="vote-trouble" role="alert">{trouble()}</p>
      </Show>
      <Show when={broken().size > 0}>
        <p class="vote-note">
          {broken().size === 1 ? "1 picture cannot be loaded and is" : `${broken().size} pictures cannot be loaded and are`} left out.
        </p>
      </Show>
      <Show when={pair()} fallback={<p class="vote-end">{ending()}</p>}>
        {(shown) => (
          <>
            <div class="vote-pictures">
              <Picture side="left" picture={shown().left} />
              <Picture side="right" picture={shown().right} />
            </div>
            <div class="vote-choices" role="group" aria-label="Which picture is better?">
              <For each={BUTTONS}>
                {({ choice, label, hint }) => (
                  <button type="button" onClick={() => vote(choice)}>
                    {label} <kbd aria-hidden="true">{hint}</kbd>
                  </button>
                )}
              </For>
            </div>
          </>
        )}
      </Show>
      <Show when={ranked()}>
        <RankingPanel page={props.page} places={candidates().places} votes={votes()} axis={axis()} />
      </Show>
    </section>
  );

  function Picture(own: { side: "left" | "right"; picture: number }) {
    const pictures = () => props.page.pictures;
    return (
      <figure class="vote-picture">
        <button type="button" onClick={() => vote(own.side)} aria-label={`The ${own.side} picture is better`}>
          <img
            src={pictures().image[own.picture]!}
            alt=""
            width={pictures().size[own.picture][0]}
            height={pictures().size[own.picture][1]}
            draggable={false}
            onError={() => setBroken(new Set([...broken(), own.picture]))}
          />
        </button>
        <Show when={revealed()}>
          <figcaption>{describe(own.picture)}</figcaption>
        </Show>
      </figure>
    );
  }

  function describe(picture: number): string {
    const place = candidates().places[picture];
    return props.page.grid.axes.map(({ name, values }, at) => `${name} ${values[place[at][0]].label}`).join(", ");
  }

  function ending(): string {
    if (!read()) return trouble() ? "" : "Reading the votes …";
    if (axis() >= 0) return "Every pair of pictures has been voted on.";
    const drafts = props.page.pictures.draft.some(Boolean) ? " Drafts are not voted on." : "";
    return `There are no two finished pictures that differ along an axis.${drafts}`;
  }
}
