// The state of the view, and its form in the URL's hash, so that a view can be bookmarked and sent.
import type { Axis, Grid } from "../data";
import { defaultPlacement } from "./layout";

export interface View {
  /** The name of the shown view: `grid` or another of `views/index.ts`. */
  mode: string;
  /** Names of the axes that are rows and columns, outermost first. */
  rows: string[];
  columns: string[];
  /** The focused cell, and with it the shown values of the other axes: a value index per axis. */
  at: number[];
  /** Hidden values per axis, ascending. */
  hidden: number[][];
  /** Cells one after another with captions, instead of the grid. */
  list: boolean;
  /** The longest edge of a cell's picture in CSS pixels. */
  size: number;
  filter: string;
  /** What happens to cells that do not match the filter. */
  unmatched: "dim" | "hide";
  /** A column or axis to sort by; empty for the experiment's order. */
  sort: string;
  descending: boolean;
  /** The column that colours the cells; empty for none. */
  heat: string;
  /** What a picture is compared with. */
  against: "reference" | "last" | "marked";
  /** Whether the focused picture is shown large. */
  open: boolean;
  /** State of other views, by keys that begin with the view's name and a dot: `vote.axis`. */
  extra: Record<string, string>;
}

export const SIZES = { min: 32, max: 768, start: 160 };

export function defaultView(grid: Grid): View {
  return {
    mode: "grid",
    ...defaultPlacement(grid),
    at: grid.axes.map(() => 0),
    hidden: grid.axes.map(() => []),
    list: false,
    size: SIZES.start,
    filter: "",
    unmatched: "dim",
    sort: "",
    descending: false,
    heat: "",
    against: "reference",
    open: false,
    extra: {},
  };
}

/** The hash without `#`; what equals the default is left out. Values of axes are named by their labels. */
export function toHash(view: View, grid: Grid): string {
  const start = defaultView(grid);
  const out = new URLSearchParams();
  const put = (key: string, value: string, usual: string) => value !== usual && out.set(key, value);
  put("view", view.mode, start.mode);
  put("rows", list(view.rows), list(start.rows));
  put("columns", list(view.columns), list(start.columns));
  grid.axes.forEach((axis, index) => {
    if (view.at[index] !== 0) out.set(`at.${axis.name}`, valueName(axis, view.at[index]));
    view.hidden[index].forEach((value) => out.append(`hide.${axis.name}`, valueName(axis, value)));
  });
  put("layout", view.list ? "list" : "grid", "grid");
  put("size", String(view.size), String(start.size));
  put("filter", view.filter, "");
  put("unmatched", view.unmatched, start.unmatched);
  put("sort", (view.descending ? "-" : "") + view.sort, "");
  put("heat", view.heat, "");
  put("against", view.against, start.against);
  put("open", view.open ? "1" : "", "");
  Object.entries(view.extra).forEach(([key, value]) => out.set(key, value));
  return out.toString();
}

/** The view of a hash. What the run does not have (a renamed axis, another run's link) keeps its default. */
export function fromHash(hash: string, grid: Grid): View {
  const view = defaultView(grid);
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const text = (key: string, usual: string) => given.get(key) ?? usual;
  const axes = (key: string, usual: string[]) => {
    const names = given.get(key);
    return names === null ? usual : parseList(names).filter((name) => grid.axes.some((axis) => axis.name === name));
  };
  view.mode = text("view", view.mode);
  view.rows = axes("rows", view.rows);
  view.columns = axes("columns", view.columns).filter((name) => !view.rows.includes(name));
  grid.axes.forEach((axis, index) => {
    const at = valueIndex(axis, given.get(`at.${axis.name}`) ?? "");
    if (at >= 0) view.at[index] = at;
    const hidden = given.getAll(`hide.${axis.name}`).map((name) => valueIndex(axis, name)).filter((value) => value >= 0);
    // At least one value of an axis is always shown.
    if (hidden.length < axis.values.length) view.hidden[index] = [...new Set(hidden)].sort((a, b) => a - b);
  });
  view.list = given.get("layout") === "list";
  const size = Number(given.get("size"));
  if (size >= SIZES.min && size <= SIZES.max) view.size = Math.round(size);
  view.filter = text("filter", "");
  view.unmatched = given.get("unmatched") === "hide" ? "hide" : "dim";
  const sort = text("sort", "");
  view.descending = sort.startsWith("-");
  view.sort = view.descending ? sort.slice(1) : sort;
  view.heat = text("heat", "");
  const against = given.get("against");
  if (against === "last" || against === "marked") view.against = against;
  view.open = given.get("open") === "1";
  for (const [key, value] of given) {
    if (key.includes(".") && !/^(at|hide)\./.test(key)) view.extra[key] = value;
  }
  return view;
}

/** Names in one parameter, separated by commas; a comma in a name is written `\,`. */
function list(names: readonly string[]): string {
  return names.map((name) => name.replace(/[\\,]/g, "\\$&")).join(",");
}

function parseList(text: string): string[] {
  const parts = text.match(/(?:\\.|[^\\,])+/gs) ?? [];
  return parts.map((part) => part.replace(/\\(.)/gs, "$1"));
}

/** A value's label, or `@3` where labels repeat or look like that. */
function valueName(axis: Axis, value: number): string {
  const label = axis.values[value].label;
  const clear = !label.startsWith("@") && label !== "" && axis.values.every((other, i) => i === value || other.label !== label);
  return clear ? label : `@${value}`;
}

function valueIndex(axis: Axis, name: string): number {
  const numbered = /^@(\d+)$/.exec(name);
  if (numbered) return Number(numbered[1]) < axis.values.length ? Number(numbered[1]) : -1;
  return axis.values.findIndex((value) => value.label === name && name !== "");
}
