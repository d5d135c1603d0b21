import { describe, expect, it } from "vitest";
import type { Vote } from "../src/data";
import { browserVotes, serverVotes, votesCsv } from "../src/vote/store";

const vote = (left: string, right: string, choice: Vote["choice"] = "left"): Vote => ({ left, right, choice });

const say = (text: string) => expect(text).toBe("");

function storage(content: string | null = null) {
  const kept = { content };
  return {
    kept,
    getItem: () => kept.content,
    setItem: (_: string, text: string) => {
      kept.content = text;
    },
  };
}

describe("browserVotes", () => {
  it("adds after the votes of the run folder and undoes only its own", async () => {
    const kept = storage();
    const store = browserVotes([vote("a", "b")], "key", () => kept, say);
    expect(await store.add(vote("c", "d", "bad"))).toEqual([vote("a", "b"), vote("c", "d", "bad")]);
    expect(await store.undo()).toEqual([vote("a", "b")]);
    expect(await store.undo()).toEqual([vote("a", "b")]);
  });

  it("does not count votes twice that were exported into the run folder", async () => {
    const both = JSON.stringify([vote("a", "b"), vote("c", "d")]);
    expect(await browserVotes([vote("a", "b")], "key", () => storage(both), say).list()).toEqual([vote("a", "b"), vote("c", "d")]);
    // A vote that was cast twice, once of which was exported.
    const twice = JSON.stringify([vote("a", "b"), vote("a", "b")]);
    expect(await browserVotes([vote("a", "b")], "key", () => storage(twice), say).list()).toEqual([vote("a", "b"), vote("a", "b")]);
  });

  it("says so where the browser stores nothing, and goes on", async () => {
    const said: string[] = [];
    const blocked = () => {
      throw new Error("blocked");
    };
    const store = browserVotes([], "key", blocked, (text) => said.push(text));
    await store.add(vote("a", "b"));
    expect(await store.add(vote("c", "d"))).toEqual([vote("a", "b"), vote("c", "d")]);
    expect(said[0]).toContain("does not store votes (blocked)");
  });

  it("sees the votes of another tab", async () => {
    const kept = storage();
    const [one, other] = [browserVotes([], "key", () => kept, say), browserVotes([], "key", () => kept, say)];
    await one.add(vote("a", "b"));
    expect(await other.add(vote("c", "d"))).toEqual([vote("a", "b"), vote("c", "d")]);
  });

  it("leaves out what is no vote", async () => {
    for (const content of ["{", "{}", "null", '[1, null, {"left":"a","right":"b","choice":"up"}]']) {
      expect(await browserVotes([], "key", () => storage(content), say).list()).toEqual([]);
    }
  });
});

describe("serverVotes", () => {
  it("asks the server", async () => {
    const votes: Vote[] = [];
    const calls: string[] = [];
    const store = serverVotes((method, path, body) => {
      calls.push(`${method} ${path}`);
      if (method === "POST") votes.push(body as Vote);
      if (method === "DELETE") votes.pop();
      return Promise.resolve({ votes: [...votes] });
    }, say);
    expect(await store.add(vote("a", "b", "tie"))).toEqual([vote("a", "b", "tie")]);
    expect(await store.undo()).toEqual([]);
    expect(calls).toEqual(["POST votes", "GET votes", "DELETE votes/last", "GET votes"]);
  });
});

describe("serverVotes of a damaged file", () => {
  it("says what is wrong", async () => {
    const said: string[] = [];
    const body = { votes: [vote("a", "b")], problems: ["line 3 of votes.csv is not a vote"] };
    expect(await serverVotes(() => Promise.resolve(body), (text) => said.push(text)).list()).toEqual([vote("a", "b")]);
    expect(said).toEqual(["line 3 of votes.csv is not a vote."]);
  });
});

describe("votesCsv", () => {
  it("has a row per vote and ends with a newline", () => {
    expect(votesCsv([vote("a", "b"), vote("c", "d", "bad")])).toBe("left,right,choice\na,b,left\nc,d,bad\n");
    expect(votesCsv([])).toBe("left,right,choice\n");
  });
});
