// Screenshots, compared loosely: a person looked at each before it became a reference.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, press, test } from "./page";

// In the font of the sheets, because the system's differs between machines and changes where lines break.
const FONT = ["Regular", "SemiBold"].map((weight) =>
  readFileSync(join(import.meta.dirname, `../../../fonts/IBMPlexSans-${weight}.ttf`)).toString("base64"));

test.beforeEach(async ({ page }) => {
  await page.addInitScript((font) => {
    font.forEach((base64, index) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      document.fonts.add(new FontFace("Sheet", bytes.buffer, { weight: ["400", "600 700"][index] }));
    });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { font-family: Sheet, sans-serif !important }");
    document.adoptedStyleSheets = [sheet];
  }, FONT);
});

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test("the grid of 12", async ({ page, open }) => {
      await open("small");
      await press(page, "ArrowRight p ArrowDown x");
      await expect(page).toHaveScreenshot(`small-${colorScheme}.png`);
    });
    test("the grid of 10,000", async ({ page, open }) => {
      await open("large", "size=64&heat=likeness");
      await expect(page).toHaveScreenshot(`large-${colorScheme}.png`);
    });
    test("the large picture", async ({ page, open }) => {
      await open("small");
      await press(page, "Enter");
      await expect(page.locator(".pswp__item[aria-hidden=false] .pswp__img").last()).toBeVisible();
      await expect(page).toHaveScreenshot(`picture-${colorScheme}.png`);
    });
  });
}

test.describe("phone", () => {
  test.use(PHONE);
  test("grid and panel", async ({ page, open }) => {
    await open("small");
    await expect(page).toHaveScreenshot("phone.png");
    await page.locator(".picture-panel > summary").tap();
    await expect(page.locator(".preview img")).toBeVisible();
    await expect(page).toHaveScreenshot("phone-panel.png");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });
  test("a tap moves the focus, another opens, a swipe walks", async ({ page, open }) => {
    await open("small");
    const cell = page.getByRole("gridcell", { name: "artist Alphonse Mucha, strength 0.6, seed 7" });
    await cell.tap();
    await expect(cell).toHaveAttribute("aria-selected", "true");
    await cell.tap();
    await expect(page.locator(".pswp__caption")).toContainText("strength 0.6");
  });
});

test("hostile text keeps its place", async ({ page, open }) => {
  await open("hostile");
  const boxes = await page.locator(".row-head").evaluateAll((heads) => heads.map((head) => [head.clientWidth, head.clientHeight]));
  expect(new Set(boxes.map((box) => box.join(" "))).size).toBe(1);
  await expect(page).toHaveScreenshot("hostile.png");
});

test("rows within rows, columns within columns", async ({ page, open }) => {
  await open("deep", "rows=artist,sampling&columns=guidance_scale,seed&size=96");
  await expect(page).toHaveScreenshot("deep.png");
});
