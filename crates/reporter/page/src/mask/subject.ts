// Which pictures of the focused cell a mask can be made of, and how the view is opened.
import type { Model } from "../model";
import { describe, labelsOf } from "../model/cells";

export type Kind = "reference" | "cell";

export interface MaskSubject {
  kind: Kind;
  /** The focused cell, whose picture or reference picture this is. */
  cell: string;
  /** The file, relative to the page. */
  image: string;
  /** Such as `the reference picture`. */
  label: string;
  /** What a mask of it is called unless the reader says otherwise. */
  name: string;
}

/** Where the view keeps which picture it shows. */
export const KIND = "mask.of";

/** The reference picture first, as most masks are for it. A draft is no picture to make a mask of: it is replaced. */
export function subjects(model: Model): MaskSubject[] {
  const picture = model.focused();
  if (picture < 0) return [];
  const { cell, image, draft, reference, references } = model.pictures();
  const found: MaskSubject[] = [];
  const number = reference[picture];
  if (number !== null) {
    const file = references[number].image;
    found.push({ kind: "reference", cell: cell[picture], image: file, label: "the reference picture", name: referenceName(file) });
  }
  const own = image[picture];
  if (own && !draft[picture]) {
    const { grid } = model.page();
    const name = labelsOf(grid, model.view.at).join(" ");
    found.push({ kind: "cell", cell: cell[picture], image: own, label: `the picture of ${describe(grid, model.view.at)}`, name });
  }
  return found;
}

/** Shows the view; without a kind of picture, with the reference picture if there is one. */
export function openMask(model: Model, kind?: Kind): void {
  const possible = subjects(model);
  const chosen = possible.find((subject) => subject.kind === kind) ?? possible[0];
  if (!chosen) return model.say("There is no picture to make a mask of.");
  model.show({ mode: "mask", extra: { ...model.view.extra, [KIND]: chosen.kind } });
  model.close();
}

/** `selfie` for the run's copy `references/selfie-1a2b3c4d.png`. */
export function referenceName(file: string): string {
  const stem = file.split("/").pop()!.replace(/\.[^.]*$/, "");
  try {
    return decodeURIComponent(stem).replace(/-[0-9a-f]{8}$/, "");
  } catch {
    return stem;
  }
}
