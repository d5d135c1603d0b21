"""Does a LoRA that was taught `experiments/references/me` keep the likeness, and the artists' manners?

Renders every artist from text alone and from a picture of the subject at strength 0.6, with the LoRA and without it, and prints for
each the mean likeness to the five pictures (the metric `sketchbook_likeness`), where the painter's own pictures of the subject are,
and in how many pictures the judge finds the artist's hand and colours.

    python measure_taught.py --lora me.safetensors --word "sks man" --out .work
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from draw_reference import taught
from judge import QUESTIONS, ask, load_judge, seen_small
from likeness import CHANNELS, NUMBERS, SIZES, likeness
from paint import MANNERS, paint
from sample import Sampler

ARTISTS = [name for name in MANNERS if name != "photo"]
SETTINGS = ("wearing white, plain background", "wearing red, monstera leaves", "wearing blue, the sea")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lora", required=True)
    parser.add_argument("--word", default="sks man")
    parser.add_argument("--model", default="../weights")
    parser.add_argument("--out", default=".work", help="the folder with judge.pt")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    args = parser.parse_args()
    weights = {name: tensor.float() for name, tensor in load_file(Path(args.model) / "likeness/model.safetensors").items()}
    judge = load_judge(args.out)[0]
    scenes = list(taught().values())
    photos = np.stack([paint(scene, "photo") for scene in scenes])
    reference = traits(weights, photos)
    painted = np.stack([paint(scene, name) for name in ARTISTS for scene in scenes])
    print(f"painted: likeness {agreement(weights, painted, reference):.3f}")
    sampler = Sampler(args.model, 20, 4.0)
    for subject in (None, args.word):
        if subject:
            sampler.text.load_lora_weights(str(Path(args.lora).parent), weight_name=Path(args.lora).name)
        for strength in (None, 0.6):
            pictures, manners = rendered(sampler, subject or "a man", args.seeds, photos[0], strength)
            said, _ = ask(judge, pictures)
            right = [
                np.mean([said[q][k].argmax() == QUESTIONS[q].index(manner) for k, manner in enumerate(manners)])
                for q in ("hand", "colours")
            ]
            start = "text alone" if strength is None else f"strength {strength}"
            print(
                f"{'with' if subject else 'without'} the LoRA, {start}: likeness {agreement(weights, pictures, reference):.3f}, "
                f"hand {right[0]:.0%}, colours {right[1]:.0%}",
                flush=True,
            )


def rendered(sampler, subject, seeds, photo, strength):
    """Pictures of every artist and seed, and whose they should be."""
    pictures, manners = [], []
    for k, name in enumerate(ARTISTS):
        for seed in seeds:
            prompt = f"portrait of {subject}, {SETTINGS[(k + seed) % 3]}, by {MANNERS[name].artist}"
            if strength is None:
                made = sampler.from_text([prompt], [seed], 128)[0]
            else:
                noise = [torch.Generator().manual_seed(seed)]
                image = [Image.fromarray(photo)]
                made = sampler.image([prompt], image=image, strength=strength, generator=noise, **sampler.settings).images[0]
            pictures.append(np.asarray(made))
            manners.append(name)
    return np.stack(pictures), manners


@torch.no_grad()
def traits(weights, pictures):
    """The network's estimates, from the tensors that are shipped (see `likeness.folded`)."""
    x = seen_small(pictures)
    for k, (_, _, size) in enumerate(CHANNELS):
        conv = nn.functional.conv2d(x, weights[f"convs.{k}.weight"], weights[f"convs.{k}.bias"], stride=2, padding=size // 2)
        x = conv.relu()
    hidden = nn.functional.linear(x.flatten(1), weights["hidden.weight"], weights["hidden.bias"]).relu()
    *logits, numbers = nn.functional.linear(hidden, weights["answer.weight"], weights["answer.bias"]).split([*SIZES, len(NUMBERS)], -1)
    return ([part.softmax(-1) for part in logits], numbers), weights["spread"]


def agreement(weights, pictures, reference):
    """The mean likeness of pictures to all references."""
    (labels, numbers), spread = traits(weights, pictures)
    (known, known_numbers), _ = reference
    found = []
    for k in range(len(known_numbers)):
        one = ([part[k : k + 1] for part in known], known_numbers[k : k + 1])
        found.append(likeness((labels, numbers), one, spread).mean())
    return float(torch.stack(found).mean())


if __name__ == "__main__":
    main()
