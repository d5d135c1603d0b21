import { problems } from "./accessible";
import { expect, test, url } from "./page";

test("bars, the outlier and idle axes", async ({ page }) => {
  await page.goto(url("painters", "view=effects"));
  const rows = page.locator(".shares tbody tr");
  await expect(rows).toHaveCount(5);
  await expect(rows.first()).toContainText("artist41 %");
  await expect(rows.last()).toContainText("everything else12 %");
  await expect(page.locator(".effects-remarks")).toContainText("Edvard Munch stands out along artist");
  await expect(page.locator(".effects-remarks")).toContainText("seed changes nothing");
});

test("the curve shows likeness against strength, its values under the pointer, and leads to the cells", async ({ page }) => {
  await page.goto(url("painters", "view=effects"));
  await expect(page.getByRole("combobox", { name: "Metric" })).toHaveValue("likeness");
  await expect(page.getByRole("combobox", { name: "along" })).toHaveValue("strength");
  await expect(page.getByRole("combobox", { name: "a line per" })).toHaveValue("artist");
  await expect(page.locator(".plot-legend li")).toHaveCount(4);
  const over = page.locator(".u-over");
  const box = (await over.boundingBox())!;
  const hover = page.locator(".plot-hover");
  // Somewhere above the middle strength a line is within reach.
  for (let part = 0; part <= 10 && !/strength 0\.6/.test(await hover.innerText()); part++) {
    await over.hover({ position: { x: box.width / 2, y: (box.height * part) / 10.01 } });
  }
  await expect(hover).toContainText(/, strength 0\.6: likeness 0\.\d+ \(0\.\d+ to 0\.\d+\), 3 pictures/);
  const artist = (await hover.innerText()).split(",")[0];
  await page.mouse.down();
  await page.mouse.up();
  await expect(page.locator(".cell").first()).toBeVisible();
  const filter = () => new URLSearchParams(new URL(page.url()).hash.slice(1)).get("filter");
  await expect.poll(filter).toBe(`strength = 0.6 artist = "${artist}"`);
});

test("the choices are in the URL, and the table has the numbers", async ({ page }) => {
  await page.goto(url("painters", "view=effects"));
  await page.getByRole("combobox", { name: "a line per" }).selectOption("-");
  await page.getByRole("combobox", { name: "band" }).selectOption("quartiles");
  await page.getByRole("combobox", { name: "Metric" }).selectOption("sharpness");
  await expect.poll(() => page.url()).toContain("effects.metric=sharpness");
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Metric" })).toHaveValue("sharpness");
  await expect(page.locator(".curve-about")).toContainText("Lines are medians over artist, seed; bands span the middle half");
  await page.getByRole("button", { name: "Table" }).click();
  await expect(page.locator(".curve-table tbody tr")).toHaveCount(5);
  await page.locator(".curve-table tbody button").first().click();
  await expect.poll(() => page.url()).toContain("filter=strength");
});

test("can be used by everybody, light, dark and small", async ({ page }) => {
  // axe walks the page several times.
  test.slow();
  await page.goto(url("painters", "view=effects"));
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await problems(page, ".effects")).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("the ancestry names parents and their cells", async ({ page }) => {
  await page.goto(url("painters"));
  const ancestry = page.locator(".ancestry");
  await expect(ancestry.getByRole("link", { name: "painters@0" })).toHaveAttribute("href", "../0/index.html");
  await expect(ancestry).toContainText("Alphonse Mucha, 0.6");
  await expect(ancestry).toContainText("sketches@3 (not in the runs folder)");
});
