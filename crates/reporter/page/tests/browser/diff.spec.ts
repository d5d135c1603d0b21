import { problems } from "./accessible";
import sharp from "sharp";
import { expect, press, test, url, type Page } from "./page";

const cards = (page: Page) => page.locator(".pair-open");
const viewer = (page: Page) => page.locator("dialog.pair-viewer");

async function openDiff(page: Page, name = "comparison", hash = ""): Promise<void> {
  await page.goto(url(name, hash));
  await expect(cards(page).first()).toBeVisible();
}

test("unexplained pairs come first, then the greatest difference", async ({ page }) => {
  await openDiff(page);
  await expect(page.locator(".pairs h2").first()).toHaveText("Same settings, different pixels 1");
  await expect(cards(page).first()).toHaveAttribute("data-pair", "2");
  const labels = await cards(page).evaluateAll((all) => all.slice(1, 4).map((one) => Number(/difference (\d+)/.exec(one.getAttribute("aria-label")!)![1])));
  expect(labels).toEqual([...labels].sort((a, b) => b - a));
  await press(page, "s");
  await expect(page.locator(".pairs h2").nth(1)).toHaveText("Pairs 59");
  await expect(cards(page).nth(1)).toHaveAttribute("data-pair", "0");
});

test("the words of changed settings are marked", async ({ page }) => {
  await openDiff(page, "comparison", "pair=1");
  await expect(page.locator("main .diff-changes").first().locator("del")).toHaveText(["ddim", ", low quality", "0.5"]);
  await expect(viewer(page).locator("ins")).toHaveText(["tempera", "wood, at night", "0.75"]);
  await expect(viewer(page).locator("del")).toHaveText(["oil", "canvas", "0.6"]);
});

test("the keyboard walks through pairs, opens one, flickers and walks on", async ({ page }) => {
  await openDiff(page);
  await cards(page).first().focus();
  await press(page, "ArrowRight ArrowRight ArrowLeft ArrowDown");
  const chosen = await page.evaluate(() => document.activeElement!.getAttribute("data-pair"));
  expect(Number(chosen)).toBeGreaterThanOrEqual(0);
  await press(page, "Enter");
  await expect(viewer(page)).toBeVisible();
  await press(page, "Space");
  await expect(viewer(page).locator(".pair-side b")).toHaveText("Left");
  await press(page, "Space");
  await expect(viewer(page).locator(".pair-side b")).toHaveText("Right");
  await expect(viewer(page).locator(".pair-flicker img:visible")).toHaveAttribute("src", /right-/);
  const title = await viewer(page).getAttribute("aria-label");
  await press(page, "ArrowRight");
  await expect(viewer(page)).not.toHaveAttribute("aria-label", title!);
  await press(page, "Escape");
  await expect(viewer(page)).toHaveCount(0);
});

test("every pair can be reached with the arrow keys", async ({ page }) => {
  await openDiff(page);
  await cards(page).first().focus();
  const seen = new Set<string>();
  for (let step = 0; step < 60; step++) {
    seen.add((await page.evaluate(() => document.activeElement!.getAttribute("data-pair"))) ?? "lost");
    await press(page, "ArrowRight");
    await page.waitForTimeout(40);
  }
  expect(seen.size).toBe(60);
  await press(page, "Home");
  await expect(page.locator('[data-pair="2"]')).toBeFocused();
  await press(page, "End");
  await expect(page.locator('[data-pair="59"]')).toBeFocused();
});

test("space on a card flickers at once", async ({ page }) => {
  await openDiff(page);
  await cards(page).first().focus();
  await press(page, "Space");
  await expect(viewer(page).locator(".pair-side b")).toHaveText("Left");
  await expect.poll(() => page.url()).toContain("compare=flicker");
});

