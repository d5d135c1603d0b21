"""Full size: Stable Diffusion v1-4 with random weights, one 512-pixel picture by diffusers and by Maquette, and how they differ.

    just parity-full                    # 4 steps; some minutes on a laptop, 5 GB of disk below target/
    just parity-full --steps 20

The model has v1-4's shapes, its scheduler file and the real CLIP vocabulary (as open_clip_torch carries it), made and saved by
diffusers' own classes, so that it costs and checks the same as the real one. The picture shows nothing. Ends with 1 when
a level of the picture differs by more than --tolerance.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import diffusers
import numpy
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

PROMPT = "portrait of a bearded man among monstera leaves, by Alphonse Mucha"
NEGATIVE_PROMPT = "blurry, low quality"
SEED, GUIDANCE_SCALE = 7, 7.5
ATTENDING, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the model and the pictures go")
    parser.add_argument("--maquette", required=True, help="the program")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tolerance", type=int, default=1, help="largest difference of a level that is agreement")
    args = parser.parse_args()
    model = args.out / "stable-diffusion-v1-4"
    if not (model / "model_index.json").exists():
        make(model)
    theirs = by_diffusers(model, args.out, args.steps)
    ours = by_maquette(model, args.out, args.steps, args.maquette)
    sys.exit(compare(theirs, ours, args.tolerance))


def make(folder):
    """Saves the model; model_index.json comes last, so that a folder that has it is whole."""
    print(f"making {folder}", flush=True)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        down_block_types=(ATTENDING, ATTENDING, ATTENDING, PLAIN),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        sample_size=512,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            hidden_act="quick_gelu",
            projection_dim=768,
        )
    )
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
    )
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer(folder),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def tokenizer(folder):
    """CLIP's: its 48,894 merges from the file that open_clip_torch carries."""
    package = Path(find_spec("open_clip").submodule_search_locations[0])
    lines = gzip.open(package / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8").read().split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    words = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    source = folder / "clip"
    source.mkdir(parents=True, exist_ok=True)
    (source / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}, ensure_ascii=False))
    (source / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    return CLIPTokenizer.from_pretrained(source, pad_token="<|endoftext|>", model_max_length=77)


def by_diffusers(model, out, steps):
    pipeline = StableDiffusionPipeline.from_pretrained(model, safety_checker=None)
    started = time.time()
    generator = torch.Generator().manual_seed(SEED)
    image = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE_SCALE,
        generator=generator,
    ).images[0]
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}: {time.time() - started:.1f} s", flush=True)
    image.save(out / "diffusers.png")
    return image


def by_maquette(model, out, steps, maquette):
    experiment = out / "full.toml"
    experiment.write_text(
        f'model = "{model.name}"\nprompt = "{PROMPT}"\nnegative_prompt = "{NEGATIVE_PROMPT}"\n'
        f"seed = {SEED}\nsteps = {steps}\nguidance_scale = {GUIDANCE_SCALE}\ndtype = \"f32\"\n"
    )
    runs = out / "runs"
    command = [maquette, "run", experiment, "--runs", runs, "--device", "cpu", "--no-sheets", "--progress", "plain"]
    log = Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    row = list(csv.DictReader(log.open()))[-1]
    print(f"maquette: {row['seconds'] or 'reused, 0'} s", flush=True)
    return Image.open(log.parent / row["image"]).convert("RGB")


def compare(theirs, ours, tolerance):
    theirs, ours = (numpy.asarray(image, dtype=numpy.int32) for image in (theirs, ours))
    difference = numpy.abs(theirs - ours)
    largest, touched = difference.max(), (difference > 0).mean()
    error = (difference**2).mean()
    psnr = "infinite" if error == 0 else f"{10 * numpy.log10(255**2 / error):.1f} dB"
    print(f"levels {theirs.min()} to {theirs.max()}, deviation {theirs.std():.1f}")
    print(f"largest difference {largest} of 255, {100 * touched:.3f} % of levels differ, PSNR {psnr}")
    return int(largest > tolerance)


if __name__ == "__main__":
    main()
