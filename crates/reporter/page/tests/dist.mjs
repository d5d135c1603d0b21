// Checks that dist/ is what the sources build.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

const folder = mkdtempSync(join(tmpdir(), "maquette-dist-"));
await build({ logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
const files = [...new Set([...readdirSync("dist"), ...readdirSync(folder)])].sort();
const read = (where, file) => {
  try {
    return readFileSync(join(where, file), "utf8");
  } catch {
    return null;
  }
};
const other = files.filter((file) => read("dist", file) !== read(folder, file));
rmSync(folder, { recursive: true });
if (other.length) {
  console.error(`dist/ is not what the sources build: ${other.join(", ")}. Build it: npm run build`);
  process.exit(1);
}
console.log(`dist/ is what the sources build: ${files.join(", ")}`);
