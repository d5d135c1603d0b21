// What filters and sorting read of a cell: its settings, outcomes, metrics, axis labels, picks and problem.
import type { Column, Pick, RunPage } from "../data";
import type { Cells } from "./cells";
import { isConstant, valueOf } from "./cells";
import { number, type Named, type Subject, type Word } from "./filter";

export interface Subjects {
  /** Names that a filter may compare. */
  names: Named[];
  /** What a cell is, for filters. */
  of(cell: number): Subject;
  /** Sorts cells by a name, in place; cells without a value come last. */
  sort(order: number[], name: string, descending: boolean): number[];
}

/** Names that are no column: the note of a pick, and the cell's own name. */
const NOTE = "note";
const CELL = "cell";

export function subjects(page: RunPage, cells: Cells, pick: (cell: string) => Pick | undefined): Subjects {
  const { grid, pictures } = page;
  const columns = new Map(pictures.columns.map((column) => [column.name, column]));
  const axes = new Map(grid.axes.map((axis, index) => [axis.name, index]));
  const numbers = (name: string) => {
    const column = columns.get(name);
    if (column) return column.type === "number";
    return axes.has(name) && grid.axes[axes.get(name)!].values.every((value) => number(value.label) !== null);
  };
  const known = [...new Set([...axes.keys(), ...columns.keys(), NOTE, CELL])];
  const text = texts(page);

  function values(name: string, cell: number, at: number[]): string[] {
    const picture = grid.picture[cell];
    const found: string[] = [];
    const column = columns.get(name);
    if (column) found.push(valueOf(column, picture));
    const axis = axes.get(name);
    if (axis !== undefined) found.push(grid.axes[axis].values[at[axis]].label);
    if (name === NOTE) found.push(pick(pictures.cell[picture])?.note ?? "");
    if (name === CELL) found.push(pictures.cell[picture]);
    return found;
  }

  function is(word: Word, picture: number): boolean {
    const marked = pick(pictures.cell[picture]);
    switch (word) {
      case "picked":
        return marked?.mark === "pick";
      case "rejected":
        return marked?.mark === "reject";
      case "unmarked":
        return !marked?.mark;
      case "noted":
        return !!marked?.note;
      case "draft":
        return pictures.draft[picture];
      default:
        return pictures.status[picture] === word;
    }
  }

  return {
    names: known.map((name) => ({ name, number: numbers(name) })),
    of(cell) {
      const picture = grid.picture[cell];
      let at: number[] | null = null;
      const coordinates = () => (at ??= cells.coordinates(cell));
      return {
        values: (name) => values(name, cell, coordinates()),
        is: (word) => is(word, picture),
        text: () => {
          const labels = coordinates().map((value, axis) => grid.axes[axis].values[value].label);
          return [text(picture), ...labels, pick(pictures.cell[picture])?.note ?? ""].join("\n").toLowerCase();
        },
      };
    },
    sort(order, name, descending) {
      const keys = new Map(order.map((cell) => [cell, sortKey(values(name, cell, cells.coordinates(cell)), numbers(name))]));
      return order.sort((a, b) => compareKeys(keys.get(a)!, keys.get(b)!, descending) || a - b);
    },
  };
}

type Key = number | string | null;

function sortKey(values: string[], numeric: boolean): Key {
  const value = values.find((one) => one !== "");
  if (value === undefined) return null;
  return numeric ? number(value) : value;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function compareKeys(a: Key, b: Key, descending: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
  return descending ? -order : order;
}

/** All text of a picture in lower case, made once per picture. */
function texts(page: RunPage): (picture: number) => string {
  const { columns, problem } = page.pictures;
  const searched = columns.filter((column) => column.kind !== "metric" && column.type === "text");
  const constant = searched.filter(isConstant).map((column) => valueOf(column, 0)).join("\n");
  const varying = searched.filter((column: Column) => !isConstant(column));
  const made: string[] = [];
  return (picture) =>
    (made[picture] ??= [constant, ...varying.map((column) => valueOf(column, picture)), problem[picture] ?? ""].join("\n"));
}
