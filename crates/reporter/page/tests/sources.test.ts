// Rules that the sources keep.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => /\.tsx?$/.test(file));

test.each(files)("%s", (file) => {
  const text = readFileSync(join("src", file), "utf8");
  expect(text, "data is text, never markup").not.toMatch(/\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function)/);
  expect(text, "the Content-Security-Policy forbids style attributes in markup").not.toMatch(/style="/);
  expect(text, "nothing is loaded from elsewhere").not.toMatch(/https?:\/\//);
  expect(text, "a file begins with what it contains").toMatch(/^\/\/ /);
  expect(text.split("\n").length, "long files are split by subject").toBeLessThanOrEqual(450);
});
