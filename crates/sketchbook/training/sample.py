"""Sheets of what the model draws, to judge it by eye: manners, seeds, attributes, blends and image-to-image strips.

    python sample.py --model ../weights --what manners,seeds,attributes,blends,strengths --out .work/sheets
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image, ImageDraw, ImageFont

from draw_dataset import PIXELS
from paint import MANNERS

ARTISTS = [manner.artist for manner in MANNERS.values()]
SUBJECTS = (
    "portrait of a woman with long red hair",
    "portrait of a man with brown hair and a beard, monstera leaves",
    "portrait of a man with black hair and glasses, by the sea",
    "portrait of a woman with blond hair in a bun, starry night sky",
)
ATTRIBUTE_PROMPTS = (
    "a man", "a woman", "a bald man", "a man with a moustache", "a woman with glasses", "a woman with long black hair", "a woman with long blond hair",
    "a man with a red beard and glasses, monstera leaves", "a woman, in front of a window", "a man, wearing red, by the sea",
)  # fmt: skip
BLENDS = (
    ("Vincent van Gogh", "Edvard Munch"), ("Edvard Munch", "Vincent van Gogh"), ("Alphonse Mucha", "Gustav Klimt"), ("Katsushika Hokusai", "Piet Mondrian"),
    ("Rembrandt", "Georges Seurat"), ("Albrecht Dürer", "Vincent van Gogh"), ("Gustav Klimt", "Katsushika Hokusai"), ("Edvard Munch", "Alphonse Mucha"),
    ("Piet Mondrian", "Edvard Munch"), ("Georges Seurat", "Alphonse Mucha"),
)  # fmt: skip
STRENGTHS = (0.3, 0.5, 0.7, 0.9)
PORTRAIT = Path(__file__).resolve().parents[3] / "experiments/references/selfie.png"


class Sampler:
    """Both pipelines over one set of weights, with DDIM."""

    def __init__(self, model, steps, guidance):
        self.text = StableDiffusionPipeline.from_pretrained(model)
        self.text.scheduler = DDIMScheduler.from_config(self.text.scheduler.config)
        self.image = StableDiffusionImg2ImgPipeline(**self.text.components, requires_safety_checker=False)
        for pipe in (self.text, self.image):
            pipe.set_progress_bar_config(disable=True)
        self.settings = dict(num_inference_steps=steps, guidance_scale=guidance)

    def from_text(self, prompts, seeds, pixels=PIXELS):
        noise = [torch.Generator().manual_seed(seed) for seed in seeds]
        return self.text(prompts, height=pixels, width=pixels, generator=noise, **self.settings).images

    def from_image(self, prompt, picture, strength, seed):
        noise = torch.Generator().manual_seed(seed)
        return self.image(prompt, image=picture, strength=strength, generator=noise, **self.settings).images[0]


def by(artist):
    return f", by {artist}" if artist else ""


def labelled(picture, text):
    tile = Image.new("RGB", (picture.width, picture.height + 12), "white")
    tile.paste(picture, (0, 12))
    ImageDraw.Draw(tile).text((2, 0), text[:24].replace("ü", "ue"), fill="black", font=ImageFont.load_default(size=10))
    return np.asarray(tile)


def grid(rows, path):
    Image.fromarray(np.vstack([np.hstack(row) for row in rows])).save(path)


def manners(sampler):
    pictures = [sampler.from_text([subject + by(a) for a in ARTISTS], [k] * len(ARTISTS)) for k, subject in enumerate(SUBJECTS)]
    return [[labelled(p, a or "(no artist)") for p, a in zip(row, ARTISTS, strict=True)] for row in pictures]


def seeds(sampler):
    prompts = ["portrait of a man with a brown beard" + by(a) for a in ARTISTS]
    return [[labelled(p, f"seed {seed}") for p in sampler.from_text(prompts, [seed] * len(prompts))] for seed in range(11, 15)]


def attributes(sampler):
    rows = []
    for artist in ("", "Alphonse Mucha", "Vincent van Gogh", "Edvard Munch"):
        prompts = [f"portrait of {subject}{by(artist)}" for subject in ATTRIBUTE_PROMPTS]
        rows.append([labelled(p, s) for p, s in zip(sampler.from_text(prompts, [5] * len(prompts)), ATTRIBUTE_PROMPTS, strict=True)])
    return rows


def blends(sampler):
    prompts = [f"portrait of a man with a brown beard, by {a} and {b}" for a, b in BLENDS]
    names = [f"{a.split()[-1]} + {b.split()[-1]}" for a, b in BLENDS]
    return [[labelled(p, n) for p, n in zip(sampler.from_text(prompts, [seed] * len(prompts)), names, strict=True)] for seed in (5, 6)]


def strengths(sampler):
    portrait = Image.open(PORTRAIT).convert("RGB").resize((128, 128), Image.Resampling.LANCZOS)
    strips = []
    for artist in [*ARTISTS, "Vincent van Gogh and Edvard Munch", "Alphonse Mucha and Gustav Klimt"]:
        prompt = "portrait of a man with a brown beard" + by(artist)
        strip = [labelled(portrait, artist or "(no artist)")]
        strips.append(strip + [labelled(sampler.from_image(prompt, portrait, s, 3), f"strength {s}") for s in STRENGTHS])
    half = len(strips) // 2
    return [a + b for a, b in zip(strips[:half], strips[half:], strict=True)]


SHEETS = {f.__name__: f for f in (manners, seeds, attributes, blends, strengths)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="../weights")
    parser.add_argument("--out", default=".work/sheets")
    parser.add_argument("--what", default=",".join(SHEETS))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    sampler = Sampler(args.model, args.steps, args.guidance)
    for name in args.what.split(","):
        started = time.time()
        grid(SHEETS[name](sampler), Path(args.out) / f"{name}.png")
        print(f"{name}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
