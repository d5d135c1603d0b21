// Marks the focused picture.
import type { Pick } from "../data";
import type { Model } from "../model";

/** Sets a mark, or takes it back if it is set. */
export function toggleMark(model: Model, mark: NonNullable<Pick["mark"]>): void {
  if (model.focused() < 0) return;
  const cell = model.pictures().cell[model.focused()];
  const set = model.picks.of(cell)?.mark !== mark;
  model.picks.change(cell, { mark: set ? mark : null });
  model.say(!set ? "mark removed" : mark === "pick" ? "picked" : "rejected");
}
