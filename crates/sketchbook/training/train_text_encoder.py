"""Teaches the text encoder what captions say, before any picture is seen.

It learns to tell the scene's attributes and both manners from the last token and from the padding after it. The heads that answer
are thrown away; what stays are states in which attributes can be read off linearly, at many positions, so that the UNet's
cross-attention meets them from its first step on. Without this, manners were learnt early but attributes hardly at all.

    python train_text_encoder.py --out .work --steps 1000
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from captions import caption
from draw_dataset import pick_manner
from models import TEXT_WIDTH, VOCABULARY, make_text_encoder, parameter_count
from paint import MANNERS
from scene import ATTRIBUTES, sample_scene
from tokens import distracted, encode, tokenizer_of

BATCH = 32
RATE = 1e-3
SEED = 2
POSITIONS = 3  # random ones among the padding that must answer, beside the end token


QUESTIONS = ATTRIBUTES | {"manner": tuple(MANNERS), "setting": tuple(MANNERS)}
SIZES = [len(values) for values in QUESTIONS.values()]


def draw_captions(rng, words):
    """A batch of captions of scenes nobody paints, and the right answers, (batch, questions)."""
    texts, answers = [], []
    for _ in range(BATCH):
        scene = sample_scene(rng)
        manner, setting = ("photo", None) if rng.random() < 0.2 else pick_manner(rng)
        texts.append(distracted(caption(scene, manner, setting, rng), words, rng))
        truth = {name: getattr(scene, name) for name in ATTRIBUTES} | {"manner": manner, "setting": setting or manner}
        answers.append([values.index(truth[name]) for name, values in QUESTIONS.items()])
    return texts, torch.tensor(answers)


def train_text_encoder(out, steps, device="cpu"):
    """Trains and saves `out`/text_encoder.pt, unless it is there; gives the model's weights."""
    path = Path(out) / "text_encoder.pt"
    if path.exists():
        return torch.load(path)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    words = json.loads((Path(out) / "distractors.json").read_text())
    tokenizer = tokenizer_of(out)
    model = make_text_encoder().to(device)
    heads = nn.Linear(TEXT_WIDTH, sum(SIZES)).to(device)
    opt = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    print(f"text encoder: {parameter_count(model) / 1e6:.2f} M parameters", flush=True)
    for step in range(1, steps + 1):
        opt.param_groups[0]["lr"] = RATE * min(1, step / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        texts, answers = draw_captions(rng, words)
        logits = heads(_states(model, encode(tokenizer, texts).long().to(device))).split(SIZES, -1)
        answers = answers.to(device)
        wanted = [answers[:, k, None].expand(-1, 1 + POSITIONS) for k in range(len(SIZES))]
        loss = sum(nn.functional.cross_entropy(part.flatten(0, 1), w.flatten()) for part, w in zip(logits, wanted, strict=True)) / len(SIZES)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 100 == 0:
            right = {n: (p.argmax(-1) == w).float().mean().item() for n, p, w in zip(QUESTIONS, logits, wanted, strict=True)}
            print(f"step {step}  loss {loss.item():.3f}  " + " ".join(f"{n} {r:.2f}" for n, r in right.items()), flush=True)
    torch.save(model.state_dict(), path)
    return model.state_dict()


def _states(model, ids):
    """States at the end token and at random padding after it, shape (batch, 1 + POSITIONS, width)."""
    states = model(ids).last_hidden_state
    end = (ids == VOCABULARY - 1).int().argmax(-1)
    room = ids.shape[1] - end[:, None]
    later = end[:, None] + (torch.rand(len(ids), POSITIONS, device=ids.device) * room).long()
    at = torch.cat([end[:, None], later], 1)
    return states.gather(1, at[..., None].expand(-1, -1, states.shape[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    train_text_encoder(args.out, args.steps, args.device)


if __name__ == "__main__":
    main()
