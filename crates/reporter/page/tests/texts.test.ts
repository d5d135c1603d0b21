import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import type { Column, RunPage } from "../src/data";
import { applied } from "../src/picks/store";
import { picksToml, readPicks } from "../src/picks/format";
import { asA1111, asCommand, asToml } from "../src/text/settings";

function column(name: string, values: string[], type: Column["type"] = "text", kind: Column["kind"] = "setting"): Column {
  return { name, kind, type, values, index: values.length > 1 ? [...values.keys()] : null, help: "" };
}

function page(columns: Column[], axes: RunPage["grid"]["axes"] = []): RunPage {
  return { version: "0.1.0", grid: { axes }, pictures: { columns, toml_head: 'model = "sketchbook"\n' } } as unknown as RunPage;
}

describe("TOML", () => {
  test("adds what is not constant, typed and escaped", () => {
    const columns = [
      column("model", ["sketchbook"]), column("prompt", ["x", 'a "cat" {or} \\ dog\u2028\n</script>']), column("seed", ["1", "18"], "number"),
      column("zero_snr", ["true", "false"], "boolean"), column("eta", ["0.5", ""], "number"), column("artist", ["a", "b"], "text", "placeholder"),
    ];
    const toml = asToml(page(columns), 1);
    expect(parse(toml)).toEqual({ model: "sketchbook", prompt: 'a "cat" {{or}} \\ dog\u2028\n</script>', seed: 18, zero_snr: false });
    expect(toml.split("\n")).toHaveLength(5);
  });
});

describe("A1111", () => {
  const settings: [string, string][] = [
    ["model", "models/mine: v1, \"final\".safetensors"], ["vae", ""], ["lora", "loras/ink.safetensors:0.8 + hands"], ["prompt", "portrait of a cat"],
    ["negative_prompt", "blurry,\nNegative prompt: twice\nSteps: 9"], ["init_image", "in.png"], ["strength", "0.3"], ["seed", "7"], ["noise", "torch-cuda"],
    ["variation_strength", "0"], ["variation_seed", "3"], ["steps", "20"], ["guidance_scale", "7.5"], ["guidance_rescale", "0.7"], ["scheduler", "euler_a"],
    ["eta", ""], ["sigmas", "karras"], ["width", "24"], ["height", "16"], ["clip_skip", "1"],
  ];
  test("everything as the pictures have it", () => {
    expect(asA1111(page(settings.map(([name, value]) => column(name, [value]))), 0)).toBe(
      "portrait of a cat <lora:ink:0.8> <lora:hands:1>\nNegative prompt: blurry,\nNegative  prompt: twice Steps: 9\n" +
        'Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 7, Size: 24x16, Model: "mine: v1, \\"final\\"", ' +
        "Denoising strength: 0.3, Clip skip: 2, CFG Rescale: 0.7, RNG: NV, Version: maquette 0.1.0",
    );
  });
});

describe("A1111's ControlNet", () => {
  const unit = (changes: Record<string, string>) => {
    const given = { controlnet: "controlnet/canny, v1.safetensors", control_image: "edges.png", controlnet_conditioning_scale: "0.5", ...changes };
    return asA1111(page(Object.entries(given).map(([name, value]) => column(name, [value]))), 0);
  };
  test("the first unit, where it has an effect", () => {
    expect(unit({ fit: "crop", control_guidance_end: "0.8" })).toContain(
      'ControlNet 0: "Module: none, Model: canny v1, Weight: 0.5, Resize Mode: Crop and Resize, Guidance Start: 0, Guidance End: 0.8, ' +
        'Pixel Perfect: False, Control Mode: Balanced"',
    );
    expect(unit({})).toContain("Resize Mode: Just Resize, Guidance Start: 0, Guidance End: 1,");
    for (const [name, value] of [["controlnet_conditioning_scale", "0"], ["control_image", ""], ["control_guidance_start", "1"]])
      expect(unit({ [name]: value })).not.toContain("ControlNet");
  });
});

describe("command line", () => {
  test.each([
    ["Edvard Munch", "--only artist='Edvard Munch'"], ["7", "--only artist=7"], ["O'Keeffe", "--only artist='\"O'\\''Keeffe\"'"],
    ["a, b", "--only artist='\"a, b\"'"], ["$(rm -rf)", "--only artist='$(rm -rf)'"], ["", "--only artist="], ["`x`;\\", "--only artist='\"`x`;\\\\\"'"],
  ])("%s", (value, expected) => {
    const axes = [{ name: "artist", values: [{ label: "x", set: [["artist", value]] as [string, string][] }] }];
    expect(asCommand(page([], axes), [0])).toBe(`maquette run experiment.toml ${expected}`);
  });
});

describe("picks.toml", () => {
  const [a, b, c] = ["a", "b", "c"].map((digit) => digit.repeat(64));
  test("cells sorted, empty ones left out", () => {
    expect(picksToml("mucha@1", { [b]: { mark: "reject" }, [a]: { mark: "pick", note: 'the "hand"\nis good' }, [c]: {} })).toBe(
      `# Picks of mucha@1. Written by \`maquette review\` and by the run's page.\n\n[cells.${a}]\nmark = "pick"\nnote = "the \\"hand\\"\\nis good"\n\n[cells.${b}]\nmark = "reject"\n`,
    );
  });
  test("is read back", () => {
    const picks = { [a]: { mark: "pick" as const, note: "</script>\u2028'\"" }, [b]: { note: "only a note" } };
    expect(readPicks(picksToml("x\ny", picks))).toEqual(picks);
    expect(readPicks("")).toEqual({});
  });
  test.each([
    ["cells = 3", /`cells` is not a table/], ["[cells.abc]\nmark = 'pick'", /`abc` is not the name of a cell/], [`[cells.${a}]\nmark = "best"`, /neither "pick" nor "reject"/],
    [`[cells.${a}]\nnote = 3`, /is not a text/], ["<html>", /Invalid TOML/],
  ])("refuses %j", (text, reason) => expect(() => readPicks(text)).toThrow(reason));
  test("a change leaves what it does not name", () => {
    expect(applied({ mark: "pick", note: "n" }, { mark: null })).toEqual({ note: "n" });
    expect(applied({ mark: "pick" }, { note: "x" })).toEqual({ mark: "pick", note: "x" });
    expect(applied(undefined, { note: "" })).toEqual({});
  });
});
