// How far a run is, in words, and whether it still goes on.
import type { PageState, Pictures, RunInfo, Training } from "../data";

/** A process that renders says every ten seconds that it does. After this many without a word, the page says how many. */
const QUIET = 60;
/** And after this many that it may have been stopped: a process that was killed could not say so. */
const SILENT = 300;

export interface Progress {
  done: number;
  total: number;
  running: boolean;
  text: string;
}

/** `state`: what the page was told last, newer than the rest; `now` in seconds since 1970. */
export function progress(run: RunInfo, pictures: Pictures, state: PageState | undefined, now: number, trainings: Training[] = []): Progress {
  const count = (is: (at: number) => boolean) => pictures.status.reduce((sum, _, at) => sum + Number(is(at)), 0);
  const drafts = count((at) => pictures.draft[at]!);
  const failed = count((at) => pictures.status[at] === "failed");
  const done = state?.done ?? count((at) => pictures.status[at] === "done" && !pictures.draft[at]);
  const total = state?.total ?? pictures.count;
  const said = state?.state ?? run.state;
  const parts = [done === total ? `${total} pictures` : `${done} of ${total} pictures`];
  if (drafts) parts.push(drafts === 1 ? "1 draft" : `${drafts} drafts`);
  if (failed) parts.push(`${failed} failed`);
  // Trainings come before the pictures, one after the other.
  const training = said === "running" ? trainings.find((one) => one.done > 0 && one.done < one.last_step) : undefined;
  if (training) parts.push(`training ${training.subject}: ${training.done} of ${training.last_step} steps`);
  const silence = state ? now - state.written : 0;
  if (said === "running") parts.push(running(silence, state?.written ?? now, now));
  else if (said === "incomplete") parts.push("incomplete");
  return { done, total, running: said === "running" && silence < SILENT, text: parts.join(" · ") };
}

function running(silence: number, written: number, now: number): string {
  if (silence < QUIET) return "running";
  if (silence >= SILENT) return `no sign of life since ${clock(written, now)}: was it stopped?`;
  const minutes = Math.floor(silence / 60);
  return `running, last written ${minutes === 1 ? "a minute" : `${minutes} minutes`} ago`;
}

/** The time of day where the reader is; with its date if that is not today. */
function clock(seconds: number, now: number): string {
  const [time, today] = [new Date(seconds * 1000), new Date(now * 1000)];
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} `;
  return `${time.toDateString() === today.toDateString() ? "" : day}${two(time.getHours())}:${two(time.getMinutes())}`;
}
