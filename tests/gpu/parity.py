"""One full-size picture by Maquette and by diffusers on the same card, in three precisions, against diffusers in f32."""

import kit  # First: it makes the modules of tests/parity known.
import full
import runs
import torch

SLACK = 6
"""dB that Maquette may be further from the f32 picture than diffusers in the same half precision."""
PRECISIONS = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    results = kit.Results("parity", args)
    pictures = {}
    for dtype in PRECISIONS:
        results.attempt(f"diffusers, {dtype}", lambda: theirs(args, dtype, pictures))
        results.attempt(f"maquette, {dtype}", lambda: ours(results, args, dtype, pictures))
        check(results, args, dtype, pictures)
    results.end()


def theirs(args, dtype, pictures):
    pictures["diffusers", dtype] = full.by_diffusers(args.model, args.steps, args.device, PRECISIONS[dtype])


def ours(results, args, dtype, pictures):
    settings = {"negative_prompt": full.NEGATIVE_PROMPT, "guidance_scale": full.GUIDANCE_SCALE, "scheduler": "pndm"}
    file = kit.experiment(args.work / f"parity-{dtype}.toml", args.model, seed=full.SEED, steps=args.steps, **settings)
    options = ("--device", args.device, "--dtype", dtype, "--no-sheets")
    run = runs.run(args.maquette, file, args.work / "parity", *options)
    if run.code != 0 or run.failed:
        raise RuntimeError(f"exit code {run.code}: {run.messages[-300:]}")
    results.add(f"maquette {dtype}, process", round(run.seconds, 1), "s", note="; ".join(run.warnings()))
    pictures["maquette", dtype] = runs.picture(run.cells[0]["path"])


def check(results, args, dtype, pictures):
    """f32: a level on average at most, as tests/parity/full.py allows on the CPU; others: as near as diffusers, with slack."""
    reference = pictures.get(("diffusers", "f32"))
    if reference is None:
        return
    found = {}
    for side in ("diffusers", "maquette"):
        picture = pictures.get((side, dtype))
        if picture is None or picture is reference:
            continue
        found[side] = difference = runs.difference(reference, picture)
        bound = 50 if dtype == "f32" else found["diffusers"].psnr - SLACK if "diffusers" in found else 0
        ok = None if side == "diffusers" else difference.psnr >= bound
        name = f"{side} {dtype} against diffusers f32"
        results.add(name, round(min(difference.psnr, 999), 1), "dB", ok=ok, note=str(difference), key=f"psnr {side} {dtype}")
    if dtype == "f32" and ("maquette", "f32") in pictures:
        pictures["maquette", "f32"].save(args.out / "parity.png")


if __name__ == "__main__":
    main()
