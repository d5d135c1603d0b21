import { problems } from "./accessible";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, pages, press, test, url, type Page } from "./page";
import { bodyOf, events, json, serve, type Served } from "./serve";

const VOTE = "view=vote&vote.axis=artist";
const count = (page: Page) => page.locator(".vote-count");
const shown = (page: Page) => page.locator(".vote-picture img").evaluateAll((images) => images.map((image) => image.getAttribute("src")!));

async function openVote(page: Page): Promise<void> {
  await page.goto(url("painters", VOTE));
  await expect(page.locator(".vote-picture img")).toHaveCount(2);
}

test("keys vote, undo and go on after a reload", async ({ page }) => {
  await openVote(page);
  const first = await shown(page);
  await press(page, "ArrowLeft ArrowRight ArrowDown =");
  await expect(count(page)).toHaveText("4 votes");
  await press(page, "b");
  await expect(count(page)).toHaveText("5 votes");
  const before = await shown(page);
  await page.reload();
  await expect(count(page)).toHaveText("5 votes");
  expect(await shown(page)).toEqual(before);
  await press(page, "u u u u u");
  await expect(count(page)).toHaveText("0 votes");
  expect(await shown(page)).toEqual(first);
});

test("nothing tells which picture is which until the labels are asked for", async ({ page }) => {
  await openVote(page);
  const view = page.locator(".vote");
  const telling = /Mucha|Klimt|Schiele|Munch|0\.45|images\//;
  expect(await view.innerText()).not.toMatch(telling);
  expect(await view.ariaSnapshot()).not.toMatch(telling);
  expect(await view.evaluate((one) => [...one.querySelectorAll("[title], [alt]")].map((e) => `${e.getAttribute("title")} ${e.getAttribute("alt")}`).join())).not.toMatch(telling);
  await press(page, "l");
  await expect(page.locator(".vote-picture figcaption")).toHaveCount(2);
  await expect(page.locator(".vote-picture figcaption").first()).toContainText(/artist .*, strength .*, seed /);
  // The next pair is blind again.
  await press(page, "ArrowLeft");
  await expect(page.locator(".vote-picture figcaption")).toHaveCount(0);
});

test("the pointer votes; the ranking follows from the votes and is exported", async ({ page }) => {
  await openVote(page);
  for (let vote = 1; vote <= 12; vote++) {
    await press(page, "l");
    const left = await page.locator(".vote-picture figcaption").first().innerText();
    const right = await page.locator(".vote-picture figcaption").last().innerText();
    // Klimt wins against everybody, Munch loses.
    const better = left.includes("Klimt") || right.includes("Munch") ? "left" : right.includes("Klimt") || left.includes("Munch") ? "right" : "tie";
    if (better === "tie") await page.locator(".vote-choices").getByRole("button", { name: "Tie" }).click();
    else await page.getByRole("button", { name: `The ${better} picture is better` }).click();
    await expect(count(page)).toHaveText(vote === 1 ? "1 vote" : `${vote} votes`);
  }
  await page.locator(".vote-choices").getByRole("button", { name: "Both bad" }).click();
  await page.getByRole("button", { name: "Ranking" }).click();
  const rows = page.locator(".ranking tbody tr");
  await expect(rows).toHaveCount(4);
  await expect(rows.first()).toContainText("Gustav Klimt");
  await expect(rows.last()).toContainText("Edvard Munch");
  await expect(page.locator(".ranking-lead")).toContainText(/Gustav Klimt is ahead of|About \d+ more votes?/);
  await expect(page.locator(".ranking-note")).toHaveText("Votes that are not in the ranking: 1 for “both bad”.");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export votes.csv" }).click()]);
  expect(download.suggestedFilename()).toBe("votes.csv");
  const lines = readFileSync((await download.path())!, "utf8").split("\n");
  expect(lines[0]).toBe("left,right,choice");
  expect(lines.length).toBe(1 + 13 + 1);
  for (const line of lines.slice(1, -1)) expect(line).toMatch(/^[0-9a-f]{64},[0-9a-f]{64},(left|right|tie|bad)$/);
});

test("a deleted picture is left out, and said", async ({ page }) => {
  await page.route("**/images/*", (route) => route.continue());
  await openVote(page);
  const [left] = await shown(page);
  await page.locator(".vote-picture img").first().evaluate((image) => image.dispatchEvent(new Event("error")));
  await expect(page.locator(".vote-note")).toHaveText("1 picture cannot be loaded and is left out.");
  expect(await shown(page)).not.toContain(left);
});

test("the served page keeps votes on the server", async ({ page }) => {
  const votes: unknown[] = [];
  const server = await review(votes);
  try {
    await page.goto(`${server.url}#${VOTE}`);
    await expect(page.locator(".vote-picture img")).toHaveCount(2);
    await expect(page.getByRole("button", { name: "Export votes.csv" })).toHaveCount(0);
    await press(page, "ArrowRight");
    await expect(count(page)).toHaveText("1 vote");
    await press(page, "b");
    await expect(count(page)).toHaveText("2 votes");
    expect(votes).toEqual([expect.objectContaining({ choice: "right" }), expect.objectContaining({ choice: "bad" })]);
    await press(page, "u");
    await expect(count(page)).toHaveText("1 vote");
    expect(votes.length).toBe(1);
  } finally {
    server.close();
  }
});

test("can be used by everybody, light, dark and small", async ({ page }) => {
  // axe walks the page several times.
  test.slow();
  await openVote(page);
  await press(page, "ArrowLeft ArrowLeft ArrowRight r l");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await problems(page, ".vote")).toEqual([]);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

/** The parts of `maquette review` that the vote needs. */
function review(votes: unknown[]): Promise<Served> {
  return serve(join(pages(), "painters"), async (path, request, response) => {
    if (path === "picks") return json(response, { cells: {} });
    if (path === "events") return events(request, response, new Set());
    if (path === "votes" && request.method === "GET") return json(response, { votes });
    if (path === "votes/last" && request.method === "DELETE") return json(response, votes.pop() ?? null);
    votes.push(await bodyOf(request));
    json(response, null);
  });
}
