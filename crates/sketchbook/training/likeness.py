"""The network behind the metric `sketchbook_likeness`: what identifies a sitter, estimated from a picture in any manner.

It estimates the nameable attributes of a sitter (not clothes and background) and the numbers of the identity that can be seen at
64 x 64. Pose and light are estimated only while training, where they help the network to discount them; the metric ignores them.
"""

import torch
from torch import nn

from scene import ATTRIBUTES

PIXELS = 64
# The order is the order of the network's answers; crates/metrics/src/models/likeness.rs has the same.
LABELS = ("sex", "age", "hair", "hair_colour", "beard", "glasses", "hat")
NUMBERS = ("head_width", "head_height", "jaw", "skin", "eye_height", "brow_weight", "hairline", "parting", "shoulders", "neck")
POSE = ("x", "y", "tilt", "turn", "light")
SIZES = tuple(len(ATTRIBUTES[name]) for name in LABELS)
CHANNELS = ((3, 24, 5), (24, 48, 3), (48, 96, 3), (96, 128, 3))
HIDDEN = 128
# Two estimates of a number agree by exp(-(a - b)^2 / (2 w^2)), with w in standard deviations of the estimates.
WIDTH = 0.5


class Likeness(nn.Module):
    """Answers for pictures as float (n, 3, 64, 64), -1 to 1."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, after, size in CHANNELS:
            layers += [nn.Conv2d(before, after, size, 2, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.look = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(CHANNELS[-1][1] * (PIXELS // 16) ** 2, HIDDEN), nn.ReLU())
        self.answer = nn.Linear(HIDDEN, sum(SIZES) + len(NUMBERS) + len(POSE))

    def forward(self, pictures):
        """(logits of each label, the numbers and the pose in standard deviations from the mean)."""
        *logits, numbers = self.answer(self.look(pictures)).split([*SIZES, len(NUMBERS) + len(POSE)], -1)
        return logits, numbers


def numbers_of(scene):
    """NUMBERS and POSE, not yet standardised."""
    who = scene.identity
    return [getattr(who, name) for name in NUMBERS] + [*who.centre, who.tilt, who.turn, who.light]


@torch.no_grad()
def estimates(network, pictures):
    """([probabilities (n, values)], numbers (n, NUMBERS)) for pictures as the network sees them."""
    parts = [network(part) for part in pictures.split(100)]
    labels = [torch.cat([logits[k].softmax(-1) for logits, _ in parts]) for k in range(len(LABELS))]
    return labels, torch.cat([numbers for _, numbers in parts])[:, : len(NUMBERS)]


def likeness(a, b, spread):
    """The metric for pairs of estimates, (n,): the mean of the agreements. `spread` is the deviation of estimated numbers."""
    agreements = [(p * q).sum(-1) for p, q in zip(a[0], b[0], strict=True)]
    apart = (a[1] - b[1]) / spread
    agreements += list((-(apart**2) / (2 * WIDTH**2)).exp().unbind(-1))
    return torch.stack(agreements, -1).mean(-1)


def folded(network, spread):
    """The tensors that are shipped, in fp16: each batch normalisation is folded into the convolution before it, and the pose is left out."""
    tensors = {}
    for k in range(len(CHANNELS)):
        conv, norm = network.look[3 * k], network.look[3 * k + 1]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        tensors[f"convs.{k}.weight"] = conv.weight * scale[:, None, None, None]
        tensors[f"convs.{k}.bias"] = norm.bias - norm.running_mean * scale
    kept = sum(SIZES) + len(NUMBERS)
    tensors |= {"hidden.weight": network.look[-2].weight, "hidden.bias": network.look[-2].bias}
    tensors |= {"answer.weight": network.answer.weight[:kept], "answer.bias": network.answer.bias[:kept], "spread": spread}
    return {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
