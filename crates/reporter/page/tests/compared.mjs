// Makes the folder of a comparison, and those of runs with what the other views show, for the tests in a browser.
// node tests/compared.mjs FOLDER
import { mkdirSync, copyFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { call, hash, HOSTILE, run, writeData } from "./synthetic.mjs";

const SIZE = [96, 120];
const ARTISTS = ["Alphonse Mucha", "Gustav Klimt", "Egon Schiele", "Edvard Munch"];
const STRENGTHS = ["0.3", "0.45", "0.6", "0.75", "0.9"];
const SEEDS = ["7", "8", "9"];

/** The data of a comparison: pairs of every outcome, and more identical ones than fit on a screen. */
export function comparison({ pairs = 60, hostile = false } = {}) {
  const cell = (side, at, label) => ({
    cell: hash(`${side} ${at}`), label: hostile ? HOSTILE[at % HOSTILE.length] : label, image: `images/${side}-${at % 12}.png`, thumbnail: null, size: SIZE, problem: null,
  });
  const outcome = (at) => ["different", "identical", "different", "sizes", "no_picture"][at < 5 ? at : at % 2];
  const all = Array.from({ length: pairs }, (_, at) => {
    const label = `${ARTISTS[at % 4]}, ${STRENGTHS[at % 5]}, ${at}`;
    const pair = {
      left: cell("left", at, label), right: cell("right", at, label), settings: [], unexplained: at === 2, outcome: outcome(at),
      mean_difference: outcome(at) === "different" ? 1 + ((at * 7) % 40) : null, psnr: outcome(at) === "different" ? 40 - ((at * 7) % 40) / 2 : null,
    };
    if (at === 0) {
      pair.settings = [
        { name: "prompt", left: "portrait of a man, oil on canvas", right: "portrait of a man, tempera on wood, at night" },
        { name: "strength", left: "0.6", right: "0.75" },
      ];
    }
    if (outcome(at) === "identical") pair.right = { ...pair.right, image: pair.left.image };
    if (outcome(at) === "no_picture") pair.right = { ...pair.right, image: null, problem: "out of memory: the device has 6.0 GiB" };
    if (outcome(at) === "sizes") pair.right = { ...pair.right, size: [64, 64], image: "images/small.png" };
    return pair;
  });
  return {
    format: 1, kind: "diff", version: "0.1.0", revision: "1", left: "mucha@1", right: hostile ? HOSTILE[2] : "mucha@2",
    pairing: ["Cells are paired by the values of artist, strength and seed.", "The axis `style` of mucha@1 is `artist` in mucha@2: it has the same values."],
    settings: [{ name: "scheduler", left: "ddim", right: "euler_a" }, { name: "negative_prompt", left: hostile ? HOSTILE[0] : "blurry, low quality", right: "blurry" }, { name: "eta", left: "0.5", right: null }],
    pairs: all, only_left: [cell("left", 3, "Gustav Klimt, 0.3, 11")], only_right: [cell("right", 4, "Egon Schiele, 0.9, 7"), cell("right", 5, "Egon Schiele, 0.9, 8")],
  };
}

/** A run of four artists, five strengths and three seeds: all finished but one, with a parent and variance shares. */
export function votable() {
  const axes = [["artist", ARTISTS], ["strength", STRENGTHS], ["seed", SEEDS]].map(([name, values]) => ({
    name, values: values.map((value) => ({ label: value, set: [[name, value]] })),
  }));
  const data = run({ name: "painters", title: "Four painters", axes, rows: "artist", columns: "strength", failed: [5] });
  data.ancestry = [
    { run: "painters@0", page: "../0/index.html", cells: [{ cell: hash("a"), label: "Alphonse Mucha, 0.6", image: "images/left-0.png" }, { cell: hash("b"), label: "Gustav Klimt, 0.45", image: null }] },
    { run: "sketches@3", page: null, cells: [] },
  ];
  data.effects = [{
    measure: "pixels", about: "Squared distances of blurred Lab pixels.",
    shares: [{ axes: ["artist"], share: 0.41 }, { axes: ["strength"], share: 0.33 }, { axes: ["seed"], share: 0.0004 }, { axes: ["artist", "strength"], share: 0.14 }],
    rest: 0.1196,
    values: [{ axis: "artist", distance: [1.2, 1, 1.1, 4.2], outlier: 3 }, { axis: "strength", distance: [1, 1, 1, 1, 1], outlier: null }],
    idle: ["seed"],
    complete: true,
  }];
  return data;
}

/** A training after `done` of its 60 steps, with two samples every ten steps. The learning rate of a long one falls. */
export function training(done, change = {}) {
  const steps = Array.from({ length: done }, (_, at) => at + 1);
  const loss = steps.map((step) => 0.4 / Math.sqrt(step) + 0.15 * (parseInt(hash(`loss ${step}`).slice(0, 4), 16) / 65_536));
  const mean = loss.map((_, at) => loss.slice(Math.max(0, at - 5), at + 1)).map((last) => last.reduce((sum, one) => sum + one, 0) / last.length);
  const sampled = steps.filter((step) => step % 10 === 0);
  return {
    subject: "me", word: "sks man", model: "sketchbook", method: "lora", images: 5, class_images: 40, rank: 16, num_vectors: null,
    learning_rate: 0.001, steps: 60, last_step: 60, done, seconds: done * 1.5,
    losses: { window: 6, step: steps, loss, mean, learning_rate: steps.map(() => 0.001) },
    samples: sampled.flatMap((step) => [0, 1].map((number) => ({ step, number, image: `images/left-${(step / 10 + number) % 12}.png` }))),
    ...change,
  };
}

/** A run that goes on: one training is done, one is not, and one, with hostile names, has not begun. */
export function trained() {
  const axes = [["subject", ["none", "me", "cat"]], ["artist", ARTISTS]].map(([name, values]) => ({
    name, values: values.map((value) => ({ label: value, set: [[name, value]] })),
  }));
  const data = run({ name: "trained", title: "Two subjects", axes, rows: "subject", columns: "artist", state: "running", missing: Array.from({ length: 12 }, (_, at) => at) });
  const warmed = training(60);
  warmed.losses.learning_rate = warmed.losses.step.map((step) => 0.0005 * (1 + Math.cos((Math.PI * step) / 60)));
  const inversion = { subject: "cat", word: "qxz", method: "textual-inversion", rank: null, num_vectors: 4, class_images: 0 };
  const hostile = training(0, { subject: HOSTILE[0], word: HOSTILE[2], model: HOSTILE[6] });
  return { ...data, trainings: [warmed, training(25, inversion), hostile] };
}

/** Writes all below `folder`, beside the built page. */
export async function makeViews(folder) {
  await write(join(folder, "comparison"), comparison());
  await write(join(folder, "hostile-comparison"), comparison({ pairs: 12, hostile: true }));
  await write(join(folder, "large-comparison"), comparison({ pairs: 10_000 }));
  await write(join(folder, "painters"), votable());
  await write(join(folder, "trained"), trained());
}

async function write(folder, data) {
  const built = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
  mkdirSync(join(folder, "page"), { recursive: true });
  mkdirSync(join(folder, "images"), { recursive: true });
  for (const file of ["app.js", "app.css"]) copyFileSync(join(built, file), join(folder, "page", file));
  copyFileSync(join(built, "..", "index.html"), join(folder, "index.html"));
  for (let at = 0; at < 12; at++) {
    await picture(join(folder, "images", `left-${at}.png`), 30 * at, 40);
    await picture(join(folder, "images", `right-${at}.png`), 30 * at, 50);
  }
  await picture(join(folder, "images", "small.png"), 200, 50, [64, 64]);
  if (data.kind === "diff") {
    writeFileSync(join(folder, "page", "data.js"), call("maquettePage", data));
    return;
  }
  mkdirSync(join(folder, "inputs"), { recursive: true });
  await picture(join(folder, "inputs", "reference.png"), 200, 40);
  for (const [at, image] of data.pictures.image.entries()) if (image) await picture(join(folder, image), 24 * Math.floor(at / 15), 20 + (at % 15) * 4);
  data.pictures.thumbnail.fill(false);
  writeData(folder, data);
}

/** A head on a ground, in colours that tell pictures apart. */
async function picture(file, hue, radius, [width, height] = SIZE) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 120" width="${width}" height="${height}"><rect width="96" height="120" fill="hsl(${hue} 40% 80%)"/><ellipse cx="48" cy="56" rx="${radius * 0.7}" ry="${radius}" fill="hsl(${hue + 30} 50% 55%)"/><circle cx="36" cy="50" r="4"/><circle cx="60" cy="50" r="4"/></svg>`;
  await sharp(Buffer.from(svg)).png().toFile(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await makeViews(process.argv[2]);
