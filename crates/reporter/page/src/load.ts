// Where the page's data comes from: `data.js` calls `maquettePage`, `state.js` calls `maquetteState`.
// Scripts are the only files that a page opened from disk may load again, so a script element is inserted for each look.
import { createSignal } from "solid-js";
import { FORMAT, type PageData, type PageState } from "./data";

declare global {
  interface Window {
    maquettePage?: (json: string) => void;
    maquetteState?: (json: string) => void;
  }
}

const WHILE_RUNNING = 2_000;
const OTHERWISE = 15_000;

const [data, setData] = createSignal<PageData>();
const [state, setState] = createSignal<PageState>();
const [problem, setProblem] = createSignal("");
/** When the page looked last, in seconds since 1970. */
const [looked, setLooked] = createSignal(seconds());
export { data, looked, problem, state };

/** Starts listening; `data.js` comes after this script. */
export function listen(): void {
  window.maquettePage = (json) => {
    const parsed = JSON.parse(json) as PageData;
    if (parsed.format !== FORMAT) {
      const theirs = `The data of this page has format ${parsed.format}, written by Maquette ${parsed.version}.`;
      setProblem(`${theirs} This page reads format ${FORMAT}. Write the page again: maquette report RUN`);
      return;
    }
    setProblem("");
    if (parsed.revision !== data()?.revision) setData(parsed);
  };
  window.maquetteState = (json) => {
    const parsed = JSON.parse(json) as PageState;
    const before = state();
    const same = before?.revision === parsed.revision && before.done === parsed.done && before.state === parsed.state;
    if (!same || before.written !== parsed.written) setState(parsed);
  };
  window.addEventListener("load", () => {
    if (!data() && !problem()) setProblem("The file page/data.js is missing or damaged. Write the page again: maquette report RUN");
    void poll();
  });
}

/** Looks whether the run has gone on, and loads `data.js` again if it has changed. */
export async function reload(): Promise<void> {
  if ((await loadScript("page/state.js")) && state() && state()!.revision !== data()?.revision) await loadScript("page/data.js");
  setLooked(seconds());
}

async function poll(): Promise<void> {
  // A comparison does not go on.
  if (data()?.kind === "diff") return;
  // A page in the background does not look; it looks as soon as it is shown.
  if (!document.hidden) await reload();
  const page = data();
  const running = (state()?.state ?? (page?.kind === "run" ? page.run.state : "complete")) === "running";
  await pause(running ? WHILE_RUNNING : OTHERWISE);
  return poll();
}

function seconds(): number {
  return Date.now() / 1000;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
      resolve();
    };
    const shown = () => !document.hidden && done();
    const timer = setTimeout(done, milliseconds);
    document.addEventListener("visibilitychange", shown);
  });
}

/** Runs a script of the page again; false if it is not there. */
function loadScript(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const script = document.createElement("script");
    const end = (found: boolean) => () => {
      script.remove();
      resolve(found);
    };
    script.src = `${file}?${Date.now()}`;
    script.onload = end(true);
    script.onerror = end(false);
    document.head.append(script);
  });
}
