// One picture: points are put on it, the mask that the model makes of them lies over it, and is saved.
import { createEffect, createMemo, createSignal, on, onCleanup, Show, type ParentProps } from "solid-js";
import { useKeys } from "../../keymap";
import { maskCommand, moved, MOST_POINTS, pathOnDisk, type Point, type Size } from "../../mask/points";
import { about, makeMask, saveMask, type MadeMask } from "../../mask/server";
import { changeDraft, draftOf } from "../../mask/state";
import type { MaskSubject } from "../../mask/subject";
import type { Model } from "../../model";
import { CopyButton } from "../../parts/CopyButton";
import { download } from "../../parts/download";
import { shell } from "../../text/settings";
import { Stage } from "./Stage";

export function Editor(props: ParentProps<{ model: Model; subject: MaskSubject; saved: () => void }>) {
  const { model } = props;
  const draft = () => draftOf(props.subject.image);
  const points = () => draft().points;
  const change = (next: { points?: readonly Point[]; invert?: boolean }) => changeDraft(props.subject.image, next);
  const [size, setSize] = createSignal<Size | null>(null);
  const [cross, setCross] = createSignal<Point | null>(null);
  const [covered, setCovered] = createSignal(true);
  const [trouble, setTrouble] = createSignal("");
  const { made, working, seconds, failed } = createMasks(model, () => ({ subject: props.subject, ...draft() }));

  const put = (point: Point) => {
    const full = points().length >= MOST_POINTS;
    setTrouble(full ? `A mask has at most ${MOST_POINTS} points.` : "");
    if (full) return;
    change({ points: [...points(), point] });
    model.say(`Point ${points().length} at ${point.join(", ")}`);
  };
  const undo = () => {
    if (!points().length) return;
    change({ points: points().slice(0, -1) });
    setTrouble("");
    model.say(points().length ? `Point removed, ${points().length} left` : "Point removed, none left");
  };
  const move = (event: KeyboardEvent) => {
    const now = size();
    if (!now) return model.say("The picture is not loaded yet");
    setCross(moved(cross() ?? [Math.floor(now[0] / 2), Math.floor(now[1] / 2)], event.key, now, event.shiftKey));
    model.say(cross()!.join(", "));
  };
  const invert = () => {
    change({ invert: !draft().invert });
    model.say(draft().invert ? "The thing is kept, everything else is repainted" : "The thing is repainted");
  };
  const group = "Mask";
  useKeys([
    { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], does: "Move the crosshair", group, run: move },
    { keys: ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"], does: "Move the crosshair by one pixel", group, run: move },
    { keys: ["Enter"], does: "Put a point at the crosshair", group, when: () => cross() !== null, run: () => put(cross()!) },
    { keys: ["u", "Backspace"], does: "Remove the last point", group, run: undo },
    { keys: ["i"], does: "Repaint the thing, or keep it", group, run: invert },
    { keys: [" "], does: "Show or hide the mask", group, run: () => setCovered(!covered()) },
  ]);

  const status = () => {
    if (working()) return seconds() < 1 ? "Making the mask …" : `Making the mask … ${seconds()} s. The first one of a picture takes longest.`;
    const mask = made();
    return mask ? about(mask.mask) : "";
  };
  return (
    <div class="mask-editor">
      <Stage
        image={props.subject.image} label={props.subject.label} points={points()} cross={cross()} overlay={covered() ? made()?.url : undefined} stale={working()}
        put={put} sized={setSize} failed={() => setTrouble("The file of this picture cannot be shown.")}
      />
      <div class="mask-tools">
        {props.children}
        <p><bdi>{capital(props.subject.label)}</bdi>: click a thing, or move the crosshair with the arrow keys and press Enter. Several points select one thing that contains all of them.</p>
        <div class="buttons" role="group" aria-label="What is repainted">
          <button type="button" aria-pressed={!draft().invert} onClick={() => draft().invert && invert()} title="White on the thing (i)">Repaint the thing</button>
          <button type="button" aria-pressed={draft().invert} onClick={() => draft().invert || invert()} title="Black on the thing (i)">Keep the thing</button>
        </div>
        <div class="buttons" role="group" aria-label="Points">
          <span class="mask-count">{points().length === 1 ? "1 point" : `${points().length} points`}</span>
          <button type="button" disabled={!points().length} onClick={undo} title="Remove the last point (u)">Undo</button>
          <button type="button" disabled={!points().length} onClick={() => (change({ points: [] }), setTrouble(""), model.say("All points removed"))}>Clear</button>
          <Show when={made()}><button type="button" aria-pressed={covered()} onClick={() => setCovered(!covered())} title="Show or hide the mask (Space)">Show mask</button></Show>
        </div>
        <Show when={trouble() || failed()}><p class="problem" role="alert">{trouble() || failed()}</p></Show>
        <p class="mask-status" role="status">{status()}</p>
        <Show when={working()}><progress aria-label="Making the mask" /></Show>
        <Show when={made()?.mask}>
          {(mask) => (
            <>
              <p class="mask-legend quiet"><span class="mask-sample" aria-hidden="true" /> is repainted: white in the mask. The rest is kept.</p>
              <Save model={model} subject={props.subject} mask={mask()} stale={working()} points={points()} invert={draft().invert} saved={props.saved} />
            </>
          )}
        </Show>
        <Show when={!model.picks.served()}><FromDisk model={model} subject={props.subject} points={points()} invert={draft().invert} /></Show>
      </div>
    </div>
  );
}

