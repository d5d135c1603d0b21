// Masks from clicks, on a page that a stand-in for `maquette review` serves, and on one opened from disk.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { problems } from "./accessible";
import { expect, pages, press, test, type Page } from "./page";
import { bodyOf, events, json, serve } from "./serve";

interface MaskBody {
  picture: { reference?: string; cell?: string };
  points: [number, number][];
  invert: boolean;
}

/** The api of masks: a mask is white to the left of its last point. Pictures have 128 x 160 pixels. */
async function review() {
  const asked: MaskBody[] = [];
  const saved: { mask: MaskBody; name: string }[] = [];
  const state = { refusal: "", slow: 0 };
  const listeners = new Set<(text: string) => void>();
  const served = await serve(join(pages(), "small"), async (path, request, response) => {
    if (path === "picks") return json(response, { cells: {} });
    if (path === "events") return events(request, response, listeners);
    const entry = (name: string) => ({ file: "inputs/reference.png", toml: `mask = "/runs/portraits/1/masks/${name}.png"\n` });
    if (path === "masks" && request.method === "GET") return json(response, { masks: saved.map(({ name }) => entry(name)) });
    const body = (await bodyOf(request)) as MaskBody & { mask: MaskBody; name: string };
    if (state.refusal) return response.writeHead(503).end(state.refusal);
    if (path === "masks") {
      saved.push(body);
      return json(response, entry(body.name));
    }
    asked.push(body);
    await new Promise((done) => setTimeout(done, state.slow));
    const [x] = body.points[body.points.length - 1];
    const pixels = Buffer.from(Array.from({ length: 128 * 160 }, (_, i) => ((i % 128 < x) !== body.invert ? 255 : 0)));
    const png = await sharp(pixels, { raw: { width: 128, height: 160, channels: 1 } }).png().toBuffer();
    const white = body.invert ? 1 - x / 128 : x / 128;
    response.writeHead(200, { "content-type": "image/png", "mask-white": white.toFixed(4), "mask-quality": "0.9712" }).end(png);
  });
  return { ...served, asked, saved, state, tell: () => listeners.forEach((send) => send("event: masks\ndata: {}\n\n")) };
}

const status = (page: Page) => page.locator(".mask-status");

/** Clicks a pixel of the picture. */
async function click(page: Page, x: number, y: number): Promise<void> {
  const box = (await page.locator(".mask-picture").boundingBox())!;
  await page.mouse.click(box.x + ((x + 0.5) * box.width) / 128, box.y + ((y + 0.5) * box.height) / 160);
}

/** The colour of the screen at a pixel of the picture. */
async function colour(page: Page, x: number, y: number): Promise<number[]> {
  const box = (await page.locator(".mask-picture").boundingBox())!;
  const clip = { x: box.x + (x * box.width) / 128, y: box.y + (y * box.height) / 160, width: 24, height: 24 };
  const { channels } = await sharp(await page.screenshot({ clip })).stats();
  return channels.slice(0, 3).map(({ mean }) => mean);
}

