// What differs between two pictures of a run.
import type { Change, RunPage } from "../data";
import { valueOf } from "./cells";

/** The settings and placeholders that differ, in the log's order. */
export function differences(page: RunPage, left: number, right: number): Change[] {
  return page.pictures.columns
    .filter((column) => column.kind === "setting" || column.kind === "placeholder")
    .map((column) => ({ name: column.name, left: valueOf(column, left), right: valueOf(column, right) }))
    .filter((change) => change.left !== change.right);
}
