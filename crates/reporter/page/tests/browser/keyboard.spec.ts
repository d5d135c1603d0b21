import { expect, focused, press, test } from "./page";

test("arrow keys walk through the grid and on into the other axes", async ({ page, open }) => {
  await open("small");
  expect(await focused(page)).toBe("artist Alphonse Mucha, strength 0.3, seed 7");
  await press(page, "ArrowRight ArrowRight ArrowDown");
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.9, seed 7");
  await press(page, "ArrowRight");
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.3, seed 8");
  await press(page, "ArrowLeft");
  expect(await focused(page)).toContain("strength 0.9, seed 7");
  await press(page, "ArrowDown");
  expect(await focused(page)).toContain("artist Alphonse Mucha, strength 0.9, seed 8");
  await press(page, "ArrowUp");
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.9, seed 7");
  await press(page, "]");
  expect(await focused(page)).toContain("strength 0.9, seed 8");
  await press(page, "ArrowRight");
  expect(await focused(page)).toContain("strength 0.9, seed 8");
});

test("brackets step the chosen one of several other axes", async ({ page, open }) => {
  await open("deep");
  await press(page, "]");
  expect(await focused(page)).toContain("sampling fast, strength 0.3");
  await press(page, "} ] ]");
  expect(await focused(page)).toContain("sampling fast, strength 0.35");
  await press(page, "} [");
  expect(await focused(page)).toContain("seed 7");
});

test("Enter opens the picture, arrows walk on, Escape and Back close it", async ({ page, open }) => {
  await open("small");
  await press(page, "Enter");
  const caption = page.locator(".pswp__caption");
  await expect(caption).toHaveText("artist Alphonse Mucha, strength 0.3, seed 7");
  await expect(page.locator(".pswp__counter")).toHaveText("1 / 12");
  await press(page, "ArrowRight");
  await expect(caption).toContainText("strength 0.6");
  await press(page, "ArrowDown");
  await expect(caption).toHaveText("artist Edvard Munch, strength 0.6, seed 7");
  await press(page, "ArrowRight");
  await expect(page.locator(".large-absent:visible")).toHaveText("Not rendered yet.");
  await press(page, "p");
  await expect(caption).toContainText("★");
  await press(page, "Escape");
  await expect(page.locator(".pswp")).toHaveCount(0);
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.9, seed 7");
  await press(page, "Enter");
  await expect(page.locator(".pswp")).toHaveCount(1);
  await page.goBack();
  await expect(page.locator(".pswp")).toHaveCount(0);
  await press(page, "ArrowLeft");
  expect(await focused(page)).toContain("strength 0.6");
});

test("zoom by key in the large view", async ({ page, open }) => {
  await open("small");
  await press(page, "Enter");
  const image = page.locator(".pswp__item[aria-hidden=false] .pswp__img").last();
  const width = async () => (await image.boundingBox())!.width;
  await expect(page.locator(".pswp--zoom-allowed")).toHaveCount(1);
  await expect(image).toBeVisible();
  const before = await width();
  // A press while PhotoSwipe still opens has no effect.
  await expect(async () => {
    await press(page, "z");
    await expect.poll(width, { timeout: 1500 }).toBeGreaterThan(before * 1.5);
  }).toPass();
});

test("space flickers against the reference, held or switched, also in the large view", async ({ page, open }) => {
  await open("small", "size=96");
  const image = page.locator('.cell[aria-selected="true"] img');
  await expect(image).toHaveAttribute("src", /thumbnails/);
  await press(page, "Space");
  await expect(image).toHaveAttribute("src", "inputs/reference.png");
  await press(page, "Space");
  await expect(image).toHaveAttribute("src", /thumbnails/);
  await page.keyboard.down("Space");
  await page.waitForTimeout(400);
  await expect(image).toHaveAttribute("src", "inputs/reference.png");
  await page.keyboard.up("Space");
  await expect(image).toHaveAttribute("src", /thumbnails/);
  await press(page, "Enter");
  const large = page.locator(".pswp__item[aria-hidden=false] .pswp__img").last();
  await press(page, "Space");
  await expect(large).toHaveAttribute("src", "inputs/reference.png");
  await expect(page.locator(".pswp__caption")).toHaveText("the reference picture");
  await press(page, "Space");
  await expect(large).toHaveAttribute("src", /images/);
});

test("the slider compares with the last and with the marked picture", async ({ page, open }) => {
  await open("small");
  await press(page, "m ArrowRight ArrowRight c");
  const dialog = page.getByRole("dialog", { name: "Compare" });
  await expect(dialog.getByRole("img", { name: "artist Alphonse Mucha, strength 0.3, seed 7" })).toBeVisible();
  await expect(dialog.getByRole("row", { name: "0.3 strength 0.9" })).toBeVisible();
  const slider = dialog.locator("img-comparison-slider");
  await slider.focus();
  const before = await slider.evaluate((element) => (element as HTMLElement & { value: number }).value);
  await page.keyboard.down("ArrowLeft");
  await page.waitForTimeout(200);
  await page.keyboard.up("ArrowLeft");
  await expect.poll(() => slider.evaluate((element) => (element as HTMLElement & { value: number }).value)).not.toBe(before);
  await press(page, "Escape");
  await expect(dialog).toHaveCount(0);
  await press(page, "v v c");
  await expect(dialog.getByRole("img", { name: /strength 0.6/ })).toBeVisible();
});

test("question mark lists the keys", async ({ page, open }) => {
  await open("small");
  await press(page, "?");
  const dialog = page.getByRole("dialog", { name: "Keys" });
  await expect(dialog).toContainText("Flicker against the reference");
  await press(page, "ArrowRight Escape");
  await expect(dialog).toHaveCount(0);
  expect(await focused(page)).toContain("strength 0.3");
});

test("the view is in the URL and comes back from it, without entries in the history", async ({ page, open }) => {
  await open("small");
  const entries = await page.evaluate(() => history.length);
  await press(page, "ArrowRight ArrowDown +");
  await page.getByLabel("Columns within strength").selectOption("seed");
  await page.locator("#filter").fill("strength > 0.5");
  await expect.poll(() => page.url()).toContain("filter=");
  const now = page.url();
  expect(await page.evaluate(() => history.length)).toBe(entries);
  await page.goto("about:blank");
  await page.goto(now);
  expect(await focused(page)).toContain("artist Edvard Munch, strength 0.6, seed 7");
  await expect(page.locator("#filter")).toHaveValue("strength > 0.5");
  await expect(page.locator(".sheet")).toHaveAttribute("aria-colcount", "7");
});

test("everything is reached without a pointer", async ({ page, open }) => {
  await open("small");
  const names = new Set<string>();
  for (let i = 0; i < 60; i++) {
    await press(page, "Tab");
    names.add(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.closest("label")?.textContent ?? document.activeElement?.textContent ?? ""));
  }
  for (const name of ["Rows", "Columns", "Show and hide values", "Filter", "Keys", "Light or dark", "★ Pick", "TOML", "Note"]) {
    expect([...names].some((one) => one.includes(name)), `${name} of ${[...names].join(" | ")}`).toBe(true);
  }
});
