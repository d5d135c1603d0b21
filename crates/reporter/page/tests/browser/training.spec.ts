import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { problems } from "./accessible";
import { expect, pages, press, test, url } from "./page";
import { trained, training } from "../compared.mjs";
import { HOSTILE, writeData } from "../synthetic.mjs";

test("what is trained, and how far it is", async ({ page }) => {
  await page.goto(url("trained"));
  await expect(page.locator(".progress")).toHaveText("0 of 12 pictures · training cat: 25 of 60 steps · running");
  await page.getByRole("button", { name: "Training" }).click();
  await expect.poll(() => page.url()).toContain("view=training");
  const sections = page.locator(".training");
  await expect(sections).toHaveCount(3);
  await expect(sections.nth(0)).toContainText("me on sketchbook");
  for (const fact of ["methodlora", "steps60 of 60", "pictures5", "rank16", "learning rate0.001", "class pictures40"]) {
    await expect(sections.nth(0).locator(".training-facts")).toContainText(fact);
  }
  await expect(sections.nth(0).locator("progress")).toHaveCount(0);
  await expect(sections.nth(1)).toContainText("About 53 s left.");
  await expect(sections.nth(1).getByRole("progressbar", { name: "Steps of cat" })).toHaveAttribute("value", "25");
  await expect(sections.nth(2)).toContainText("No step is done yet.");
});

test("names of subjects and models stay text", async ({ page }) => {
  await page.goto(url("trained", "view=training"));
  await expect(page.locator(".training h2").nth(2)).toHaveText(`${HOSTILE[0]} on ${HOSTILE[6]}`);
  expect(await page.evaluate(() => (window as unknown as { hacked?: unknown }).hacked)).toBeUndefined();
});

test("the losses are read by pointer and keyboard", async ({ page }) => {
  await page.goto(url("trained", "view=training"));
  const first = page.locator(".training").first();
  const said = first.locator(".plot-hover");
  await expect(said).toHaveText(/^Step 60: loss 0\.\d+, mean 0\.\d+, learning rate 0$/);
  const over = first.locator(".u-over");
  const box = (await over.boundingBox())!;
  await over.hover({ position: { x: (box.width * 29) / 59, y: box.height / 2 } });
  await expect(said).toHaveText(/^Step 30: .*learning rate 0\.0005$/);
  await page.mouse.move(0, 0);
  await expect(said).toHaveText(/^Step 60:/);
  const slider = first.getByRole("slider", { name: "Step" });
  await slider.focus();
  await press(page, "ArrowLeft ArrowLeft");
  await expect(said).toHaveText(/^Step 58:/);
  await expect(slider).toHaveAttribute("aria-valuetext", (await said.innerText()).trim());
  await press(page, "Home");
  await expect(said).toHaveText(/^Step 1:/);
});

test("the scale is in the URL", async ({ page }) => {
  await page.goto(url("trained", "view=training"));
  const button = page.getByRole("button", { name: "Log scale" }).first();
  await expect(button).toHaveAttribute("aria-pressed", "false");
  await button.click();
  await expect.poll(() => page.url()).toContain("training.scale=log");
  await page.reload();
  await expect(page.getByRole("button", { name: "Log scale" }).nth(1)).toHaveAttribute("aria-pressed", "true");
});

test("samples over the steps, one of them large", async ({ page }) => {
  await page.goto(url("trained", "view=training"));
  const first = page.locator(".training").first();
  await expect(first.locator("thead th")).toHaveText(["after steps", "10", "20", "30", "40", "50", "60"]);
  await expect(first.locator("tbody tr")).toHaveCount(2);
  const sample = first.getByRole("button", { name: "sample 1 after 20 steps" });
  expect(await sample.locator("img").evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth))).toBe(96);
  await sample.focus();
  await press(page, "Enter");
  const large = (name: string) => page.getByRole("dialog", { name: `me, ${name}` });
  await expect(large("sample 1 after 20 steps")).toBeVisible();
  await press(page, "ArrowRight");
  await expect(large("sample 1 after 30 steps").locator("img")).toHaveAttribute("src", "images/left-3.png");
  await press(page, "ArrowDown");
  await expect(large("sample 2 after 30 steps")).toBeVisible();
  await expect(page.getByRole("button", { name: "Next sample" })).toBeDisabled();
  await page.getByRole("button", { name: "Fewer steps" }).click();
  await expect(large("sample 2 after 20 steps").getByRole("link", { name: "Open the file" })).toHaveAttribute("href", "images/left-3.png");
  await press(page, "Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(sample).toBeFocused();
});

test("an open page follows a training, and the focus stays", async ({ page }) => {
  const name = `trained-${test.info().workerIndex}`;
  const folder = join(pages(), name);
  cpSync(join(pages(), "trained"), folder, { recursive: true });
  await page.goto(url(name, "view=training"));
  const second = page.locator(".training").nth(1);
  await expect(second.locator(".plot-hover")).toHaveText(/^Step 25:/);
  await expect(second.locator("thead th")).toHaveCount(3);
  await second.getByRole("button", { name: "sample 1 after 10 steps" }).focus();
  const data = trained();
  data.trainings[1] = { ...training(31), subject: "cat" };
  writeData(folder, { ...data, revision: "trained 2" });
  await expect(second.locator(".plot-hover")).toHaveText(/^Step 31:/, { timeout: 10_000 });
  await expect(second.locator("thead th")).toHaveCount(4);
  await expect(second.getByRole("button", { name: "sample 1 after 10 steps" })).toBeFocused();
  // Stopped: the run is not running any more.
  writeData(folder, { ...data, revision: "trained 3", run: { ...data.run, state: "incomplete" } });
  await expect(second).toContainText("Interrupted: the next run of the experiment goes on with it.", { timeout: 10_000 });
  rmSync(folder, { recursive: true });
});

test("runs without trainings have no such view", async ({ page, open }) => {
  await open("small", "view=training");
  await expect(page.getByRole("button", { name: "Training" })).toHaveCount(0);
});

test("can be used by everybody, light, dark and small", async ({ page }) => {
  // axe walks the page several times.
  test.slow();
  await page.goto(url("trained", "view=training"));
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await problems(page, ".training-view")).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  const view = page.locator(".training-view");
  expect(await view.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  await page.getByRole("button", { name: "sample 2 after 60 steps" }).click();
  expect(await problems(page, ".large-sample")).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});
