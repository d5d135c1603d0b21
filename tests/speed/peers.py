"""Seconds of Maquette, torch and OpenVINO on this CPU, side by side: a guided step, a decoded and an encoded picture.

    just bench-peers                    # three rounds; half an hour on two cores, 9 GB of disk below target/
    just bench-peers --rounds 1 --only maquette-bf16,openvino-bf16

The model is a full-size Stable Diffusion v1-4 of random weights, which costs the same as the real one, at 512 pixels. A guided
step is a UNet call of two rows. Each program runs in a process of its own, one after the other, and the rounds alternate
between them; the table has medians over the rounds of the medians of three calls after a first one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "parity"))

PARTS = ["step", "decode", "encode"]
PROGRAMS = [f"{program}-{dtype}" for dtype in ("f32", "bf16") for program in ("maquette", "torch", "openvino")]
NAMES = {"UNet": "step", "VAE decode": "decode", "VAE encode": "encode"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the model goes")
    parser.add_argument("--model", type=Path, help="another model in diffusers' layout")
    parser.add_argument("--bench", nargs="+", default=["cargo", "bench", "--quiet", "-p", "maquette-diffusion", "--bench", "speed", "--"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PROGRAMS), help=f"some of {', '.join(PROGRAMS)}")
    parser.add_argument("--measure", choices=PROGRAMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    model = args.model or args.out / "stable-diffusion-v1-4"
    if args.measure:
        print(json.dumps(measure(args.measure, model, args.out)))
        return
    if not (model / "model_index.json").exists():
        import full

        full.make(model)
    programs = args.only.split(",")
    seconds = {program: {part: [] for part in PARTS} for program in programs}
    for round in range(args.rounds):
        for program in programs:
            found = ours(args.bench, program, model) if program.startswith("maquette") else theirs(args, program, model)
            print(f"round {round + 1}, {program}: {found}", file=sys.stderr, flush=True)
            for part, value in found.items():
                seconds[program][part].append(value)
    table({program: {part: statistics.median(values) for part, values in parts.items()} for program, parts in seconds.items()})


def ours(bench, program, model):
    dtype = program.split("-")[1]
    command = [*bench, str(model.absolute()), "--dtype", dtype, "--parts", "unet,decode,encode", "--json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    rows = {"step": 2, "decode": 1, "encode": 1}
    return {
        part: round(line["median_ms"] / 1e3, 3)
        for line in found
        if line["rows"] == rows[part := NAMES[line["name"]]]
    }


def theirs(args, program, model):
    command = [sys.executable, __file__, "--out", str(args.out), "--model", str(model), "--measure", program]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def measure(program, model, out):
    """The seconds of each part, in this process."""
    import torch

    torch.set_grad_enabled(False)
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    library, dtype = program.split("-")
    latents, text, image = torch.randn(2, 4, 64, 64), torch.randn(2, 77, 768), torch.randn(1, 3, 512, 512)
    inputs = {"step": (latents, torch.tensor(500), text), "decode": (latents[:1],), "encode": (image,)}
    run = by_torch if library == "torch" else by_openvino
    return {part: round(seconds(run(part, model, out, dtype, inputs[part])), 3) for part in PARTS}


def seconds(call):
    """The median of three calls after a first one."""
    call()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def module(part, model):
    """A part of the model as a module from tensors to a tensor."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    class Part(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.of = (UNet2DConditionModel if part == "step" else AutoencoderKL).from_pretrained(model / ("unet" if part == "step" else "vae"))

        def forward(self, x, *others):
            if part == "step":
                return self.of(x, *others, return_dict=False)[0]
            if part == "decode":
                return self.of.decode(x, return_dict=False)[0]
            return self.of.encode(x, return_dict=False)[0].parameters

    return Part().eval()


def by_torch(part, model, out, dtype, inputs):
    """In bf16 with images in channels-last order, which is the faster one there."""
    import torch

    part = module(part, model)
    if dtype == "bf16":
        part = part.to(torch.bfloat16, memory_format=torch.channels_last)
        inputs = [x.to(torch.bfloat16) if x.is_floating_point() else x for x in inputs]
    return lambda: part(*inputs)


def by_openvino(part, model, out, dtype, inputs):
    call, arrays = openvino_model(part, model, out, dtype, inputs), [x.numpy() for x in inputs]
    return lambda: call(arrays)


def openvino_model(part, model, out, dtype, inputs):
    """A part compiled by OpenVINO, from a list of arrays; `inputs` are examples of them."""
    import openvino

    core = openvino.Core()
    file = out / "openvino" / f"{part}.xml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(openvino.convert_model(module(part, model), example_input=inputs), file, compress_to_fp16=False)
    hints = {"INFERENCE_PRECISION_HINT": dtype, "PERFORMANCE_HINT": "LATENCY"}
    return core.compile_model(core.read_model(file), "CPU", hints)


def table(medians):
    print("| seconds | guided step | decode | encode |\n| --- | --- | --- | --- |")
    for program, parts in medians.items():
        print(f"| {program} | {' | '.join(f'{parts[part]:.2f}' for part in PARTS)} |")
    print("\n| times as fast as | guided step | decode | encode |\n| --- | --- | --- | --- |")
    for program, parts in medians.items():
        mine = medians.get(f"maquette-{program.split('-')[1]}")
        if mine and not program.startswith("maquette"):
            print(f"| {program} | {' | '.join(f'{parts[part] / mine[part]:.2f}' for part in PARTS)} |")


if __name__ == "__main__":
    main()
