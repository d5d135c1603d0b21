import { afterEach, describe, expect, test, vi } from "vitest";
import { maskCommand, moved, pathOnDisk, pointAt, type Point } from "../src/mask/points";
import { about, listMasks, makeMask, saveMask } from "../src/mask/server";
import { referenceName, subjects } from "../src/mask/subject";
import type { Model } from "../src/model";

describe("points", () => {
  const box = { left: 100, top: 50, width: 256, height: 128 };
  test.each<[number, number, Point | null]>([
    [100, 50, [0, 0]], [355.9, 177.9, [511, 255]], [228, 114, [256, 128]], [101, 51, [2, 2]],
    [99.9, 60, null], [356, 60, null], [120, 49, null], [120, 178, null],
  ])("a click at %s, %s", (x, y, expected) => {
    expect(pointAt(box, [512, 256], x, y)).toEqual(expected);
  });

  test.each<[Point, string, boolean, Point]>([
    [[100, 100], "ArrowRight", true, [101, 100]], [[100, 100], "ArrowUp", true, [100, 99]], [[100, 100], "ArrowLeft", false, [89, 100]],
    [[100, 100], "ArrowDown", false, [100, 111]], [[3, 3], "ArrowLeft", false, [0, 3]], [[511, 255], "ArrowDown", true, [511, 255]],
    [[505, 3], "ArrowRight", false, [511, 3]], [[5, 5], "Home", false, [5, 5]],
  ])("from %s by %s", (from, key, fine, expected) => {
    expect(moved(from, key, [512, 256], fine)).toEqual(expected);
  });

  test("a small picture is still walked by whole pixels", () => {
    expect(moved([3, 3], "ArrowRight", [16, 8], false)).toEqual([4, 3]);
  });
});

describe("the command", () => {
  test.each<[string, Point[], boolean, string]>([
    ["runs/m/1/references/selfie-1a2b3c4d.png", [[256, 200]], false, "maquette mask runs/m/1/references/selfie-1a2b3c4d.png --at 256,200 -o mask.png"],
    ["/my runs/a'b.png", [[1, 2], [0, 0]], true, "maquette mask '/my runs/a'\\''b.png' --at 1,2 --at 0,0 --invert -o mask.png"],
    ["a.png", [], false, "maquette mask a.png --at X,Y -o mask.png"],
    ["a=b c.png", [], false, "maquette mask a='b c.png' --at X,Y -o mask.png"],
  ])("for %s", (file, points, invert, expected) => {
    expect(maskCommand(file, points, invert)).toBe(expected);
  });

  test.each([
    ["file:///home/me/my%20runs/m/1/index.html#view=mask", "references/gr%C3%B6%C3%9Fe.png", "/home/me/my runs/m/1/references/größe.png"],
    ["file:///C:/runs/m/1/index.html", "images/a.png", "C:/runs/m/1/images/a.png"],
    ["file:///runs/m/1/index.html", "images/100%.png", "/runs/m/1/images/100%.png"],
    ["http://127.0.0.1:8000/m/1/", "images/a%20b.png", "images/a b.png"],
  ])("names the file beside %s", (page, file, expected) => {
    expect(pathOnDisk(page, file)).toBe(expected);
  });
});

describe("pictures", () => {
  const cell = ["a".repeat(64), "b".repeat(64), "c".repeat(64)];
  const model = (focused: number) =>
    ({
      focused: () => focused,
      view: { at: [focused] },
      page: () => ({ grid: { axes: [{ name: "artist", values: ["Mucha", "Klimt", "Munch"].map((label) => ({ label, set: [] })) }] } }),
      pictures: () => ({
        cell, image: ["images/a.png", "images/b.png", null], draft: [false, true, false], reference: [0, null, 0],
        references: [{ image: "references/selfie-1a2b3c4d.png", size: [8, 8] }],
      }),
    }) as unknown as Model;
  const found = (focused: number) => subjects(model(focused)).map(({ kind, image, name }) => [kind, image, name]);
  test("the reference picture first; no drafts", () => {
    const reference = ["reference", "references/selfie-1a2b3c4d.png", "selfie"];
    expect(found(0)).toEqual([reference, ["cell", "images/a.png", "Mucha"]]);
    expect(found(1)).toEqual([]);
    expect(found(2)).toEqual([reference]);
    expect(found(-1)).toEqual([]);
  });
  test.each([["references/gr%C3%B6%C3%9Fe-1a2b3c4d.jpg", "größe"], ["inputs/photo.png", "photo"], ["a-12345678-1a2b3c4d", "a-12345678"], ["x/100%-1a2b3c4d.png", "100%-1a2b3c4d"]])(
    "%s is called %s", (file, name) => expect(referenceName(file)).toBe(name),
  );
});

describe("the server", () => {
  afterEach(() => vi.unstubAllGlobals());
  const calls: { url: string; method?: string; body: unknown }[] = [];
  const answer = (make: () => Response | Promise<Response>) => {
    calls.length = 0;
    vi.stubGlobal("fetch", (url: string, { method, body }: RequestInit) => {
      calls.push({ url, method, body: body && JSON.parse(body as string) });
      return Promise.resolve().then(make);
    });
  };
  const wanted = { subject: { kind: "reference" as const, cell: "a" }, points: [[1, 2]] as const, invert: true };
  const sent = { picture: { reference: "a" }, points: [[1, 2]], invert: true };

  test("makes, saves and lists", async () => {
    answer(() => new Response("png", { headers: { "mask-white": "0.2500", "mask-quality": "0.9712" } }));
    const made = await makeMask(wanted, new AbortController().signal);
    expect([made.white, made.quality, await made.png.text()]).toEqual([0.25, 0.9712, "png"]);
    expect(calls).toEqual([{ url: "api/mask", method: "POST", body: sent }]);
    const saved = { file: "masks/face-1a2b3c4d.png", toml: 'mask = "x"\n' };
    answer(() => Response.json(saved));
    expect(await saveMask({ ...wanted, subject: { kind: "cell", cell: "b" } }, "face")).toEqual(saved);
    expect(calls[0].body).toEqual({ mask: { ...sent, picture: { cell: "b" } }, name: "face" });
    answer(() => Response.json({ masks: [saved] }));
    expect(await listMasks()).toEqual([saved]);
  });

  test("says why there is no mask", async () => {
    const ask = () => makeMask(wanted, new AbortController().signal);
    answer(() => new Response("no model is called `x` on this machine\n\nTo download it: …\n", { status: 503 }));
    await expect(ask()).rejects.toThrow(/^no model is called `x` on this machine\n\nTo download it: …$/);
    answer(() => Promise.reject(new TypeError("Failed to fetch")));
    await expect(ask()).rejects.toThrow("the server of maquette review does not answer");
    answer(() => new Response("", { status: 500 }));
    await expect(ask()).rejects.toThrow("the server answers 500");
  });

  test.each([[0.25, "25 %"], [0, "0 %"], [0.0004, "Less than 1 %"], [0.9996, "More than 99 %"], [1, "100 %"]])("a share of %s", (white, share) => {
    expect(about({ png: new Blob(), white, quality: 0.9712 })).toBe(`${share} of the picture is repainted. Quality by the model’s estimate: 0.97.`);
  });
});
