// Runs of special kinds: hostile text, ten thousand cells, a run that goes on, pages served by `maquette review`.
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { call, HOSTILE } from "../synthetic.mjs";
import { expect, focused, pages, press, test, url, type Page } from "./page";
import { bodyOf, events, json, serve } from "./serve";

const hacked = (page: Page) => page.evaluate(() => (window as unknown as { hacked?: unknown }).hacked);

test("hostile names, prompts and errors stay text", async ({ page, open }) => {
  await open("hostile");
  expect(await page.title()).toBe(HOSTILE[0]);
  await expect(page.locator("h1")).toHaveText(HOSTILE[0]);
  await page.locator(".notes summary").click();
  await expect(page.locator(".notes li").nth(1)).toHaveText(HOSTILE[1]);
  for (const key of "ArrowRight Enter ArrowDown ArrowLeft Escape c Escape ? Escape".split(" ")) await press(page, key);
  await page.getByRole("button", { name: "Show and hide values" }).click();
  await press(page, "Escape");
  await page.locator("#filter").fill('"<script>" or failed');
  await page.getByLabel("Layout").selectOption("list");
  await expect(page.locator(".caption").first()).toContainText("<script>");
  expect(await hacked(page)).toBeUndefined();
  expect(await page.locator("script").count()).toBe(2);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
});

test("ten thousand cells: few in the document, all within reach", async ({ page, open }) => {
  await open("large");
  const count = () => page.locator(".cell").count();
  expect(await count()).toBeLessThan(150);
  await press(page, "Control+End");
  expect(await focused(page)).toBe("artist Artist 100, seed 99");
  await expect(page.locator(".cell.focus")).toBeInViewport();
  expect(await count()).toBeLessThan(150);
  await press(page, "Enter");
  await expect(page.locator(".pswp__counter")).toHaveText("10000 / 10000");
  await press(page, "ArrowLeft Escape");
  expect(await focused(page)).toBe("artist Artist 100, seed 98");
  await page.locator("#filter").fill("likeness > 0.75 artist: 7");
  await page.getByLabel("Layout").selectOption("list");
  await expect(page.locator("#filter-error")).toHaveText(/^\d+ match$/);
});

test("a run that goes on fills in and keeps the view", async ({ page }) => {
  const folder = join(pages(), `running-${test.info().workerIndex}`);
  cpSync(join(pages(), "running"), folder, { recursive: true });
  const { writeData } = await import("../synthetic.mjs");
  await page.goto(url(`running-${test.info().workerIndex}`));
  await expect(page.locator(".progress")).toHaveText("6 of 12 pictures · running");
  await press(page, "ArrowDown");
  await expect(page.locator(".cell.focus")).toContainText("not yet");
  await expect(page.locator("progress")).toBeVisible();
  const text = readFileSync(join(folder, "page/data.js"), "utf8");
  let data: any;
  new Function("maquettePage", text)((json: string) => (data = JSON.parse(json)));
  // As after `kill -9`: the page still says that the run goes on, but nobody writes it any more.
  writeData(folder, data, Date.UTC(2020, 0, 31, 12) / 1000);
  await expect(page.locator(".progress")).toHaveText(/^6 of 12 pictures · no sign of life since 2020-01-31 \d\d:00: was it stopped\?$/, { timeout: 10_000 });
  await expect(page.locator("progress")).toBeHidden();
  data.revision = "2";
  data.run.state = "complete";
  data.pictures.status = data.pictures.status.map(() => "done");
  data.pictures.image = data.pictures.cell.map((cell: string) => `images/${cell.slice(0, 16)}.png`);
  writeData(folder, data);
  await expect(page.locator(".progress")).toHaveText("12 pictures", { timeout: 10_000 });
  await expect(page.locator(".cell.focus img")).toBeVisible();
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.3");
  rmSync(folder, { recursive: true });
});

