// The settings of a picture as text for other places: TOML, A1111's `parameters`, a command line.
import { stringify } from "smol-toml";
import type { Column, RunPage } from "../data";
import { isConstant, valueOf } from "../model/cells";
import { number } from "../model/filter";

/** An experiment of this one picture. */
export function asToml(page: RunPage, picture: number): string {
  const lines = page.pictures.columns
    .filter((column) => column.kind === "setting" && !isConstant(column) && valueOf(column, picture) !== "")
    .map((column) => `${tomlKey(column.name)} = ${tomlValue(column, valueOf(column, picture))}`);
  const head = page.pictures.toml_head.trimEnd();
  return [...(head ? [head] : []), ...lines].join("\n") + "\n";
}

/** Settings in which `{name}` is a placeholder, so that a brace of the text itself is doubled. */
const WITH_PLACEHOLDERS = [
  "lora", "prompt", "negative_prompt", "init_image", "mask", "controlnet", "control_image", "ip_adapter", "ip_adapter_image",
];

function tomlValue(column: Column, value: string): string {
  if (column.type !== "text") return value;
  return tomlText(WITH_PLACEHOLDERS.includes(column.name) ? value.replace(/[{}]/g, "$&$&") : value);
}

/** A TOML string on one line. */
export function tomlText(text: string): string {
  return stringify({ t: text }).slice("t = ".length).trimEnd();
}

function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : tomlText(name);
}

/** A1111's names of schedulers and of sigmas, as in `crates/interop/src/sampling.rs`. */
const SAMPLERS: Record<string, string> = {
  pndm: "PLMS", ddim: "DDIM", euler: "Euler", euler_a: "Euler a", ddpm: "DDPM", heun: "Heun", dpmpp_2m: "DPM++ 2M", unipc: "UniPC", lcm: "LCM",
};
const SCHEDULES: Record<string, string> = { normal: "Uniform", karras: "Karras", exponential: "Exponential" };

/** What the A1111 web UI writes into pictures; what is unknown to the page (hashes) is left out. */
export function asA1111(page: RunPage, picture: number): string {
  const get = (name: string) => {
    const column = page.pictures.columns.find((one) => one.name === name && one.kind === "setting");
    return column ? valueOf(column, picture) : "";
  };
  const above = (name: string, limit: number) => ((number(get(name)) ?? limit) > limit ? get(name) : "");
  const varied = above("variation_strength", 0);
  const pairs: [string, string][] = [
    ["Steps", get("steps")],
    ["Sampler", SAMPLERS[get("scheduler")] ?? get("scheduler")],
    ["Schedule type", SCHEDULES[get("sigmas")] ?? get("sigmas")],
    ["CFG scale", get("guidance_scale")],
    ["Seed", get("seed")],
    ["Size", get("width") && get("height") && `${get("width")}x${get("height")}`],
    ["Model", fileStem(get("model"))],
    ["VAE", get("vae").split(/[/\\]/).pop()!],
    ["Variation seed", varied && get("variation_seed")],
    ["Variation seed strength", varied],
    ["Denoising strength", get("init_image") && get("strength")],
    // A1111 counts layers from the end, diffusers counts the layers left out: 2 there is 1 here.
    ["Clip skip", above("clip_skip", 0) && String(Number(get("clip_skip")) + 1)],
    ["Eta DDIM", above("eta", 0)],
    ["CFG Rescale", above("guidance_rescale", 0)],
    ["ControlNet 0", controlnet(get)],
    ["RNG", get("noise") && (get("noise") === "torch-cuda" ? "NV" : "CPU")],
    ["Version", `maquette ${page.version}`],
  ];
  const negative = get("negative_prompt");
  return [
    safePrompt(get("prompt")) + loras(get("lora")),
    ...(negative ? [`Negative prompt: ${safePrompt(negative)}`] : []),
    pairs.filter(([, value]) => value !== "").map(([key, value]) => `${key}: ${quoted(value)}`).join(", "),
  ].join("\n").trim();
}

/** How A1111's ControlNet extension names `fit`, as in `crates/interop/src/a1111_text.rs`. */
const RESIZE_MODES: Record<string, string> = {
  stretch: "Just Resize", crop: "Crop and Resize", top: "Crop and Resize", contain: "Resize and Fill",
};

/** The first unit of that extension, or nothing if no ControlNet has an effect. */
function controlnet(get: (name: string) => string): string {
  const [weight, start, end] = [
    get("controlnet_conditioning_scale") || "1", get("control_guidance_start") || "0", get("control_guidance_end") || "1",
  ];
  const hasEffect = get("controlnet") && get("control_image") && Number(weight) !== 0 && Number(start) < Number(end);
  return hasEffect
    ? `Module: none, Model: ${fileStem(get("controlnet")).replace(/[,:{}"]/g, "")}, Weight: ${weight}, Resize Mode: ${RESIZE_MODES[get("fit")] ?? "Just Resize"}, ` +
        `Guidance Start: ${start}, Guidance End: ${end}, Pixel Perfect: False, Control Mode: Balanced`
    : "";
}

/** `style:0.8 + hands` as A1111 writes it into the prompt: ` <lora:style:0.8> <lora:hands:1>`. */
function loras(list: string): string {
  return list.split(" + ").filter((one) => one.trim() && one.trim() !== "none").map((one) => {
    const found = /^(.*?)((?::-?[\d.]+){0,2})$/.exec(one.trim())!;
    return ` <lora:${fileStem(found[1])}${found[2] || ":1"}>`;
  }).join("");
}

/** A prompt must not be read as the lines after it; only white space changes. The same as in `crates/interop`. */
function safePrompt(prompt: string): string {
  return prompt.replaceAll("\0", " ").replace(/\n(\s*Steps:)/g, " $1").replace(/^[^\S\n]*Negative prompt:/gm, "Negative  prompt:");
}

/** As A1111 quotes values: JSON where the value would break the list of pairs. */
function quoted(value: string): string {
  return /[,:\n\r"]/.test(value) ? JSON.stringify(value) : value;
}

function fileStem(path: string): string {
  return path.split(/[/\\]/).filter(Boolean).pop()?.replace(/\.(safetensors|ckpt|pt|bin)$/, "") ?? path;
}

/** The command that renders this cell of the run's experiment again. */
export function asCommand(page: RunPage, at: readonly number[]): string {
  const only = page.grid.axes.flatMap((axis, index) => axis.values[at[index]]?.set ?? []).map(([name, value]) => {
    // Numbers as they are; text as a TOML string where a comma, quote or bracket would be read as TOML.
    const plain = /^[^,"'[\]{}\\]*$/.test(value) && value === value.trim();
    return `--only ${shell(`${name}=${plain ? value : tomlText(value)}`)}`;
  });
  return ["maquette run experiment.toml", ...only].join(" ");
}

/** An argument for a POSIX shell. */
export function shell(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  const [name, ...rest] = argument.split("=");
  const value = rest.join("=").replaceAll("'", `'\\''`);
  return /^[\w.-]+$/.test(name) ? `${name}='${value}'` : `'${argument.replaceAll("'", `'\\''`)}'`;
}
