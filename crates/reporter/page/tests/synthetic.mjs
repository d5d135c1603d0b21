// Makes folders like those of runs, with small pictures, for the tests in a browser and for measuring.
// node tests/synthetic.mjs FOLDER [small|large|hostile|running|all]
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const HERE = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Text that must stay text wherever it is shown. */
export const HOSTILE = [
  `<script>window.hacked = "script"</script>`,
  `</script><script>window.hacked = "closed"</script>`,
  `<img src=x onerror="window.hacked = 'img'">`,
  `"'& &amp; &lt;b&gt; \${window.hacked = 1} {{title}}`,
  `line\u2028separator\u2029paragraph\nnewline\ttab`,
  `\u202Eright to left override\u202C مرحبا بالعالم`,
  "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(3),
  `javascript:window.hacked=2`,
  `]]> --> \\u003c \\' \\" \\`,
  "👩‍🎨 日本語のラベル 한국어",
];

const RUNS = {
  /** 12 cells: two artists, three strengths, two seeds; one failed, one missing, one draft. */
  small: () => run({
    name: "portraits", title: "Two painters", count: 12,
    axes: [axis("artist", ["Alphonse Mucha", "Edvard Munch"]), axis("strength", ["0.3", "0.6", "0.9"]), axis("seed", ["7", "8"])],
    rows: "artist", columns: "strength", failed: [5], missing: [10], drafts: [2],
  }),
  /** 10,000 cells on two axes, so that all of them are on one sheet. */
  large: () => run({
    name: "large", title: "Ten thousand pictures",
    axes: [axis("artist", numbered("Artist", 100)), axis("seed", numbers(0, 100))],
    rows: "artist", columns: "seed", failed: [37], missing: [38],
  }),
  /** The same with a thumbnail file for each picture, to measure with: slow to write. */
  measured: () => ({ ...RUNS.large(), filed: true }),
  /** Five axes, one of them a zip and one numeric with many values; some positions left out. */
  deep: () => run({
    name: "deep", title: "",
    axes: [
      axis("artist", ["Alphonse Mucha", "Vincent van Gogh", "Edvard Munch"]),
      { name: "sampling", values: [["slow", "ddim", "50"], ["fast", "euler_a", "20"]].map(([label, scheduler, steps]) => ({ label, set: [["scheduler", scheduler], ["steps", steps]] })) },
      axis("strength", numbers(0, 24).map((n) => String(Math.round((0.3 + n * 0.025) * 1000) / 1000))),
      axis("guidance_scale", ["3", "5", "7.5"]), axis("seed", ["7", "8", "9"]),
    ],
    rows: "artist", columns: "guidance_scale", leaveOut: (position) => position % 11 === 10,
  }),
  hostile: () => run({
    name: "hostile", title: HOSTILE[0],
    axes: [axis("artist", HOSTILE), axis(`<b>"axis"</b> = & ,`, [HOSTILE[2], HOSTILE[5], "plain"])],
    rows: "artist", columns: `<b>"axis"</b> = & ,`, failed: [1, 4, 7], missing: [8], problem: HOSTILE.join(" "), notes: HOSTILE,
  }),
  running: () => run({
    name: "running", title: "A run that goes on", state: "running",
    axes: [axis("artist", ["Alphonse Mucha", "Edvard Munch"]), axis("strength", ["0.3", "0.6", "0.9"]), axis("seed", ["7", "8"])],
    rows: "artist", columns: "strength", missing: [6, 7, 8, 9, 10, 11],
  }),
};

function numbers(from, count) {
  return Array.from({ length: count }, (_, i) => String(from + i));
}

function numbered(word, count) {
  return numbers(1, count).map((n) => `${word} ${n}`);
}

function axis(name, values) {
  return { name, values: values.map((value) => ({ label: value, set: [[name, value]] })) };
}

export function hash(text) {
  return createHash("sha256").update(text).digest("hex");
}

