// The api of `maquette review`: reads picks, saves changes one at a time and again until they are saved, follows events.
import { api } from "../api";
import type { Pick, Picks } from "../data";
import type { Changes } from "./store";

export interface Server {
  /** Saves what waits. */
  send(): void;
}

export interface ServerOptions {
  waiting: Changes;
  trouble: (text: string) => void;
  picks: (cells: Picks) => void;
  pick: (cell: string, pick: Pick) => void;
  listeners: Record<string, (data: unknown) => void>;
}

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** Null where no `maquette review` serves the page; a page opened from disk does not ask. */
export async function openServer(options: ServerOptions): Promise<Server | null> {
  if (!location.protocol.startsWith("http")) return null;
  if (!(await load(options))) return null;
  const server = sender(options);
  follow(options, server);
  server.send();
  return server;
}

async function load(options: ServerOptions): Promise<boolean> {
  try {
    const response = await fetch("api/picks", { cache: "no-store" });
    if (!response.ok) return false;
    options.picks(((await response.json()) as { cells: Picks }).cells ?? {});
    return true;
  } catch {
    return false;
  }
}

function sender({ waiting, trouble, pick }: ServerOptions): Server {
  let sending = false;
  let timer: number | undefined;
  let wait = FIRST_PAUSE;

  async function send() {
    if (sending) return;
    sending = true;
    clearTimeout(timer);
    try {
      for (let next = Object.entries(waiting.get())[0]; next; next = Object.entries(waiting.get())[0]) {
        const [cell, change] = next;
        const saved = await put(cell, change);
        waiting.forget(cell, change);
        pick(cell, saved);
      }
      trouble("");
      wait = FIRST_PAUSE;
    } catch (error) {
      const count = Object.keys(waiting.get()).length;
      const what = count === 1 ? "A pick is" : `${count} picks are`;
      trouble(`${what} not saved yet: ${(error as Error).message}. Trying again; unsaved picks are kept in this browser.`);
      timer = window.setTimeout(send, wait);
      wait = Math.min(wait * 2, LONGEST_PAUSE);
    } finally {
      sending = false;
    }
  }
  return { send: () => void send() };
}

async function put(cell: string, change: unknown): Promise<Pick> {
  return ((await api("PUT", `picks/${cell}`, change)) as Pick | null) ?? {};
}

function follow(options: ServerOptions, server: Server): void {
  const events = new EventSource("api/events");
  let lost = false;
  events.onerror = () => (lost = true);
  events.onopen = () => {
    // What others changed meanwhile is not sent again.
    if (lost) void load(options);
    lost = false;
    server.send();
  };
  const on = (name: string, act: (data: unknown) => void) =>
    events.addEventListener(name, (event) => act(event.data ? JSON.parse(event.data) : null));
  on("picks", (data) => {
    const { cell, pick } = (data ?? {}) as { cell?: string; pick?: Pick | null };
    if (cell) options.pick(cell, pick ?? {});
    else void load(options);
  });
  for (const [name, act] of Object.entries(options.listeners)) on(name, act);
}
