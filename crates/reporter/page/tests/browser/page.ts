// Opens a page as a reader would, and fails a test for any error in the console and any request that leaves the disk.
import { test as base, expect, type Page } from "@playwright/test";
import { pathToFileURL } from "node:url";

export { expect };
export type { Page };

export const pages = () => process.env.MAQUETTE_PAGES!;
export const url = (run: string, hash = "") => pathToFileURL(`${pages()}/${run}/index.html`).href + (hash && `#${hash}`);

export const test = base.extend<{ quiet: boolean; watched: void; open: (run: string, hash?: string) => Promise<void> }>({
  /** Whether errors in the console fail the test. */
  quiet: [true, { option: true }],
  watched: [async ({ page, quiet }, use) => {
    const wrong: string[] = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(String(error.stack)));
    page.on("dialog", (dialog) => wrong.push(`dialog: ${dialog.message()}`));
    page.on("request", (request) => !/^(file|data|blob):/.test(request.url()) && !request.url().startsWith("http://127.0.0.1") && wrong.push(`request: ${request.url()}`));
    await use();
    if (quiet) expect(wrong).toEqual([]);
  }, { auto: true }],
  open: async ({ page }, use) => {
    await use(async (run, hash) => {
      await page.goto(url(run, hash));
      await expect(page.locator(".cell").first()).toBeVisible();
    });
  },
});

/** The accessible name of the focused cell. */
export async function focused(page: Page): Promise<string> {
  return (await page.locator('[role=gridcell][aria-selected="true"]').getAttribute("aria-label")) ?? "";
}

export async function press(page: Page, keys: string): Promise<void> {
  for (const key of keys.split(" ")) await page.keyboard.press(key);
}
