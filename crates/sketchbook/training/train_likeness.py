"""Trains the network of the metric `sketchbook_likeness` and writes it to `weights/likeness/`.

It learns from the painter's drawings alone, in all manners, and never sees a picture that the model made; half of its drawings are
softened at random, as the autoencoder softens pictures (`judge.py`). Pictures are drawn at 64 x 64, which takes a third of the time of
drawing them at 128, except for those that are held out. Shards that exist are used, and a checkpoint is written after each pass: a
run goes on where it stopped.

    OMP_NUM_THREADS=1 python train_likeness.py --out .work --to ../weights

At the end it prints how often each label is right and how each number correlates with the truth, on sitters that were held out, by
manner, and the likeness of pairs of drawings: one sitter in two manners, and two sitters.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from draw_dataset import PICTURES_PER_SCENE, SCENES_PER_SHARD, draw_shard, scene_of
from export import RECORD, digests
from judge import seen_small, softened
from likeness import LABELS, NUMBERS, PIXELS, Likeness, estimates, folded, likeness, numbers_of
from scene import ATTRIBUTES

HELD_OUT = range(5000, 5000 + SCENES_PER_SHARD)  # scenes that are never trained on, drawn at the model's own size
BATCH = 50
SEED = 11


def examples(out, scenes, pixels):
    """All pictures of some scenes as the network sees them, the right labels, the numbers, and the manner of each."""
    folder = Path(out) / f"likeness-{pixels}"
    folder.mkdir(parents=True, exist_ok=True)
    pictures, labels, numbers, manners = [], [], [], []
    for first in range(scenes.start, scenes.stop, SCENES_PER_SHARD):
        draw_shard(folder, list(range(first, first + SCENES_PER_SHARD)), pixels)
        shard = folder / f"{first:06}.npy"
        drawn = np.load(shard)
        pictures.append(seen_small(drawn if pixels == 2 * PIXELS else drawn.repeat(2, 1).repeat(2, 2)))
        for record in json.loads(shard.with_suffix(".json").read_text()):
            labels.append([ATTRIBUTES[name].index(record["attributes"][name]) for name in LABELS])
            numbers.append(numbers_of(scene_of(record["scene"])))
            manners.append(record["manner"])
    return torch.cat(pictures), torch.tensor(labels), torch.tensor(numbers, dtype=torch.float32), np.array(manners)


def train(out, pictures, labels, numbers, passes):
    """The trained network; goes on from `out`/likeness.pt."""
    torch.manual_seed(SEED)
    network = Likeness()
    opt = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    steps = len(pictures) // BATCH
    course = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, total_steps=passes * steps, pct_start=0.15)
    path, done = Path(out) / "likeness.pt", 0
    if path.exists():
        saved = torch.load(path, weights_only=True)
        network.load_state_dict(saved["network"])
        opt.load_state_dict(saved["opt"])
        course.load_state_dict(saved["course"])
        done = saved["passes"]
    started = time.time()
    for turn in range(done, passes):
        torch.manual_seed(SEED + turn)
        for rows in torch.randperm(len(pictures))[: steps * BATCH].split(BATCH):
            logits, seen = network(softened(pictures[rows]))
            loss = sum(nn.functional.cross_entropy(logits[k], labels[rows, k], label_smoothing=0.02) for k in range(len(LABELS)))
            loss = loss + 2 * nn.functional.smooth_l1_loss(seen, numbers[rows])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            course.step()
        saved = dict(network=network.state_dict(), opt=opt.state_dict(), course=course.state_dict(), passes=turn + 1)
        torch.save(saved, path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)
        print(f"pass {turn + 1}  loss {loss.item():.3f}  {time.time() - started:.0f} s", flush=True)
    return network.eval()


def report(network, spread, pictures, labels, numbers, manners):
    """Prints what is right, by manner, and the likeness of pairs."""
    probabilities, seen = estimates(network, pictures)
    for manner in ["all", *sorted(set(manners))]:
        rows = np.flatnonzero((manners == manner) | (manner == "all"))
        right = [(probabilities[k][rows].argmax(-1) == labels[rows, k]).float().mean().item() for k in range(len(LABELS))]
        along = [np.corrcoef(seen[rows, k], numbers[rows, k])[0, 1] for k in range(len(NUMBERS))]
        print(f"{manner} ({len(rows)}): " + ", ".join(f"{n} {r:.1%}" for n, r in zip(LABELS, right, strict=True)))
        print("    " + ", ".join(f"{n} {r:.2f}" for n, r in zip(NUMBERS, along, strict=True)))
    one = lambda rows: ([p[rows] for p in probabilities], seen[rows])  # noqa: E731
    photos = np.arange(0, len(pictures), PICTURES_PER_SCENE)
    same = torch.cat([likeness(one(photos), one(photos + k), spread) for k in range(1, PICTURES_PER_SCENE)])
    other = torch.cat([likeness(one(photos), one(np.roll(photos, k) + k), spread) for k in range(1, PICTURES_PER_SCENE)])
    alike = (labels[photos] == labels[np.roll(photos, 1)])[:, 0]
    print(f"likeness of a sitter's photograph and painting {same.mean():.3f} (5 % are below {same.quantile(0.05):.3f})")
    print(f"likeness of two sitters {other.mean():.3f} (5 % are above {other.quantile(0.95):.3f}); of the same sex {other[: len(photos)][alike].mean():.3f}")


def write(network, spread, to):
    """Writes the weights, and their digest into the record of the exported model."""
    path = Path(to) / "likeness" / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(folded(network, spread), path)
    known = json.loads(RECORD.read_text())
    RECORD.write_text(json.dumps(known | {"sha256": digests(to)}, indent=2) + "\n")
    print(f"written: {path}, {path.stat().st_size / 1e6:.2f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--to", default="../weights")
    parser.add_argument("--scenes", type=int, default=1750)
    parser.add_argument("--passes", type=int, default=12)
    args = parser.parse_args()
    pictures, labels, raw, _ = examples(args.out, range(args.scenes), PIXELS)
    mean, std = raw.mean(0), raw.std(0)
    network = train(args.out, pictures, labels, (raw - mean) / std, args.passes)
    pictures, labels, raw, manners = examples(args.out, HELD_OUT, 2 * PIXELS)
    spread = estimates(network, pictures)[1].std(0)
    report(network, spread, pictures, labels, (raw - mean) / std, manners)
    write(network, spread, args.to)


if __name__ == "__main__":
    main()
