// Builds one classic script and one style sheet: a page opened from disk may not import modules.
import { defineConfig } from "vitest/config";
import solid from "vite-plugin-solid";
import license from "rollup-plugin-license";

export default defineConfig({
  plugins: [
    solid(),
    license({ thirdParty: { includePrivate: false, output: { file: "dist/licenses.txt" } } }),
  ],
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
