import { expect, test } from "vitest";
import type { PageState, Pictures, RunInfo } from "../src/data";
import { progress } from "../src/model/progress";

const NOW = new Date(2026, 4, 3, 14, 10, 30).getTime() / 1000;

type Status = Pictures["status"][number];

function shown(statuses: Status[], state: RunInfo["state"], silence: number | null = 0, drafts: number[] = []): string {
  const draft = statuses.map((_, at) => drafts.includes(at));
  const pictures = { count: statuses.length, status: statuses, draft } as Pictures;
  const done = statuses.filter((status, at) => status === "done" && !draft[at]).length;
  const told: PageState | undefined = silence === null ? undefined : { revision: "1", state, done, total: statuses.length, written: NOW - silence };
  const { text, running } = progress({ state } as RunInfo, pictures, told, NOW);
  return running ? `${text} …` : text;
}

test.each<[string, string]>([
  [shown(["done", "done"], "complete"), "2 pictures"],
  [shown(["done", "done"], "complete", 9_999_999), "2 pictures"],
  [shown(["done", "failed"], "complete"), "1 of 2 pictures · 1 failed"],
  [shown(["done", "missing"], "incomplete"), "1 of 2 pictures · incomplete"],
  [shown(["done", "missing"], "incomplete", 9_999_999), "1 of 2 pictures · incomplete"],
  [shown(["done", "missing"], "running"), "1 of 2 pictures · running …"],
  // Failed cells are tried again; drafts are replaced.
  [shown(["done", "failed"], "running"), "1 of 2 pictures · 1 failed · running …"],
  [shown(["done", "done", "done"], "running", 0, [0, 2]), "1 of 3 pictures · 2 drafts · running …"],
  [shown(["done", "done"], "incomplete", 0, [0]), "1 of 2 pictures · 1 draft · incomplete"],
  // Without `state.js`, as where only the data was copied.
  [shown(["done", "missing"], "running", null), "1 of 2 pictures · running …"],
])("%s", (text, expected) => expect(text).toBe(expected));

test.each<[number, string]>([
  // Another machine's clock may be ahead.
  [-90, "running …"],
  [59, "running …"],
  [60, "running, last written a minute ago …"],
  [179, "running, last written 2 minutes ago …"],
  [299, "running, last written 4 minutes ago …"],
  [330, "no sign of life since 14:05: was it stopped?"],
  [86_400, "no sign of life since 2026-05-02 14:10: was it stopped?"],
])("silence of %i seconds", (silence, expected) => expect(shown(["done", "missing"], "running", silence)).toBe(`1 of 2 pictures · ${expected}`));
