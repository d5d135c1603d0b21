// Measures the page at 10,000 cells in headless Chromium: first paint, frames while scrolling, memory. Prints Markdown.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "@playwright/test";
import { write } from "./synthetic.mjs";

const RUNS = Number(process.env.RUNS ?? 5);
const given = process.argv[2];
const folder = given ?? mkdtempSync(join(tmpdir(), "maquette-measure-"));
if (!given) await write(folder, "measured");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--enable-precise-memory-info"] });
const url = pathToFileURL(join(folder, "index.html")).href;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);

row("size of a cell", "first contentful paint", "pictures on the screen", "frames/s down", "frames/s across", "frames over 33 ms", "main thread, CPU time a frame", "cells in the document", "heap at first", "after scrolling", "after scrolling again");
row(...Array(11).fill("---"));
for (const size of [64, 96, 160]) {
  const runs = [];
  for (let i = 0; i < RUNS; i++) runs.push(await measure(size));
  const of = (key) => median(runs.map((run) => run[key]));
  row(`${size} px`, `${of("paint").toFixed(0)} ms`, `${of("pictures").toFixed(0)} ms`, of("down").toFixed(0), of("across").toFixed(0), `${of("slow")} of ${of("frames")}`, `${of("work").toFixed(1)} ms`, of("cells"), `${of("before").toFixed(1)} MB`, `${of("after").toFixed(1)} MB`, `${of("again").toFixed(1)} MB`);
}
await browser.close();
if (!given) rmSync(folder, { recursive: true });

async function measure(size) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  const client = await context.newCDPSession(page);
  await page.goto(`${url}#size=${size}`);
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  await page.waitForFunction(() => {
    const images = [...document.querySelectorAll(".cell img")];
    return images.length > 10 && images.every((image) => image.complete);
  });
  const pictures = await page.evaluate(() => performance.now());
  const heap = async () => {
    await client.send("HeapProfiler.collectGarbage");
    return (await client.send("Runtime.getHeapUsage")).usedSize / 1e6;
  };
  const before = await heap();
  // In ticks of the thread, so that other programs on a busy machine do not count.
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => (await client.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  const start = await busy();
  const down = await page.evaluate(scroll, "scrollTop");
  const across = await page.evaluate(scroll, "scrollLeft");
  const work = (await busy()) - start;
  const cells = await page.locator(".cell").count();
  const after = await heap();
  await page.evaluate(scroll, "scrollTop");
  await page.evaluate(scroll, "scrollLeft");
  const again = await heap();
  await context.close();
  const all = [...down, ...across];
  const rate = (frames) => (1000 * frames.length) / frames.reduce((sum, one) => sum + one, 0);
  return { paint, pictures, down: rate(down), across: rate(across), slow: all.filter((one) => one > 33.4).length, frames: all.length, work: work / all.length, cells, before, after, again };
}

/** Scrolls for three seconds at 1,500 pixels a second, turning back at the ends; the times between frames. */
function scroll(edge) {
  const sheet = document.querySelector(".sheet");
  return new Promise((resolve) => {
    const frames = [];
    let last = performance.now();
    const start = last;
    let direction = 1;
    const frame = (now) => {
      const passed = now - last;
      frames.push(passed);
      last = now;
      const before = sheet[edge];
      sheet[edge] += direction * 1.5 * passed;
      if (sheet[edge] === before && passed > 1) direction = -direction;
      if (now - start < 3000) requestAnimationFrame(frame);
      else resolve(frames.slice(1));
    };
    requestAnimationFrame(frame);
  });
}