/** The data of a run's page. */
export function run({ name, title, axes, rows, columns, failed = [], missing = [], drafts = [], leaveOut, problem, notes = [], state }) {
  const positions = axes.reduce((product, one) => product * one.values.length, 1);
  const kept = Array.from({ length: positions }, (_, i) => i).filter((i) => !leaveOut?.(i));
  const coordinates = (position) => {
    let rest = position;
    return [...axes].reverse().map(({ values }) => {
      const value = rest % values.length;
      rest = Math.floor(rest / values.length);
      return value;
    }).reverse();
  };
  const cells = kept.map((position) => hash(`${name} ${position}`));
  const status = kept.map((_, i) => (failed.includes(i) ? "failed" : missing.includes(i) ? "missing" : "done"));
  const all = kept.map((position) => coordinates(position));
  const sets = all.map((at) => Object.fromEntries(at.flatMap((value, i) => axes[i].values[value].set)));
  const names = [...new Set(axes.flatMap(({ values }) => values.flatMap(({ set }) => set.map(([key]) => key))))];
  const noise = (i, salt) => (parseInt(hash(`${salt} ${i}`).slice(0, 8), 16) / 2 ** 32);
  const numeric = new Set(["strength", "seed", "guidance_scale", "steps"]);
  const settings = names.map((key) => column(key, "setting", numeric.has(key) ? "number" : "text", sets.map((set) => set[key])));
  for (const one of settings) if (one.name === "artist" || one.name.startsWith("<")) one.kind = "placeholder";
  const prompts = sets.map((set) => `portrait of a man with brown hair and a beard, by ${set.artist}`);
  const seconds = all.map((_, i) => (status[i] === "done" ? (0.4 + noise(i, "seconds")).toFixed(3) : ""));
  const likeness = all.map((at, i) => (status[i] === "done" ? (0.2 + 0.6 * (1 - at[1] / axes[1].values.length) + 0.2 * noise(i, "likeness")).toFixed(4) : ""));
  const sharpness = all.map((_, i) => (status[i] === "done" ? (100 * noise(i, "sharpness")).toFixed(2) : ""));
  const dssim = all.map((_, i) => (status[i] === "done" ? noise(i, "dssim").toFixed(4) : ""));
  const constant = (key, value, type = "text", kind = "setting") => ({ name: key, kind, type, values: [value], index: null, help: "" });
  const data = {
    format: 1, kind: "run", version: "0.1.0", revision: `${name} 1`,
    run: {
      name: `${name}@1`, experiment: name, number: 1, title, state: state ?? (missing.length ? "incomplete" : "complete"), notes,
      toml: `title = ${JSON.stringify(title)}\nmodel = "sketchbook"\n`,
    },
    grid: { axes, kept: leaveOut ? kept : null, picture: kept.map((_, i) => i), rows, columns },
    pictures: {
      count: kept.length, cell: cells, status,
      image: cells.map((cell, i) => (status[i] === "done" ? `images/${cell.slice(0, 16)}.png` : null)),
      size: cells.map(() => [128, 160]),
      problem: status.map((one) => (one === "failed" ? (problem ?? "out of memory: the device has 6.0 GiB, 7.2 GiB are needed. Reduce width and height.") : null)),
      draft: status.map((_, i) => drafts.includes(i)),
      thumbnails: [{ folder: "page/thumbnails/96", edge: 96, spread: false }],
      thumbnail: status.map((one) => one === "done"),
      reference: cells.map(() => 0), references: [{ image: "inputs/reference.png", size: [128, 160] }],
      columns: [
        constant("model", "sketchbook"), constant("lora", ""), column("prompt", "setting", "text", prompts), constant("negative_prompt", "blurry"), constant("dialect", "plain"),
        constant("init_image", "references/selfie.png"), ...settings.filter(({ kind }) => kind === "setting"),
        ...[["steps", "20"], ["guidance_scale", "5"], ["scheduler", "pndm"]].filter(([key]) => !names.includes(key)).map(([key, value]) => constant(key, value, key === "scheduler" ? "text" : "number")),
        constant("width", "128", "number"), constant("height", "160", "number"), constant("noise", "torch-cpu"), constant("safety_checker", "false", "boolean"),
        constant("subject", "a man with brown hair and a beard", "text", "placeholder"), ...settings.filter(({ kind }) => kind === "placeholder"),
        column("seconds", "outcome", "number", seconds), constant("device", "cpu", "text", "outcome"), column("note", "outcome", "text", all.map(() => "")),
        { ...column("likeness", "metric", "number", likeness), help: "Cosine similarity to the reference picture.", better: "higher", range: [-1, 1] },
        { ...column("dssim", "metric", "number", dssim), help: "Structural dissimilarity to the reference picture.", better: "lower", range: [0, null] },
        { ...column("sharpness", "metric", "number", sharpness), help: "Variance of the Laplacian.", better: null, range: [0, null] },
      ],
      toml_head: `title = ${JSON.stringify(title)}\nmodel = "sketchbook"\nnegative_prompt = "blurry"\ninit_image = "references/selfie.png"\n`,
    },
    ancestry: [], picks: {}, votes: [], effects: [],
  };
  return data;
}

