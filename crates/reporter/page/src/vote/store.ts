// Where votes are kept: in the browser for a page from disk, or by the server of `maquette review` in the run folder.

import type { Vote } from "../data";

/** All votes of a run, oldest first, and how to change them. */
export interface VoteStore {
  /** The votes; changes of a page on the same server that is open elsewhere are seen at the next call. */
  list(): Promise<Vote[]>;
  /** Adds a vote and gives all votes. */
  add(vote: Vote): Promise<Vote[]>;
  /** Removes the last vote, if it may be removed, and gives all votes. */
  undo(): Promise<Vote[]>;
  /** Whether votes have to be exported to reach the run folder. */
  needsExport: boolean;
}

const CHOICES: readonly string[] = ["left", "right", "tie", "bad"] satisfies Vote["choice"][];

/** The part of `localStorage` that votes need. */
type Store = Pick<Storage, "getItem" | "setItem">;

/**
 * Votes kept in the browser, after those that the run folder had when the page was written. Votes that were exported into the
 * run folder since are not counted again. Votes of the run folder cannot be undone here. `trouble` is called with a sentence
 * where the browser stores nothing; the votes are then kept in memory.
 */
export function browserVotes(written: Vote[], key: string, storage: () => Store, trouble: (text: string) => void): VoteStore {
  let memory: string | null = null;
  const read = () => {
    try {
      return memory ?? storage().getItem(key);
    } catch {
      return memory;
    }
  };
  const own = () => without(parse(read()), written);
  const save = (votes: Vote[]) => {
    const text = JSON.stringify(votes);
    try {
      storage().setItem(key, text);
      memory = null;
    } catch (error) {
      memory = text;
      trouble(`This browser does not store votes (${(error as Error).message}). Export votes.csv before closing the page.`);
    }
    return Promise.resolve([...written, ...votes]);
  };
  return {
    needsExport: true,
    list: () => Promise.resolve([...written, ...own()]),
    add: (vote) => save([...own(), vote]),
    undo: () => save(own().slice(0, -1)),
  };
}

/**
 * Votes kept by the server. `request` fetches a path below `api/` and fails for any status but success. `trouble` is called with
 * what is wrong with the file of votes, as sentences; empty if nothing is.
 */
export function serverVotes(
  request: (method: string, path: string, body?: unknown) => Promise<unknown>,
  trouble: (text: string) => void,
): VoteStore {
  const list = async () => {
    const { votes, problems } = (await request("GET", "votes")) as { votes: unknown; problems?: string[] };
    trouble((problems ?? []).map((problem) => `${problem}.`).join(" "));
    return parse(JSON.stringify(votes));
  };
  return {
    needsExport: false,
    list,
    add: async (vote) => {
      await request("POST", "votes", vote);
      return list();
    },
    undo: async () => {
      await request("DELETE", "votes/last");
      return list();
    },
  };
}

/** The content of `votes.csv`. Cell names and choices need no quotes. */
export function votesCsv(votes: Vote[]): string {
  return ["left,right,choice", ...votes.map(({ left, right, choice }) => `${left},${right},${choice}`), ""].join("\n");
}

/** Votes from text that somebody else may have written: what is no vote is left out. */
function parse(text: string | null): Vote[] {
  let read: unknown;
  try {
    read = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  return Array.isArray(read) ? read.filter(isVote) : [];
}

function isVote(value: unknown): value is Vote {
  const vote = value as Vote | null;
  return typeof vote?.left === "string" && typeof vote.right === "string" && CHOICES.includes(vote.choice);
}

/** `votes` less those in `gone`, each as often as it is there. */
function without(votes: Vote[], gone: Vote[]): Vote[] {
  const left = new Map<string, number>();
  const key = ({ left, right, choice }: Vote) => `${left} ${right} ${choice}`;
  for (const vote of gone) left.set(key(vote), (left.get(key(vote)) ?? 0) + 1);
  return votes.filter((vote) => {
    const count = left.get(key(vote)) ?? 0;
    left.set(key(vote), count - 1);
    return count <= 0;
  });
}
