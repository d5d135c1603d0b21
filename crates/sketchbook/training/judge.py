"""A small judge of portraits: what it says about a picture is how we measure whether the model does what it is told.

It tells the hand and the colours (the two manners of a blend; the same twice if it is none), the attributes that captions name,
and some of the numbers of the sitter's identity. It learns from the painter's drawings alone and never sees a picture that the model made. It looks at
pictures averaged down to 64 x 64, and half of its drawings are softened at random, for the autoencoder softens what it will judge.

    python judge.py --out .work
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from draw_dataset import PICTURES_PER_SCENE, SCENES_PER_SHARD, load_records, scene_of, shards
from paint import MANNERS
from scene import ATTRIBUTES

QUESTIONS = {"hand": tuple(MANNERS), "colours": tuple(MANNERS)} | ATTRIBUTES
# The numbers of an identity that change what a picture shows by more than a pixel or two; `centre` counts as two.
TRAITS = (
    "x", "y", "head_width", "head_height", "jaw", "tilt", "turn", "skin", "eye_height", "brow_weight", "mouth_width", "smile",
    "hairline", "parting", "shoulders", "neck", "neckline", "light",
)  # fmt: skip
HELD_OUT = SCENES_PER_SHARD * PICTURES_PER_SCENE  # the last pictures are never trained on
BATCH = 50
JUDGE_SEED = 5


class Judge(nn.Module):
    """Answers for pictures as float (n, 3, 64, 64), -1 to 1; `seen_small` makes them so."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, after, size in ((3, 24, 5), (24, 48, 3), (48, 96, 3), (96, 128, 3)):
            layers += [nn.Conv2d(before, after, size, 2, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.look = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(128 * 16, 256), nn.ReLU())
        self.sizes = [len(values) for values in QUESTIONS.values()] + [len(TRAITS)]
        self.answer = nn.Linear(256, sum(self.sizes))

    def forward(self, pictures):
        """({question: logits (n, values)}, traits in standard deviations from the mean, (n, traits))."""
        *logits, traits = self.answer(self.look(pictures)).split(self.sizes, -1)
        return dict(zip(QUESTIONS, logits, strict=True)), traits


def seen_small(pictures):
    """uint8 (n, 128, 128, 3) as the judge looks at them."""
    x = torch.from_numpy(np.asarray(pictures)).permute(0, 3, 1, 2)
    return nn.functional.avg_pool2d(x.float(), 2).div(127.5).sub(1)


def traits_of(scene):
    """The numbers of TRAITS, not yet standardised."""
    who = scene.identity
    return [who.centre[0], who.centre[1], *(getattr(who, name) for name in TRAITS[2:])]


def ask(judge, pictures):
    """The judge's opinion of pictures, uint8 (n, 128, 128, 3): ({question: probabilities (n, values)}, traits), as numpy arrays."""
    return _opinion(judge, seen_small(pictures))


@torch.no_grad()
def impressions(judge, pictures):
    """What the judge bases its opinion on, (n, 256): pictures alike to it lie near each other."""
    return torch.cat([judge.look(part) for part in seen_small(pictures).split(100)]).numpy()


@torch.no_grad()
def _opinion(judge, small):
    parts = [judge(part) for part in small.split(100)]
    answers = {q: torch.cat([logits[q].softmax(-1) for logits, _ in parts]).numpy() for q in QUESTIONS}
    return answers, torch.cat([traits for _, traits in parts]).numpy()


def load_judge(out):
    """The trained judge, and the mean and deviation of the traits."""
    saved = torch.load(Path(out) / "judge.pt", weights_only=True)
    judge = Judge().eval()
    judge.load_state_dict(saved["judge"])
    return judge, saved["mean"].numpy(), saved["std"].numpy()


def train_judge(out, passes):
    """Trains `out`/judge.pt unless it is there, and prints how often it is right on drawings that were held out."""
    path = Path(out) / "judge.pt"
    pictures, answers, raw = _examples(out)
    mean, std = raw[:-HELD_OUT].mean(0), raw[:-HELD_OUT].std(0)
    traits = torch.from_numpy((raw - mean) / std).float()
    if not path.exists():
        judge = _fit(pictures[:-HELD_OUT], answers[:-HELD_OUT], traits[:-HELD_OUT], passes)
        part = path.with_suffix(".part")
        torch.save(dict(judge=judge.state_dict(), mean=torch.from_numpy(mean), std=torch.from_numpy(std)), part)
        os.replace(part, path)
    report(load_judge(out)[0], pictures[-HELD_OUT:], answers[-HELD_OUT:], traits[-HELD_OUT:].numpy())


def report(judge, pictures, answers, traits):
    """Prints the share of right answers to every question, and the correlation of every trait with the truth."""
    said, seen = _opinion(judge, pictures)
    for k, question in enumerate(QUESTIONS):
        print(f"{question}: {(said[question].argmax(1) == answers[:, k].numpy()).mean():.1%} right")
    print("traits, correlation with the truth: " + ", ".join(f"{n} {np.corrcoef(a, b)[0, 1]:.2f}" for n, a, b in zip(TRAITS, seen.T, traits.T, strict=True)))


def _examples(out):
    """All pictures, small, the numbers of the right answers (pictures, questions), and the traits."""
    records = load_records(out)
    answers, traits = [], []
    for record in records:
        truth = record["attributes"] | {"hand": record["manner"], "colours": record["setting"] or record["manner"]}
        answers.append([values.index(truth[q]) for q, values in QUESTIONS.items()])
        if record["manner"] == "photo":  # every scene's first
            drawn = traits_of(scene_of(record["scene"]))
        traits.append(drawn)
    small = torch.cat([seen_small(np.load(shard)).half() for shard in shards(out)]).float()
    return small, torch.tensor(answers), np.asarray(traits, np.float64)


def _fit(pictures, answers, traits, passes):
    torch.manual_seed(JUDGE_SEED)
    judge = Judge()
    opt = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    steps = passes * (len(pictures) // BATCH)
    course = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, total_steps=steps, pct_start=0.15)
    started, step = time.time(), 0
    for turn in range(passes):
        for rows in torch.randperm(len(pictures))[: steps // passes * BATCH].split(BATCH):
            logits, seen = judge(softened(pictures[rows]))
            right = answers[rows]
            loss = sum(nn.functional.cross_entropy(logits[q], right[:, k], label_smoothing=0.02) for k, q in enumerate(QUESTIONS))
            loss = loss + 2 * nn.functional.smooth_l1_loss(seen, traits[rows])
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            course.step()
            step += 1
        print(f"pass {turn + 1}  loss {loss.item():.3f}  {time.time() - started:.0f} s", flush=True)
    return judge.eval()


def softened(pictures):
    """The pictures, half of them a little blurred, brighter or darker, and noisy."""
    n = len(pictures)
    some = (torch.rand(n, 1, 1, 1) < 0.5).float()
    blurred = nn.functional.avg_pool2d(nn.functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.lerp(pictures, blurred, some * torch.rand(n, 1, 1, 1))
    x = x * (1 + some * (0.25 * torch.rand(n, 1, 1, 1) - 0.15)) + some * 0.2 * (torch.rand(n, 1, 1, 1) - 0.5)
    return (x + some * 0.06 * torch.rand(n, 1, 1, 1) * torch.randn_like(x)).clamp(-1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--passes", type=int, default=5)
    args = parser.parse_args()
    train_judge(args.out, args.passes)


if __name__ == "__main__":
    main()