test("clicks make a mask, more of them change it, it is undone, inverted, downloaded and saved", async ({ page }) => {
  const server = await review();
  await page.goto(server.url);
  await page.locator(".panel").getByRole("button", { name: "Mask" }).click();
  await expect(page.locator(".mask-picture img")).toHaveAttribute("src", "inputs/reference.png");
  await expect(page.locator(".mask-picture img")).toHaveJSProperty("complete", true);
  const before = [await colour(page, 20, 20), await colour(page, 90, 20)];
  await click(page, 64, 70);
  await expect(status(page)).toHaveText("50 % of the picture is repainted. Quality by the model’s estimate: 0.97.");
  const [cell] = Object.values(server.asked[0].picture);
  expect(server.asked).toEqual([{ picture: { reference: cell }, points: [[64, 70]], invert: false }]);
  // White is what is striped.
  await expect(page.locator(".mask-overlay")).toBeVisible();
  await expect.poll(async () => (await colour(page, 20, 20))[1]).toBeLessThan(before[0][1] - 20);
  expect((await colour(page, 90, 20)).map(Math.round)).toEqual(before[1].map(Math.round));
  await page.getByRole("button", { name: "Show mask" }).click();
  await expect(page.locator(".mask-overlay")).toHaveCount(0);
  await page.getByRole("button", { name: "Show mask" }).click();

  await click(page, 96, 10);
  await expect(status(page)).toContainText("75 % of the picture");
  expect(server.asked[1].points).toEqual([[64, 70], [96, 10]]);
  await expect(page.locator(".mask-point")).toHaveCount(2);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(status(page)).toContainText("50 % of the picture");
  await click(page, 32, 10);
  await page.getByRole("button", { name: "Keep the thing" }).click();
  await expect(status(page)).toContainText("75 % of the picture");
  expect(server.asked.at(-1)).toMatchObject({ points: [[64, 70], [32, 10]], invert: true });

  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  expect(file.suggestedFilename()).toBe("mask.png");
  const { data } = await sharp(readFileSync((await file.path())!)).raw().toBuffer({ resolveWithObject: true });
  expect([data[0], data.at(-1)]).toEqual([0, 255]);

  await page.getByLabel("Name").fill("the face");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".mask-save")).toContainText("Saved in the run’s folder");
  expect(server.saved).toEqual([{ mask: server.asked.at(-1), name: "the face" }]);
  await expect(page.locator(".masks li")).toHaveCount(1);
  await expect(page.locator(".masks code").first()).toHaveText('mask = "/runs/portraits/1/masks/the face.png"');
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy TOML" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('mask = "/runs/portraits/1/masks/the face.png"\n');
  // Another browser saves one.
  server.saved.push({ mask: server.asked[0], name: "other" });
  server.tell();
  await expect(page.locator(".masks li")).toHaveCount(2);
  await page.getByRole("button", { name: "Clear" }).click();
  await expect(page.locator(".mask-overlay, .mask-point, .mask-save")).toHaveCount(0);
  server.close();
});

