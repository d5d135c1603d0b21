"""Seconds of whole sweeps on this CPU, by Maquette, diffusers and diffusers with OpenVINO, side by side.

    just bench-sweeps                                             # eight pictures of 20 steps in each precision: hours on two cores
    just bench-sweeps --cells 2 --steps 5 --only maquette-bf16,openvino-bf16
    just bench-sweeps --sweep mucha --rounds 3

`full` renders pictures of 512 pixels from a text with a full-size Stable Diffusion v1-4 of random weights, which costs the same as the
real one. `mucha` renders the 48 cells of experiments/mucha.toml with the bundled model, by diffusers one at a time and three seeds
together. Each program runs in a process of its own, one after the other; seconds are wall clock from the start of the process to its
end, with loading and writing of pictures, and, as `rendering`, without what comes before the first picture.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/parity"))

PROGRAMS = {
    "full": [f"{program}-{dtype}" for dtype in ("f32", "bf16") for program in ("maquette", "torch", "openvino")],
    "mucha": ["maquette-f32", "torch-f32", "torch-f32-3"],
}
PROMPT, NEGATIVE = "portrait of a bearded man among monstera leaves, by Alphonse Mucha", "blurry, low quality"
SKETCHBOOK = ROOT / "crates/sketchbook/weights"
ARTISTS = ["Alphonse Mucha", "Vincent van Gogh", "Edvard Munch", "Vincent van Gogh and Edvard Munch"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the model goes")
    parser.add_argument("--model", type=Path, help="another model in diffusers' layout, for `full`")
    parser.add_argument("--maquette", type=Path, default=ROOT / "target/release/maquette")
    parser.add_argument("--sweep", choices=PROGRAMS, default="full")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", help="some of the programs of the sweep, such as maquette-f32,torch-f32")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.model = (args.model or args.out / "stable-diffusion-v1-4").absolute()
    if args.measure:
        return render(args)
    if args.sweep == "full" and not (args.model / "model_index.json").exists():
        import full

        full.make(args.model)
    programs = args.only.split(",") if args.only else PROGRAMS[args.sweep]
    seconds = {program: [] for program in programs}
    for round in range(args.rounds):
        for program in programs:
            found = ours(args, program) if program.startswith("maquette") else theirs(args, program)
            print(f"round {round + 1}, {program}: {found}", file=sys.stderr, flush=True)
            seconds[program].append(found)
    table(args, {program: [statistics.median(column) for column in zip(*found)] for program, found in seconds.items()})


def experiment(args):
    """The experiment file of the sweep, which is written for `full`."""
    if args.sweep == "mucha":
        return ROOT / "experiments/mucha.toml"
    file = args.out / "sweep.toml"
    settings = {"model": str(args.model), "prompt": PROMPT, "negative_prompt": NEGATIVE, "steps": args.steps}
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    file.write_text("\n".join([*lines, "[sweep]", f"seed = {{ count = {args.cells}, from = 1 }}", ""]))
    return file


def ours(args, program):
    """Seconds in all, and those of the log without loading. The model's digest is known from planning, as it is after a first run."""
    import runs

    dtype, file = program.split("-")[1], experiment(args)
    subprocess.run([args.maquette, "plan", file], check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        run = runs.run(args.maquette, file, folder, "--device", "cpu", "--dtype", dtype, "--no-sheets")
        assert run.code == 0 and not run.failed, run.messages
        loading = sum(float(seconds) for seconds in re.findall(r"^loaded .* in ([0-9.]+) s$", run.messages, re.MULTILINE))
        return round(run.seconds, 2), round(sum(float(cell["seconds"]) for cell in run.cells) - loading, 2)


def theirs(args, program):
    options = {"out": args.out, "model": args.model, "sweep": args.sweep, "cells": args.cells, "steps": args.steps, "measure": program}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    begin = time.time()
    printed = subprocess.run([sys.executable, __file__, *words], check=True, capture_output=True, text=True).stdout
    return round(time.time() - begin, 2), float(printed.splitlines()[-1])


def render(args):
    """Renders the sweep in this process, and prints the seconds of the pictures."""
    import torch
    from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

    torch.set_grad_enabled(False)
    torch.set_num_threads(os.cpu_count())
    library, dtype, *batch = args.measure.split("-")
    kind, model = (StableDiffusionPipeline, args.model) if args.sweep == "full" else (StableDiffusionImg2ImgPipeline, SKETCHBOOK)
    pipeline = kind.from_pretrained(model, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    if library == "openvino":
        compiled(pipeline, args.model, args.out, dtype)
    elif dtype == "bf16":
        pipeline.to(torch.bfloat16)
        for part in (pipeline.unet, pipeline.vae):
            part.to(memory_format=torch.channels_last)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        calls = texts(args) if args.sweep == "full" else portraits(*(int(count) for count in batch))
        for number, (seeds, settings) in enumerate(calls):
            generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
            for seed, image in zip(seeds, pipeline(generator=generators, **settings).images):
                image.save(Path(folder) / f"{number}-{seed}.png")
        print(round(time.perf_counter() - begin, 2))


def texts(args):
    """The seeds and settings of each call for `full`."""
    settings = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "num_inference_steps": args.steps, "guidance_scale": 7.5}
    return [([seed], settings | {"width": 512, "height": 512}) for seed in range(1, args.cells + 1)]


def portraits(batch=1):
    """The same for `mucha`, with so many seeds in a call."""
    from PIL import Image

    selfie = Image.open(ROOT / "experiments/references/selfie.png").convert("RGB")
    edge = min(selfie.size)
    left, top = ((size - edge) // 2 for size in selfie.size)
    selfie = selfie.crop((left, top, left + edge, top + edge)).resize((128, 128), Image.Resampling.LANCZOS)
    for artist in ARTISTS:
        for strength in (0.3, 0.5, 0.7, 0.9):
            for seeds in ([7, 8, 9][at : at + batch] for at in range(0, 3, batch)):
                prompts = [f"portrait of a man with brown hair and a beard, by {artist}"] * len(seeds)
                settings = {"prompt": prompts, "negative_prompt": ["blurry"] * len(seeds), "image": [selfie] * len(seeds)}
                yield seeds, settings | {"strength": strength, "num_inference_steps": 20, "guidance_scale": 5.0}


def compiled(pipeline, model, out, dtype):
    """Replaces UNet and decoder by OpenVINO's."""
    import peers
    import torch

    example = {"step": (torch.randn(2, 4, 64, 64), torch.tensor(500), torch.randn(2, 77, 768)), "decode": (torch.randn(1, 4, 64, 64),)}
    call = {part: peers.openvino_model(part, model, out, dtype, inputs) for part, inputs in example.items()}

    def unet(sample, timestep, encoder_hidden_states, **_):
        arrays = [sample.numpy(), timestep.numpy(), encoder_hidden_states.numpy()]
        return (torch.from_numpy(call["step"](arrays)[0]),)

    def decode(latents, *_, **__):
        return (torch.from_numpy(call["decode"]([latents.numpy()])[0]),)

    pipeline.unet.forward, pipeline.vae.decode = unet, decode


def table(args, medians):
    cells = args.cells if args.sweep == "full" else 48
    print("| | seconds | a picture | rendering alone | a picture |\n| --- | --- | --- | --- | --- |")
    for program, (whole, rendering) in medians.items():
        print(f"| {program} | {whole:.1f} | {whole / cells:.2f} | {rendering:.1f} | {rendering / cells:.2f} |")
    print("\n| times as fast as | whole | rendering alone |\n| --- | --- | --- |")
    for program, theirs in medians.items():
        mine = medians.get(f"maquette-{program.split('-')[1]}")
        if mine and not program.startswith("maquette"):
            print(f"| {program} | {theirs[0] / mine[0]:.2f} | {theirs[1] / mine[1]:.2f} |")


if __name__ == "__main__":
    main()
