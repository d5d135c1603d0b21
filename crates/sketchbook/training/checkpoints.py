"""Checkpoints that training resumes from: weights, averages, optimisers, step and random state, replaced in one go."""

import os
from pathlib import Path

import torch


def save(path, **parts):
    """Writes a checkpoint; parts with a state_dict are saved as that."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    states = {name: part.state_dict() if hasattr(part, "state_dict") else part for name, part in parts.items()}
    states["torch_rng"] = torch.get_rng_state()
    part = path.with_suffix(".part")
    torch.save(states, part)
    os.replace(part, path)


def load(path):
    """A checkpoint's states, or None; the random state is set to where it was."""
    if not Path(path).exists():
        return None
    states = torch.load(path, map_location="cpu", weights_only=True)
    torch.set_rng_state(states["torch_rng"])
    return states


class Average:
    """An exponential moving average of parameters, short at first."""

    def __init__(self, params, decay):
        self.params = list(params)
        self.decay = decay
        self.values = [p.detach().clone() for p in self.params]

    @torch.no_grad()
    def update(self, step):
        decay = min(self.decay, (1 + step) / (20 + step))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.params], 1 - decay)

    def state_dict(self):
        return {"values": self.values}

    def load_state_dict(self, state):
        for mine, saved in zip(self.values, state["values"], strict=True):
            mine.copy_(saved)

    def swap(self):
        """Exchanges the average with the weights; twice gives everything back."""
        for p, value in zip(self.params, self.values, strict=True):
            kept = p.detach().clone()
            p.data.copy_(value)
            value.copy_(kept)
