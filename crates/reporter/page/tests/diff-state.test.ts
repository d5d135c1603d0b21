import { describe, expect, it } from "vitest";
import { fromHash, START, toHash, type DiffState } from "../src/diff/state";

describe("the hash of a comparison", () => {
  it("is empty at the start", () => expect(toHash(START)).toBe(""));

  it.each<DiffState>([
    START,
    { sort: "order", shown: "unexplained", open: 0, mode: "heat", gain: 32 },
    { ...START, open: 9, mode: "flicker" },
  ])("holds the state %#", (state) => expect(fromHash(toHash(state), 10)).toEqual(state));

  it.each(["pair=11", "pair=0", "pair=1.5", "pair=x", "sort=up", "compare=", "gain=3", "<script>"])("ignores %s", (hash) =>
    expect(fromHash(`#${hash}`, 10)).toEqual(START),
  );
});