test("the keyboard is enough, and everything is said", async ({ page }) => {
  const server = await review();
  await page.goto(server.url);
  await expect(page.locator(".cell").first()).toBeVisible();
  await press(page, "M");
  await expect(page.getByRole("application")).toBeFocused();
  // The picture, and with it its size, is there.
  await expect(page.locator(".mask-picture")).toHaveAttribute("style", /aspect-ratio: (?!1 \/ 1;)/);
  await press(page, "ArrowLeft");
  const said = page.locator(".only-read");
  await expect(said).toHaveText("61, 80");
  await press(page, "Shift+ArrowUp Shift+ArrowLeft");
  await expect(said).toHaveText("60, 79");
  await press(page, "Enter");
  await expect(said).toHaveText("47 % of the picture is repainted. Quality by the model’s estimate: 0.97.");
  expect(server.asked[0]).toMatchObject({ points: [[60, 79]], invert: false });
  await press(page, "i");
  await expect(status(page)).toContainText("53 % of the picture");
  await press(page, "Space");
  await expect(page.locator(".mask-overlay")).toHaveCount(0);
  await press(page, "ArrowDown Enter");
  await expect(page.locator(".mask-count")).toHaveText("2 points");
  await press(page, "u u");
  await expect(said).toHaveText("Point removed, none left");
  await expect(status(page)).toHaveText("");
  await press(page, "?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toContainText("Put a point at the crosshair");
  await press(page, "Escape Escape");
  await expect(page.locator(".sheet")).toBeVisible();
  server.close();
});

test("the picture shown large has a mask of its own, and points stay with their picture", async ({ page }) => {
  const server = await review();
  await page.goto(server.url);
  await expect(page.locator(".cell").first()).toBeVisible();
  await press(page, "Enter");
  await expect(page.locator(".pswp__caption")).toBeVisible();
  await page.getByRole("button", { name: "Make a mask (M)" }).click();
  await expect(page.locator(".pswp")).toHaveCount(0);
  await expect(page.locator(".mask-picture img")).toHaveAttribute("src", /^images\//);
  await click(page, 32, 70);
  await expect(status(page)).toContainText("25 %");
  expect(Object.keys(server.asked[0].picture)).toEqual(["cell"]);
  await page.getByRole("button", { name: "Reference picture" }).click();
  await expect(page.locator(".mask-point")).toHaveCount(0);
  await page.getByRole("button", { name: "Cell’s own picture" }).click();
  await expect(page.locator(".mask-point")).toHaveCount(1);
  // The address leads back here.
  await expect(page).toHaveURL(/mask\.of=cell/);
  await page.reload();
  await expect(page.locator(".mask-picture img")).toHaveAttribute("src", /^images\//);
  // A cell that failed has its reference picture only.
  await page.goto(`${server.url}#at.strength=0.9&at.seed=8`);
  await expect(page.locator(".cell.focus .failed")).toBeVisible();
  await page.getByRole("navigation").getByRole("button", { name: "Mask" }).click();
  await expect(page.locator(".mask-picture img")).toHaveAttribute("src", "inputs/reference.png");
  await expect(page.getByRole("group", { name: "Picture" })).toHaveCount(0);
  server.close();
});

test("a slow model is waited for, and only the last click counts", async ({ page }) => {
  const server = await review();
  server.state.slow = 2500;
  await page.goto(`${server.url}#view=mask`);
  await expect(page.locator(".mask-picture img")).toHaveJSProperty("complete", true);
  await click(page, 64, 70);
  await expect(page.getByRole("progressbar", { name: "Making the mask" })).toBeVisible();
  await expect(status(page)).toContainText(/Making the mask … [1-9] s/);
  await click(page, 96, 70);
  await expect(status(page)).toContainText("75 %", { timeout: 10_000 });
  await expect(page.getByRole("progressbar")).toHaveCount(0);
  // The mask that is shown until the next one comes is not that of the points: it is not saved as theirs.
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
  await expect(page.getByRole("button", { name: "Download" })).toBeDisabled();
  await expect(status(page)).toContainText("50 %", { timeout: 10_000 });
  await expect(page.getByRole("button", { name: "Save" })).toBeEnabled();
  server.close();
});

test.describe("a server that refuses", () => {
  test.use({ quiet: false });
  test("says why, and the next click tries again", async ({ page }) => {
    const server = await review();
    server.state.refusal = "no model is called `facebook/sam-vit-base` on this machine\n\nTo download it (about 375 MB): maquette models fetch facebook/sam-vit-base\n";
    await page.goto(`${server.url}#view=mask`);
    await expect(page.locator(".mask-picture img")).toHaveJSProperty("complete", true);
    await click(page, 64, 70);
    await expect(page.getByRole("alert")).toContainText("There is no mask: no model is called `facebook/sam-vit-base` on this machine");
    await expect(page.getByRole("alert")).toContainText("maquette models fetch facebook/sam-vit-base");
    expect(await problems(page, ".mask")).toEqual([]);
    server.state.refusal = "";
    await click(page, 64, 71);
    await expect(status(page)).toContainText("50 %");
    await expect(page.getByRole("alert")).toHaveCount(0);
    server.state.refusal = "<b>the disk</b> is full";
    await page.getByRole("button", { name: "Save" }).click();
    await expect(page.getByRole("alert")).toHaveText("The mask is not saved: <b>the disk</b> is full");
    server.close();
    await click(page, 10, 10);
    await expect(page.getByRole("alert").first()).toContainText("the server of maquette review does not answer");
  });
});

test("opened from disk, the page gives the command with the points", async ({ page, open }) => {
  await open("small");
  await press(page, "M");
  await expect(page.locator(".mask-disk code").first()).toHaveText("maquette review portraits@1");
  await expect(page.locator(".mask-disk code").last()).toHaveText(/^maquette mask \/.*small\/inputs\/reference\.png --at X,Y -o mask\.png$/);
  await click(page, 64, 70);
  await press(page, "i");
  await expect(page.locator(".mask-disk code").last()).toHaveText(/reference\.png --at 64,70 --invert -o mask\.png$/);
  await expect(page.locator(".mask-point")).toHaveCount(1);
  await expect(page.locator(".mask-overlay")).toHaveCount(0);
  expect(await problems(page, ".mask")).toEqual([]);
});

test("can be used by everybody, light, dark and small", async ({ page }) => {
  test.slow();
  const server = await review();
  await page.goto(`${server.url}#view=mask`);
  await expect(page.locator(".mask-picture img")).toHaveJSProperty("complete", true);
  await click(page, 64, 70);
  await press(page, "ArrowRight");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.locator(".masks li")).toHaveCount(1);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await problems(page, ".mask")).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expect(page.locator(".mask-picture")).toBeInViewport();
  expect((await page.locator(".mask-picture").boundingBox())!.width).toBeGreaterThan(200);
  server.close();
});
