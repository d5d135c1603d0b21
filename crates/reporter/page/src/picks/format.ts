// `picks.toml`, exactly as `maquette review` writes it.
import { parse, stringify } from "smol-toml";
import type { Pick, Picks } from "../data";

const CELL = /^[0-9a-f]{64}$/;

/** The file of a run's picks; cells sorted by name, those without a mark and a note left out. */
export function picksToml(run: string, picks: Picks): string {
  const head = `# Picks of ${run.replace(/\s+/g, " ")}. Written by \`maquette review\` and by the run's page.\n`;
  const cells = Object.entries(picks).filter(([, pick]) => pick.mark || pick.note).sort(([a], [b]) => (a < b ? -1 : 1));
  const tables = cells.map(([cell, { mark, note }]) =>
    stringify({ cells: { [cell]: { ...(mark && { mark }), ...(note && { note }) } } }).trim(),
  );
  return [head, ...tables.map((table) => table + "\n")].join("\n");
}

/** What a `picks.toml` holds. Throws an error with the reason where it is not such a file. */
export function readPicks(text: string): Picks {
  const cells = parse(text).cells ?? {};
  if (typeof cells !== "object" || Array.isArray(cells)) throw new Error("`cells` is not a table");
  const picks: Picks = {};
  for (const [cell, value] of Object.entries(cells as Record<string, unknown>)) {
    if (!CELL.test(cell)) throw new Error(`\`${cell}\` is not the name of a cell: 64 hexadecimal digits`);
    picks[cell] = readPick(cell, value);
  }
  return picks;
}

function readPick(cell: string, value: unknown): Pick {
  const { mark, note } = (value ?? {}) as Record<string, unknown>;
  const short = cell.slice(0, 8);
  if (mark !== undefined && mark !== "pick" && mark !== "reject") throw new Error(`mark of ${short} is neither "pick" nor "reject"`);
  if (note !== undefined && typeof note !== "string") throw new Error(`note of ${short} is not a text`);
  return { ...(mark && { mark }), ...(note && { note }) };
}
