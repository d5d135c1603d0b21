// Picks as the reader changes them: saved by `maquette review` where it serves the page, else in this browser.
import { createSignal } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { Pick, Picks } from "../data";
import { openServer, type Server } from "./server";

/** A change of one cell: what is absent stays, null removes. */
export interface PickChange {
  mark?: Pick["mark"] | null;
  note?: string | null;
}

export interface PickStore {
  /** The pick of a cell; undefined without one. Tracked. */
  of(cell: string): Pick | undefined;
  all(): Picks;
  change(cell: string, change: PickChange): void;
  /** Where picks are kept, as a sentence. */
  kept(): string;
  /** Whether a server keeps them. */
  served(): boolean;
  /** Why the last change is not saved yet; empty if all is saved. */
  trouble(): string;
  /** Takes new data of the folder. */
  folder(picks: Picks): void;
}

/** `key` names the run and its plan; `listeners` get the server's other events. */
export function createPicks(key: string, inFolder: Picks, listeners: Record<string, (data: unknown) => void>): PickStore {
  const [picks, setPicks] = createStore<Picks>({});
  const [served, setServed] = createSignal(false);
  const [trouble, setTrouble] = createSignal("");
  const storage = browserStorage(`maquette picks ${key}`, setTrouble);
  const waiting = browserStorage(`maquette unsaved picks ${key}`, setTrouble);
  let fromFolder = inFolder;
  let server: Server | null = null;

  const show = () => {
    const shown: Picks = { ...fromFolder };
    for (const changes of served() ? [waiting.get()] : [storage.get(), waiting.get()]) {
      for (const [cell, change] of Object.entries(changes)) shown[cell] = applied(shown[cell], change);
    }
    for (const cell of Object.keys(shown)) if (!shown[cell].mark && !shown[cell].note) delete shown[cell];
    setPicks(reconcile(shown));
  };

  show();
  storage.watch(show);
  void openServer({
    waiting,
    trouble: setTrouble,
    picks: (cells) => {
      setServed(true);
      fromFolder = cells;
      show();
    },
    pick: (cell, pick) => {
      fromFolder = { ...fromFolder, [cell]: pick };
      show();
    },
    listeners,
  }).then((opened) => (server = opened));

  return {
    of: (cell) => picks[cell],
    all: () => picks,
    change(cell, change) {
      if (served()) {
        waiting.merge(cell, change);
        server?.send();
      } else {
        storage.merge(cell, change);
      }
      show();
    },
    kept: () =>
      served()
        ? "Picks are saved in picks.toml in the run’s folder."
        : "Picks are kept in this browser only. Export picks.toml into the run’s folder to keep them with the run.",
    served,
    trouble,
    folder(next) {
      if (served()) return;
      fromFolder = next;
      show();
    },
  };
}

export function applied(pick: Pick | undefined, change: PickChange): Pick {
  const next: Pick = { ...pick };
  if (change.mark !== undefined) {
    if (change.mark === null) delete next.mark;
    else next.mark = change.mark;
  }
  if (change.note !== undefined) {
    if (!change.note) delete next.note;
    else next.note = change.note;
  }
  return next;
}

export interface Changes {
  get(): Record<string, PickChange>;
  merge(cell: string, change: PickChange): void;
  /** Forgets a change that was saved, unless it was changed again meanwhile. */
  forget(cell: string, change: PickChange): void;
  watch(changed: () => void): void;
}

/** Changes in the browser's storage; another tab's are seen. What cannot be stored is kept in memory, and said. */
function browserStorage(name: string, trouble: (text: string) => void): Changes {
  let memory: Record<string, PickChange> = {};
  const read = () => {
    try {
      memory = JSON.parse(localStorage.getItem(name) ?? "{}");
    } catch {
      // Storage is blocked or damaged: what is in memory holds.
    }
    return memory;
  };
  const write = (next: Record<string, PickChange>) => {
    memory = next;
    try {
      localStorage.setItem(name, JSON.stringify(next));
    } catch (error) {
      trouble(`This browser does not store picks (${(error as Error).message}). Export picks.toml before closing the page.`);
    }
  };
  read();
  return {
    get: () => memory,
    merge(cell, change) {
      const all = read();
      write({ ...all, [cell]: { ...all[cell], ...change } });
    },
    forget(cell, change) {
      const { [cell]: now, ...others } = read();
      write(now && JSON.stringify(now) !== JSON.stringify(change) ? { ...others, [cell]: now } : others);
    },
    watch(changed) {
      window.addEventListener("storage", (event) => {
        if (event.key !== name) return;
        read();
        changed();
      });
    },
  };
}
