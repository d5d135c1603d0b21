import { expect, test } from "vitest";
import type { RunPage } from "../src/data";
import { fileFor } from "../src/model/cells";

const cell = "1a2b3c4d5e6f7a8b" + "0".repeat(48);

function page(spread: boolean): RunPage {
  const thumbnails = [160, 384].map((edge) => ({ folder: `page/thumbnails/${edge}`, edge, spread }));
  return { pictures: { image: ["images/a.png", "images/b.png", null], cell: [cell, cell, cell], thumbnail: [true, false, true], thumbnails } } as unknown as RunPage;
}

test("the smallest thumbnail that is large enough is shown, or the picture", () => {
  const files = (spread: boolean) => [100, 160, 161, 385].map((size) => fileFor(page(spread), 0, size));
  expect(files(false)).toEqual(["page/thumbnails/160/1a2b3c4d5e6f7a8b.webp", "page/thumbnails/160/1a2b3c4d5e6f7a8b.webp", "page/thumbnails/384/1a2b3c4d5e6f7a8b.webp", "images/a.png"]);
  expect(files(true)[0]).toBe("page/thumbnails/160/1a/1a2b3c4d5e6f7a8b.webp");
  expect(fileFor(page(true), 1, 100)).toBe("images/b.png");
  expect(fileFor(page(true), 2, 100)).toBeNull();
});
