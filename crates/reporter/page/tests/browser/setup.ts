// Makes the pages once for all tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeViews } from "../compared.mjs";
import { write } from "../synthetic.mjs";

export default async function setup() {
  const folder = mkdtempSync(join(tmpdir(), "maquette-page-"));
  process.env.MAQUETTE_PAGES = folder;
  for (const kind of ["small", "large", "deep", "hostile", "running"]) await write(join(folder, kind), kind);
  await makeViews(folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
