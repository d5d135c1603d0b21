// Tests in the system's Chromium, over file:// and on pages that tests/synthetic.mjs makes.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests/browser",
  outputDir: "test-results",
  snapshotPathTemplate: "tests/browser/pictures/{arg}{ext}",
  globalSetup: "./tests/browser/setup.ts",
  fullyParallel: true,
  workers: 2,
  // A browser on a busy machine stalls now and then; a test that passes only the second time is reported as flaky.
  retries: 1,
  timeout: 60_000,
  reporter: [["line"]],
  use: {
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
    viewport: { width: 1280, height: 800 },
  },
  // The smoothing of fonts differs between machines.
  expect: { timeout: 10_000, toHaveScreenshot: { maxDiffPixelRatio: 0.05, threshold: 0.3, animations: "disabled" } },
});
