import { readFileSync } from "node:fs";
import { expect, focused, press, test } from "./page";

test("a click moves the focus, another one opens; the buttons of the panel work", async ({ page, open }) => {
  await open("small");
  const cell = page.getByRole("gridcell", { name: "artist Edvard Munch, strength 0.6, seed 7" });
  await cell.click();
  expect(await focused(page)).toContain("Munch, strength 0.6");
  await page.getByRole("button", { name: "★ Pick" }).click();
  await expect(cell).toHaveAttribute("aria-label", /picked/);
  await page.getByRole("button", { name: "Slider" }).click();
  await expect(page.getByRole("dialog", { name: "Compare" })).toBeVisible();
  await page.getByRole("button", { name: "Close" }).click();
  await cell.click();
  await expect(page.locator(".pswp__caption")).toContainText("strength 0.6");
  await page.locator(".pswp__button--arrow--next").click();
  await expect(page.locator(".pswp__caption")).toContainText("strength 0.9");
  await page.locator(".pswp__button--close").click();
  await expect(page.locator(".pswp")).toHaveCount(0);
});

test("axes change places, values are hidden and shown", async ({ page, open }) => {
  await open("small");
  await page.getByLabel("Rows", { exact: true }).last().selectOption("strength");
  await expect(page.locator(".column-head").first()).toHaveAttribute("aria-label", "artist Alphonse Mucha");
  await page.getByLabel("Rows within strength").selectOption("seed");
  await expect(page.locator(".sheet")).toHaveAttribute("aria-rowcount", "7");
  await expect(page.locator(".others")).toHaveCount(0);
  await page.getByRole("button", { name: "Show and hide values" }).click();
  const values = page.getByRole("dialog", { name: "Show and hide values" });
  await values.getByLabel("0.6").uncheck();
  await expect(page.locator(".sheet")).toHaveAttribute("aria-rowcount", "5");
  await values.getByLabel("0.3").uncheck();
  await expect(values.getByLabel("0.9")).toBeDisabled();
  await values.getByRole("button", { name: "show all" }).nth(1).click();
  await expect(page.locator(".sheet")).toHaveAttribute("aria-rowcount", "7");
});

test("a slider steps a numeric axis, tabs the others", async ({ page, open }) => {
  await open("deep");
  await page.getByRole("slider", { name: "strength" }).fill("5");
  expect(await focused(page)).toContain("strength 0.425");
  await page.getByRole("radio", { name: "fast" }).check();
  expect(await focused(page)).toContain("sampling fast, strength 0.425");
  await expect.poll(() => page.url()).toContain("at.strength=0.425");
});

test("the focus stays in its place where the experiment leaves a combination out", async ({ page, open }) => {
  await open("deep");
  await press(page, "ArrowRight");
  await page.getByRole("slider", { name: "strength" }).fill("13");
  expect(await focused(page)).toBe("not part of the experiment");
  await page.locator(".sheet").focus();
  await press(page, "ArrowRight");
  expect(await focused(page)).toContain("strength 0.625, guidance_scale 7.5");
});

test("filter, sort and colours", async ({ page, open }) => {
  await open("small");
  const filter = page.locator("#filter");
  await press(page, "/");
  await page.keyboard.type("strenght > 0.5");
  await expect(page.locator("#filter-error")).toContainText("did you mean `strength`?");
  await filter.fill("strength > 0.5");
  await expect(page.locator("#filter-error")).toHaveText("8 match");
  await expect(page.locator(".cell.dimmed")).toHaveCount(2);
  await page.getByLabel("Unmatched").selectOption("hide");
  await expect(page.locator(".column-head")).toHaveCount(2);
  await page.getByLabel("Sort").selectOption("likeness");
  await page.getByRole("button", { name: "Largest first" }).click();
  const values = async () => (await page.locator(".caption b").allTextContents()).map((text) => parseFloat(text));
  expect(await values()).toEqual([...(await values())].sort((a, b) => b - a));
  expect((await values()).length).toBe(6);
  await page.getByLabel("Colour").selectOption("dssim");
  await expect(page.locator(".legend")).toContainText("lower is better");
  await expect(page.locator(".cell.heated")).toHaveCount(6);
  await filter.fill("");
  await page.getByRole("button", { name: "failed", exact: true }).click();
  await expect(page.locator(".cell:not(.out)")).toHaveCount(1);
  await expect(page.locator(".absent small")).toContainText("out of memory");
});

test("settings that differ from the last picture are marked; values become conditions", async ({ page, open }) => {
  await open("small");
  await expect(page.locator(".settings .changed")).toHaveCount(0);
  await press(page, "ArrowRight");
  const changed = page.locator(".settings .changed dt");
  await expect(changed.first()).toHaveText("strength");
  await expect(page.locator(".settings .changed .before").first()).toHaveText("was 0.3");
  await page.getByRole("button", { name: "Filter by artist" }).click();
  await expect(page.locator("#filter")).toHaveValue('artist = "Alphonse Mucha"');
  await expect(page.locator("#filter-error")).toHaveText("6 match");
});

test("picks and notes stay in the browser, are exported and imported", async ({ page, open }) => {
  await open("small");
  await press(page, "p ArrowRight x n");
  await page.keyboard.type('a "note" </script>');
  await press(page, "Escape");
  await expect(page).toHaveURL(/at\.strength=/);
  await page.reload();
  const box = page.getByRole("button", { name: "Picks: 1 picked, 1 rejected" });
  await box.click();
  await expect(page.getByRole("dialog", { name: "Picks" })).toContainText("kept in this browser only");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export picks.toml" }).click()]);
  const file = await download.path();
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/^# Picks of portraits@1\. Written by `maquette review` and by the run's page\.\n\n\[cells\.[0-9a-f]{64}\]\nmark = "/);
  expect(text).toContain('note = "a \\"note\\" </script>"');
  await page.evaluate(() => localStorage.clear());
  await page.reload();
  await page.getByRole("button", { name: "Picks: 0 picked, 0 rejected" }).click();
  await page.getByLabel("A picks.toml to import").setInputFiles({ name: "picks.toml", mimeType: "text/plain", buffer: Buffer.from(text + `\n[cells.${"0".repeat(64)}]\nmark = "pick"\n`) });
  await expect(page.getByRole("dialog", { name: "Picks" })).toContainText("1 are of cells that this run does not have");
  await page.getByLabel("A picks.toml to import").setInputFiles({ name: "other.toml", mimeType: "text/plain", buffer: Buffer.from("mark = [") });
  await expect(page.getByRole("dialog", { name: "Picks" })).toContainText("other.toml is not read");
  await press(page, "Escape");
  await expect(page.locator("#note")).toHaveValue('a "note" </script>');
});
