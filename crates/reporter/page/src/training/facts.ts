// What is said of a training: its facts, how far it is, its losses in words.
import type { Losses, RunInfo, Training } from "../data";

/** A name of the experiment file, and its value as text. */
export type Fact = [name: string, value: string];

export function facts(training: Training): Fact[] {
  const all: [string, string | number | null][] = [
    ["word", training.word],
    ["method", training.method],
    ["steps", steps(training)],
    ["pictures", training.images],
    ["rank", training.rank],
    ["vectors", training.num_vectors],
    ["learning rate", training.learning_rate],
    ["class pictures", training.class_images || null],
    ["time", training.done ? duration(training.seconds) : null],
  ];
  return all.filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]);
}

/** Steps done of those that the run needs, which may be fewer than the training has. */
function steps({ done, last_step, steps }: Training): string {
  const goal = Math.max(done, last_step);
  return `${done} of ${goal}${goal < steps ? ` (${steps} in the experiment, but no picture needs more)` : ""}`;
}

/** What is still to come; empty for a training that is finished. `running`: whether a process works on the run. */
export function outlook(training: Training, state: RunInfo["state"], running: boolean): string {
  const { done, last_step, seconds } = training;
  if (done >= last_step) return "";
  if (state === "complete") return "Not finished: the run has all of its pictures without it.";
  if (!done) return running ? "No step is done yet." : "Not begun.";
  if (!running) return "Interrupted: the next run of the experiment goes on with it.";
  return `About ${duration((seconds / done) * (last_step - done))} left.`;
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The losses at one place of the lists. */
export function point(losses: Losses, at: number): string {
  const parts = [`loss ${number(losses.loss[at])}`, `mean ${number(losses.mean[at])}`];
  if (varies(losses)) parts.push(`learning rate ${number(losses.learning_rate[at])}`);
  return `Step ${losses.step[at]}: ${parts.join(", ")}`;
}

/** Whether the learning rate changes, so that its line says something. */
export function varies({ learning_rate }: Losses): boolean {
  return learning_rate.some((rate) => rate !== learning_rate[0]);
}

/** The place of the step next to `step`; the last one for null. */
export function placeOf({ step }: Losses, wanted: number | null): number {
  if (wanted === null) return step.length - 1;
  const after = step.findIndex((one) => one >= wanted);
  if (after < 0) return step.length - 1;
  return after > 0 && wanted - step[after - 1] < step[after] - wanted ? after - 1 : after;
}

/** Four digits are enough for a look; the log of the training has all. */
export function number(value: number | null): string {
  return value === null ? "not a number" : String(Number(value.toPrecision(4)));
}