/** Asks the server for a mask whenever the points change; an answer that is no longer wanted is given up. */
function createMasks(model: Model, wanted: () => { subject: MaskSubject; points: readonly Point[]; invert: boolean }) {
  const [made, setMade] = createSignal<{ mask: MadeMask; url: string } | null>(null);
  const [failed, setFailed] = createSignal("");
  const [since, setSince] = createSignal<number | null>(null);
  const [seconds, setSeconds] = createSignal(0);
  const show = (mask: MadeMask | null) => {
    const before = made();
    setMade(mask && { mask, url: URL.createObjectURL(mask.png) });
    if (before) URL.revokeObjectURL(before.url);
  };
  const key = createMemo(() => JSON.stringify([wanted().points, wanted().invert]));
  createEffect(on([key, model.picks.served], ([, served]) => {
    const { subject, points, invert } = wanted();
    setFailed("");
    if (!served || !points.length) return show(null);
    const stop = new AbortController();
    const unless = <T,>(act: (value: T) => void) => (value: T) => {
      if (stop.signal.aborted) return;
      setSince(null);
      act(value);
    };
    setSince(performance.now());
    setSeconds(0);
    makeMask({ subject, points, invert }, stop.signal).then(
      unless((mask: MadeMask) => (show(mask), model.say(about(mask)))),
      unless((error: Error) => (show(null), setFailed(`There is no mask: ${error.message}`))),
    );
    onCleanup(() => (stop.abort(), setSince(null)));
  }));
  const timer = setInterval(() => setSeconds(since() === null ? 0 : Math.floor((performance.now() - since()!) / 1000)), 500);
  onCleanup(() => (clearInterval(timer), show(null)));
  return { made, failed, seconds, working: () => since() !== null };
}

/** `stale`: the mask is not yet that of the points. */
function Save(props: { model: Model; subject: MaskSubject; mask: MadeMask; stale: boolean; points: readonly Point[]; invert: boolean; saved: () => void }) {
  const [name, setName] = createSignal(props.subject.name);
  const [saving, setSaving] = createSignal(false);
  const [message, setMessage] = createSignal("");
  const [failed, setFailed] = createSignal("");
  // What is said holds for the mask that was saved.
  createEffect(on(() => props.mask, () => (setMessage(""), setFailed(""))));
  const save = async () => {
    setSaving(true);
    try {
      const { file } = await saveMask({ subject: props.subject, points: props.points, invert: props.invert }, name());
      setFailed("");
      setMessage(`Saved in the run’s folder as ${file}.`);
      props.saved();
    } catch (error) {
      setFailed(`The mask is not saved: ${(error as Error).message}`);
    } finally {
      setSaving(false);
    }
  };
  return (
    <form class="mask-save" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      <label>Name <input type="text" value={name()} maxlength="200" onInput={(event) => setName(event.currentTarget.value)} /></label>
      <div class="buttons">
        <button type="submit" disabled={saving() || props.stale} title="Save it in the run’s folder, for other experiments">Save</button>
        <button type="button" disabled={props.stale} onClick={() => download("mask.png", props.mask.png)}>Download</button>
      </div>
      <p role="status">{message()}</p>
      <Show when={failed()}><p class="problem" role="alert">{failed()}</p></Show>
    </form>
  );
}

/** Where no server makes masks: how else they are made. */
function FromDisk(props: { model: Model; subject: MaskSubject; points: readonly Point[]; invert: boolean }) {
  const review = () => `maquette review ${shell(props.model.page().run.name)}`;
  const command = () => maskCommand(pathOnDisk(location.href, props.subject.image), props.points, props.invert);
  return (
    <div class="mask-disk">
      <p>No model runs on a page that was opened from disk. This command serves the page, with masks on the picture:</p>
      <pre><code>{review()}</code></pre>
      <CopyButton label="Copy command" text={review} say={props.model.say} />
      <p>This one makes the mask of these points:</p>
      <pre><code>{command()}</code></pre>
      <CopyButton label="Copy mask command" text={command} say={props.model.say} />
    </div>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
