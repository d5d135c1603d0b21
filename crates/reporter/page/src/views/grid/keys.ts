// The keys of the grid.
import type { Binding } from "../../keymap";
import { openMask } from "../../mask/subject";
import type { Model } from "../../model";
import { toggleMark } from "../../picks/mark";

/** A press of the flicker key shorter than this switches; a longer one is held. */
const HOLD = 300;

export function gridKeys(model: Model): Binding[] {
  return [...walkKeys(model), ...pictureKeys(model), {
    keys: ["Enter"], does: "Show the picture large", group: "Look", run: () => model.open(),
  }, {
    keys: ["/"], does: "Filter", group: "Page", run: () => document.querySelector<HTMLInputElement>("#filter")?.focus(),
  }, {
    keys: ["+", "="], does: "Larger cells", group: "Page", run: () => model.resize(1),
  }, {
    keys: ["-"], does: "Smaller cells", group: "Page", run: () => model.resize(-1),
  }];
}

/** Walking through the cells: in the grid and in the large view. */
export function walkKeys(model: Model): Binding[] {
  const group = "Walk";
  const go = (rows: number, columns: number) => () => {
    if (!model.step(rows, columns)) model.say("No further cell in this direction.");
  };
  const edge = (rows: number, columns: number) => () => model.jump(rows, columns);
  return [
    { keys: ["ArrowLeft"], does: "The picture to the left; from the edge on to the previous values of the other axes", group, run: go(0, -1) },
    { keys: ["ArrowRight"], does: "The picture to the right; from the edge on to the next values of the other axes", group, run: go(0, 1) },
    { keys: ["ArrowUp"], does: "The picture above; from the top on to the previous values of the other axes", group, run: go(-1, 0) },
    { keys: ["ArrowDown"], does: "The picture below; from the bottom on to the next values of the other axes", group, run: go(1, 0) },
    { keys: ["Home"], does: "First of the row", group, run: edge(0, -Infinity) },
    { keys: ["End"], does: "Last of the row", group, run: edge(0, Infinity) },
    { keys: ["Ctrl+Home"], does: "First cell", group, run: edge(-Infinity, -Infinity) },
    { keys: ["Ctrl+End"], does: "Last cell", group, run: edge(Infinity, Infinity) },
    { keys: ["PageUp"], does: "Five rows up", group, run: edge(-5, 0) },
    { keys: ["PageDown"], does: "Five rows down", group, run: edge(5, 0) },
    { keys: ["[", ","], does: "Previous value of the underlined axis above the grid", group, run: () => model.stepAxis(-1) },
    { keys: ["]", "."], does: "Next value of the underlined axis above the grid", group, run: () => model.stepAxis(1) },
    { keys: ["{", "<"], does: "Underline the axis before", group, run: () => model.nextAxis(-1) },
    { keys: ["}", ">"], does: "Underline the axis after", group, run: () => model.nextAxis(1) },
  ];
}

/** What is done with the focused picture: in the grid and in the large view. */
export function pictureKeys(model: Model): Binding[] {
  let since = 0;
  return [
    {
      keys: [" "], does: "Flicker against the reference or the last picture: hold, or press to switch", group: "Look",
      run: () => {
        since = model.flicker() ? 0 : performance.now();
        if (!model.other()) model.say("Nothing to compare with: no reference picture, and no other picture had the focus.");
        else model.setFlicker(!model.flicker());
      },
      release: () => {
        if (since && performance.now() - since > HOLD) model.setFlicker(false);
      },
    },
    { keys: ["c"], does: "Compare with a slider", group: "Look", run: () => model.compare() },
    { keys: ["m"], does: "Mark the picture to compare others with", group: "Look", run: () => model.markForComparison() },
    { keys: ["v"], does: "Compare with the reference, the last or the marked picture", group: "Look", run: () => model.nextAgainst() },
    { keys: ["M"], does: "Make a mask: of the reference picture, or of the picture shown large", group: "Look", run: () => openMask(model, model.view.open ? "cell" : "reference") },
    { keys: ["p"], does: "Pick, or take the pick back", group: "Judge", run: () => toggleMark(model, "pick") },
    { keys: ["x"], does: "Reject, or take it back", group: "Judge", run: () => toggleMark(model, "reject") },
    {
      keys: ["n"], does: "Write a note", group: "Judge",
      run: () => {
        model.showPanel(true);
        queueMicrotask(() => document.querySelector<HTMLTextAreaElement>("#note")?.focus());
      },
      when: () => !model.view.open,
    },
  ];
}
