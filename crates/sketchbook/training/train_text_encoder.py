"""Teaches the text encoder what captions say, before any picture is seen.

It learns to tell the scene's attributes and both manners from the last token and from the padding after it. The heads that answer
are thrown away; what stays are states in which attributes can be read off linearly, at many positions, so that the UNet's
cross-attention meets them from its first step on. Without this, manners were learnt early but attributes hardly at all.

    python train_text_encoder.py --out .work --steps 1500
"""

import argparse
import math
from pathlib import Path

import torch
from torch import nn

from draw_dataset import load_records
from models import TEXT_WIDTH, VOCABULARY, make_text_encoder, parameter_count
from paint import MANNERS
from scene import ATTRIBUTES
from tokens import load_tokens

BATCH = 32
RATE = 1e-3
SEED = 2
POSITIONS = 3  # random ones among the padding that must answer, beside the end token


def labels(records):
    """A table of class numbers per picture, and the number of classes of each column."""
    names = list(MANNERS)
    rows = []
    for record in records:
        row = [values.index(record["attributes"][name]) for name, values in ATTRIBUTES.items()]
        rows.append([*row, names.index(record["manner"]), names.index(record["setting"] or record["manner"])])
    return torch.tensor(rows), [*(len(values) for values in ATTRIBUTES.values()), len(names), len(names)]


def train_text_encoder(out, steps, device="cpu"):
    """Trains and saves `out`/text_encoder.pt, unless it is there; gives the model's weights."""
    path = Path(out) / "text_encoder.pt"
    if path.exists():
        return torch.load(path)
    torch.manual_seed(SEED)
    tokens = load_tokens(out)
    truth, sizes = labels(load_records(out))
    model = make_text_encoder().to(device)
    heads = nn.Linear(TEXT_WIDTH, sum(sizes)).to(device)
    opt = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    print(f"text encoder: {parameter_count(model) / 1e6:.2f} M parameters, {len(tokens)} pictures", flush=True)
    for step in range(1, steps + 1):
        opt.param_groups[0]["lr"] = RATE * min(1, step / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        rows = torch.randint(len(tokens), (BATCH,))
        ids = tokens[rows, torch.randint(tokens.shape[1], (BATCH,))].long()
        logits = heads(_answers(model, ids.to(device)))
        wanted = truth[rows].to(device)[:, None].expand(-1, logits.shape[1], -1)
        parts = [nn.functional.cross_entropy(part.flatten(0, 1), wanted[..., k].flatten()) for k, part in enumerate(logits.split(sizes, -1))]
        loss = sum(parts) / len(parts)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        if step % 100 == 0:
            right = [(part[:, 0].argmax(-1) == wanted[:, 0, k]).float().mean().item() for k, part in enumerate(logits.split(sizes, -1))]
            names = [*ATTRIBUTES, "manner", "setting"]
            print(f"step {step}  loss {loss.item():.3f}  " + " ".join(f"{n} {r:.2f}" for n, r in zip(names, right, strict=True)), flush=True)
    torch.save(model.state_dict(), path)
    return model.state_dict()


def _answers(model, ids):
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
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    train_text_encoder(args.out, args.steps, args.device)


if __name__ == "__main__":
    main()