test("the pointer changes the mode; the slider moves", async ({ page }) => {
  await openDiff(page);
  await cards(page).nth(1).click();
  await viewer(page).getByRole("button", { name: "Slider" }).click();
  const slider = viewer(page).locator("img-comparison-slider");
  const box = (await slider.boundingBox())!;
  const part = () => look(page, ".pair-stage");
  const before = await part();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  expect(await part()).not.toBe(before);
  await viewer(page).getByRole("button", { name: "Next pair" }).click();
  await expect(viewer(page)).toContainText("3 of 60");
});

test("the heat map is black where nothing differs and bright where something does", async ({ page }) => {
  await openDiff(page, "comparison", "pair=1&compare=heat&gain=1");
  const faint = await brightness(page);
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  await expect.poll(() => brightness(page)).toBeGreaterThan(faint + 3);
  // Pair 2 is identical.
  await page.goto("about:blank");
  await openDiff(page, "comparison", "pair=2&compare=heat&gain=32");
  expect(await brightness(page)).toBeLessThan(6);
});

test("pairs that cannot be laid over each other are side by side, and say why", async ({ page }) => {
  await openDiff(page, "comparison", "pair=4&compare=heat");
  await expect(viewer(page)).toContainText("Pictures of different sizes have no heat map. They are side by side.");
  await page.goto("about:blank");
  await openDiff(page, "comparison", "pair=5&compare=slider");
  await expect(viewer(page)).toContainText("A picture is missing. They are side by side.");
  await expect(viewer(page).locator(".pair-missing")).toHaveText("out of memory: the device has 6.0 GiB");
});

test("the view is in the URL; Back closes a pair", async ({ page }) => {
  await openDiff(page);
  await page.getByRole("combobox", { name: "Show" }).selectOption("identical");
  await page.getByRole("combobox", { name: "Sort" }).selectOption("order");
  await expect.poll(() => page.url()).toContain("#sort=order&show=identical");
  await cards(page).first().click();
  await press(page, "4");
  await expect.poll(() => page.url()).toContain("pair=2&compare=heat");
  await page.reload();
  await expect(viewer(page).locator(".heat")).toBeVisible();
  await page.goBack();
  await expect(viewer(page)).toHaveCount(0);
  await expect(page.getByRole("combobox", { name: "Show" })).toHaveValue("identical");
});

test("hostile names and prompts stay text", async ({ page }) => {
  await openDiff(page, "hostile-comparison");
  for (let pair = 1; pair <= 12; pair++) {
    await page.goto(url("hostile-comparison", `pair=${pair}`));
    await expect(viewer(page)).toBeVisible();
  }
  expect(await page.evaluate(() => (window as { hacked?: unknown }).hacked)).toBeUndefined();
});

test("10,000 pairs are few elements", async ({ page }) => {
  await openDiff(page, "large-comparison");
  expect(await page.locator(".pair").count()).toBeLessThan(60);
  await page.locator("main").evaluate((main) => main.scrollTo(0, 400_000));
  await expect(page.locator(".pair").first()).toBeVisible();
  expect(await page.locator(".pair").count()).toBeLessThan(60);
});

test("can be used by everybody, light, dark and small", async ({ page }) => {
  // axe walks the page several times.
  test.slow();
  await openDiff(page);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await problems(page, "body")).toEqual([]);
  }
  await cards(page).first().click();
  for (const mode of ["1", "2", "3", "4"]) {
    await press(page, mode);
    expect(await problems(page, "dialog")).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

/** The mean brightness of the heat map, 0 to 255. */
async function brightness(page: Page): Promise<number> {
  await page.locator(".heat-pictures img").evaluateAll((images) => Promise.all(images.map((image) => (image as HTMLImageElement).decode())));
  const { channels } = await sharp(await page.locator(".heat-pictures").screenshot()).stats();
  return (channels[0].mean + channels[1].mean + channels[2].mean) / 3;
}

/** A number that changes with what an element looks like. */
async function look(page: Page, selector: string): Promise<number> {
  return (await sharp(await page.locator(selector).screenshot()).stats()).channels[0].mean;
}
