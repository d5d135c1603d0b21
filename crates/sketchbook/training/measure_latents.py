"""How much of a sitter can be read from noised latents, by the best linear reader: what image-to-image can know of its reference when it
begins at a strength, whatever the UNet does. The reader learns from five sixths of the data set's photographs and is asked about the
rest; its answers are the judge's traits, its score their explained variance (1 is everything, 0 nothing), averaged.

Beside the latents as they are stand latents of half the size, and whitened ones (every spatial frequency as strong as any other): what
else an autoencoder might give the UNet under the same noise schedule.

    python measure_latents.py --out .work
"""

import argparse
from pathlib import Path

import torch

from draw_dataset import PICTURES_PER_SCENE, PIXELS, scene_of
from judge import traits_of
from models import alphas_cumprod

STARTS = {0.4: 351, 0.6: 551, 0.8: 751, 0.95: 901}  # strengths, and the timesteps where 20 steps begin


def whitened(latents):
    """The latents with equal power in every ring of spatial frequencies, and as much of it altogether as before."""
    waves = torch.fft.fft2(latents - latents.mean(0))
    there = torch.fft.fftfreq(latents.shape[-1]) * latents.shape[-1]
    ring = (there[:, None] ** 2 + there**2).sqrt().round().long()
    power = waves.abs().square().mean((0, 1))
    by_ring = torch.zeros(ring.max() + 1).index_add(0, ring.flatten(), power.flatten()) / ring.flatten().bincount()
    return torch.fft.ifft2(waves * (power.mean() / by_ring[ring]).sqrt()).real


def read(latents, traits, t):
    """The explained variance of every trait, from latents noised to timestep t."""
    alpha = alphas_cumprod()[t]
    noise = ((1 - alpha) / alpha).sqrt()
    seen = latents.flatten(1)
    learnt = len(seen) * 5 // 6
    middle = seen[:learnt].mean(0)
    known = seen[:learnt] - middle
    # Ridge regression in its dual form; the noise on what is learnt from is its expectation, the noise on what is asked is real.
    weights = torch.linalg.solve(known @ known.T + learnt * noise**2 * torch.eye(learnt), traits[:learnt])
    asked = seen[learnt:] - middle + noise * torch.randn(len(seen) - learnt, seen.shape[1], generator=torch.Generator().manual_seed(0))
    return 1 - (asked @ (known.T @ weights) - traits[learnt:]).square().mean(0) / traits[learnt:].var(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work", help="where latents.pt is")
    out = Path(parser.parse_args().out)
    latents = torch.load(out / "latents.pt")[PIXELS][::PICTURES_PER_SCENE].float()
    traits = torch.tensor([traits_of(scene_of(k)) for k in range(len(latents))]).float()
    traits = (traits - traits.mean(0)) / traits.std(0)
    for name, seen in (("as they are", latents), ("of half the size", latents / 2), ("whitened", whitened(latents))):
        shares = [f"{strength}: {read(seen, traits, t).mean().item():.2f}" for strength, t in STARTS.items()]
        print(f"latents {name}, by strength: {', '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