test("data of another format, and no data, are said", async ({ page }) => {
  const folder = join(pages(), `broken-${test.info().workerIndex}`);
  cpSync(join(pages(), "small"), folder, { recursive: true });
  const { writeFileSync } = await import("node:fs");
  writeFileSync(join(folder, "page/data.js"), call("maquettePage", { format: 99, version: "9.9.9" }));
  await page.goto(url(`broken-${test.info().workerIndex}`));
  await expect(page.getByRole("alert")).toContainText("format 99, written by Maquette 9.9.9");
  writeFileSync(join(folder, "page/data.js"), "");
  await page.reload();
  await expect(page.getByRole("alert")).toContainText("page/data.js is missing or damaged");
  rmSync(folder, { recursive: true });
});

/** The api of picks, and a switch that makes saving fail. */
async function review(folder: string) {
  const cells: Record<string, Record<string, string>> = {};
  const listeners = new Set<(text: string) => void>();
  const state = { failing: false };
  const server = await serve(folder, async (path, request, response) => {
    if (path === "picks") return json(response, { revision: 1, cells });
    if (path === "events") return events(request, response, listeners);
    const change = (await bodyOf(request)) as object;
    if (state.failing) return response.writeHead(500).end("the disk is full");
    const cell = path.slice("picks/".length);
    const entry = Object.entries({ ...cells[cell], ...change }).filter(([, value]) => value !== null);
    cells[cell] = Object.fromEntries(entry) as Record<string, string>;
    json(response, cells[cell]);
  });
  const tell = (event: string, data: unknown) => listeners.forEach((send) => send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  return { ...server, cells, state, tell };
}

test("served: picks are saved, failures are said and tried again, other browsers are seen", async ({ page, context }) => {
  const server = await review(join(pages(), "small"));
  await page.goto(server.url);
  await page.getByRole("button", { name: "Picks: 0 picked, 0 rejected" }).click();
  await expect(page.getByRole("dialog", { name: "Picks" })).toContainText("saved in picks.toml in the run’s folder");
  await press(page, "Escape");
  await page.locator(".sheet").focus();
  await press(page, "p");
  await expect.poll(() => Object.values(server.cells)).toEqual([{ mark: "pick" }]);
  const other = await context.newPage();
  await other.goto(server.url);
  await expect(other.getByRole("button", { name: "Picks: 1 picked, 0 rejected" })).toBeVisible();
  const [cell] = Object.keys(server.cells);
  server.cells[cell] = { mark: "reject" };
  server.tell("picks", { cell, pick: { mark: "reject" } });
  await expect(page.getByRole("button", { name: "Picks: 0 picked, 1 rejected" })).toBeVisible();
  await expect(other.getByRole("button", { name: "Picks: 0 picked, 1 rejected" })).toBeVisible();
  await other.close();
  server.close();
});

test.describe("a server that fails", () => {
  test.use({ quiet: false });
  test("loses nothing", async ({ page }) => {
    const server = await review(join(pages(), "small"));
    await page.goto(server.url);
    await expect(page.locator(".cell").first()).toBeVisible();
    server.state.failing = true;
    await page.waitForTimeout(300);
    await press(page, "x");
    await expect(page.getByRole("alert")).toContainText("A pick is not saved yet: the disk is full");
    await expect(page.getByRole("button", { name: "Picks: 0 picked, 1 rejected" })).toBeVisible();
    await page.reload();
    await expect(page.getByRole("button", { name: "Picks: 0 picked, 1 rejected" })).toBeVisible();
    server.state.failing = false;
    await expect.poll(() => Object.values(server.cells), { timeout: 10_000 }).toEqual([{ mark: "reject" }]);
    await expect(page.getByRole("alert")).toHaveCount(0);
    server.close();
  });
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`accessible by axe's rules, ${colorScheme}`, async ({ page, open }) => {
    await page.emulateMedia({ colorScheme });
    await open("deep", "heat=dssim&rows=artist,sampling");
    const check = async (what: string) => {
      const { violations } = await new AxeBuilder({ page }).options({ preload: false }).analyze();
      expect(violations.map(({ id, nodes }) => `${what}: ${id} ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`)).toEqual([]);
    };
    await check("grid");
    await press(page, "?");
    await check("help");
    await press(page, "Escape c");
    await check("compare");
    await press(page, "Escape Enter");
    await check("large");
  });
}
