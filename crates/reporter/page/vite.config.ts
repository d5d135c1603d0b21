// Builds one classic script and one style sheet: a page opened from disk may not import modules.
import { readFileSync } from "node:fs";
import license, { type Dependency } from "rollup-plugin-license";
import type { Plugin } from "vite";
import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

/** The notices of the packages in the script; `licenses/` has those that a package forgot to ship. */
function notices(): Plugin[] {
  let text = "";
  const notice = ({ name, version, license, licenseText }: Dependency) =>
    `${name} ${version} (${license})\n\n${(licenseText ?? readFileSync(`licenses/${name}.txt`, "utf8")).trim()}\n`;
  const collect = license({ thirdParty: (found) => (text = found.map(notice).sort().join("\n---\n\n")) }) as Plugin;
  return [collect, {
    name: "notices",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: text });
    },
  }];
}

export default defineConfig({
  plugins: [solid(), ...notices()],
  // In a library build, Vite leaves this to whoever bundles the library.
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    modulePreload: false,
    lib: { entry: "src/main.tsx", formats: ["iife"], name: "maquette", fileName: () => "app.js", cssFileName: "app" },
  },
  test: { include: ["tests/*.test.ts"], environment: "node" },
});