/** A column, with equal values stored once. */
function column(name, kind, type, all) {
  const values = [...new Set(all)];
  const places = new Map(values.map((value, i) => [value, i]));
  return { name, kind, type, values, index: all.map((value) => places.get(value)), help: "" };
}

/** A script that calls a function with JSON: what must not end a string or a script is escaped. */
export function call(name, value) {
  const json = JSON.stringify(value).replace(/[\\'\u2028\u2029<]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${name}('${json}')\n`;
}

/** A face that differs with the seed, so that pictures can be told apart by eye. */
function drawing(seed, title) {
  const value = (salt, low, high) => low + (high - low) * (parseInt(hash(`${salt}${seed}`).slice(0, 8), 16) / 2 ** 32);
  const hue = Math.round(value("hue", 0, 360));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="128" height="160">
    <rect width="128" height="160" fill="hsl(${hue} 35% ${value("l", 55, 80)}%)"/>
    <ellipse cx="64" cy="165" rx="52" ry="42" fill="hsl(${(hue + 150) % 360} 40% 35%)"/>
    <ellipse cx="64" cy="74" rx="${value("w", 28, 38)}" ry="${value("h", 38, 48)}" fill="hsl(28 45% ${value("skin", 55, 82)}%)"/>
    <path d="M28 66 Q64 ${value("hair", -10, 30)} 100 66 Q64 ${value("fringe", 40, 60)} 28 66" fill="hsl(25 50% ${value("dark", 12, 40)}%)"/>
    <circle cx="52" cy="72" r="4"/><circle cx="76" cy="72" r="4"/>
    <path d="M50 98 Q64 ${value("smile", 90, 114)} 78 98" stroke="#722" stroke-width="3" fill="none"/>
    <text x="64" y="152" font-size="12" text-anchor="middle" fill="#fff" font-family="sans-serif">${title}</text></svg>`;
}

/** Writes a run's folder; large runs reuse 200 pictures, each under a URL of its own. */
export async function write(folder, kind) {
  const data = RUNS[kind]();
  const { pictures } = data;
  const filed = data.filed || pictures.count < 2000;
  delete data.filed;
  if (!filed) {
    pictures.image = pictures.image.map((image, i) => image && `images/${i % 200}.webp?${i}`);
    pictures.thumbnail = pictures.thumbnail.map(() => false);
  }
  for (const sub of ["images", "inputs", "page/thumbnails/96"]) mkdirSync(join(folder, sub), { recursive: true });
  await sharp(Buffer.from(drawing("reference", "reference"))).png().toFile(join(folder, "inputs/reference.png"));
  const distinct = new Map();
  for (let i = 0; i < pictures.count; i++) {
    const [image, thumbnail] = [`images/${pictures.cell[i].slice(0, 16)}.png`, `page/thumbnails/96/${pictures.cell[i].slice(0, 16)}.webp`];
    if (kind !== "running" && filed && pictures.status[i] !== "done") continue;
    const which = i % 200;
    if (!distinct.has(which)) {
      const picture = sharp(Buffer.from(drawing(which, String(which))));
      distinct.set(which, [await picture.png().toBuffer(), await picture.resize(77, 96).webp({ quality: 80 }).toBuffer()]);
    }
    const [png, webp] = distinct.get(which);
    if (!filed && i >= 200) break;
    writeFileSync(join(folder, filed ? image : `images/${which}.webp`), filed && pictures.count < 2000 ? png : webp);
    if (filed) writeFileSync(join(folder, thumbnail), webp);
  }
  for (const file of ["app.js", "app.css"]) copyFileSync(join(HERE, "dist", file), join(folder, "page", file));
  const title = data.run.title || data.run.name;
  const escaped = title.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  writeFileSync(join(folder, "index.html"), readFileSync(join(HERE, "index.html"), "utf8").replace("{{title}}", () => escaped));
  writeData(folder, data);
  return data;
}

/** Writes `data.js` and `state.js`, by a process that says forever that it goes on, or did last at `written`. */
export function writeData(folder, data, written = Date.UTC(2100, 0) / 1000) {
  writeFileSync(join(folder, "page/data.js"), call("maquettePage", data));
  const done = data.pictures.status.filter((status, at) => status === "done" && !data.pictures.draft[at]).length;
  writeFileSync(join(folder, "page/state.js"), call("maquetteState", { revision: data.revision, state: data.run.state, done, total: data.pictures.count, written }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, which = "all"] = process.argv.slice(2);
  const all = Object.keys(RUNS).filter((kind) => kind !== "measured");
  for (const kind of which === "all" ? all : [which]) {
    await write(join(folder, kind), kind);
    console.log(join(folder, kind, "index.html"));
  }
}
