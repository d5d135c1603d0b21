"""Trains the UNet on latents. The text encoder stays as it is, as for Stable Diffusion.

Noise is predicted, on Stable Diffusion v1's schedule. Two things differ from the usual recipe, both because this model sees
thousands of pictures and not billions:

- The loss weighs strong noise more (by 1 / sqrt(alpha_cumprod)), for there attributes and manner are decided; weak noise is
  weighed down as in Hang et al. 2023 ("Min-SNR", gamma 5). Strong noise is also drawn more often.
- A share of the samples walks from a photograph to a painting of the same sitter. Image-to-image starts from a noised photograph at
  a timestep s and follows (in DDIM's deterministic form) a straight path to some clean latents z*. Here that path is trained
  directly, with z* between the photograph and the painting: near the photograph for small s, the painting itself from s = 800 on.

Training goes in stages, each with its own course of the learning rate. The first draw strong noise more often: manners and
attributes are decided there. The last two weigh the middle of the picture more, where the face is, for faces were what was still
wrong; and they see pictures that are part photograph, part painting, as repainting under a mask makes them.

    python train_unet.py --out .work

Stopped by SIGTERM it keeps what it has; run again, it goes on from there.
"""

import argparse
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor

import checkpoints
from draw_dataset import LARGER, PICTURES_PER_SCENE, PIXELS
from models import alphas_cumprod, make_text_encoder, make_unet, parameter_count
from muon import optimisers
from team import Team
from tokens import encode, load_tokens, tokenizer_of

SEED = 4
MUON_LR, ADAM_LR = 0.02, 1.5e-3
UNCAPTIONED_SHARE = 0.12
FACE = (0.50, 0.47)  # the middle of the painter's faces, in shares of the picture's size


@dataclass(frozen=True)
class Stage:
    """A part of the training."""

    until: int  # the step it ends at
    batch: int
    paired_share: float  # of the paintings: samples that walk from the photograph
    noise: float  # timesteps are 1000 times a uniform number to this power: below 1, strong noise comes more often
    larger_share: float = 0.0  # of the steps: batches of larger pictures, fewer of them, so that a step takes as long
    mixed_share: float = 0.0  # of the paintings: samples whose face or surroundings are the photograph's
    face: float = 0.0  # how much more an error weighs in the middle of a face than far from it, less 1
    level: float = 0.4  # of the stage: where the learning rate begins to fall


STAGES = (
    Stage(3300, batch=8, paired_share=0.22, noise=0.8),
    Stage(5285, batch=12, paired_share=0.12, noise=0.75),
    Stage(11_200, batch=24, paired_share=0.12, noise=0.85, larger_share=0.16),
    Stage(15_350, batch=32, paired_share=0.12, noise=0.9, larger_share=0.12, mixed_share=0.06, face=3.0),
    Stage(19_800, batch=32, paired_share=0.12, noise=0.9, larger_share=0.12, mixed_share=0.06, face=3.0, level=0.1),
)


def train_unet(out, steps=STAGES[-1].until, device="cpu", workers=1):
    """Trains up to `steps` (the end of the last stage, to make that shorter or longer), resuming from the checkpoint; leaves the
    weights in `out`/unet.pt under "unet". Several workers share every batch, evenly: see `largest_team`."""
    if largest_team(workers) != workers:
        raise ValueError(f"{workers} workers cannot share every batch evenly; {largest_team(workers)} can")
    stages = [replace(stage, until=min(stage.until, steps)) for stage in STAGES[:-1]] + [replace(STAGES[-1], until=steps)]
    team = Team(workers, parameter_count(make_unet()))
    team.run(lambda rank: _train(out, stages, device, team, rank))


def largest_team(workers):
    """The largest team, of up to so many workers, whose number divides every stage's batch."""
    return max(size for size in range(1, workers + 1) if all(stage.batch % size == 0 for stage in STAGES))


def _train(out, stages, device, team, rank):
    """The training as one of a team; the first keeps the checkpoint and talks."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    torch.manual_seed(SEED)
    data = Data(out)
    unet = make_unet().to(device, memory_format=torch.channels_last)
    unet.set_attn_processor(AttnProcessor())  # plain matrix products: on a CPU the fused attention's backward pass is slow
    text = make_text_encoder().to(device).eval()
    text.load_state_dict(torch.load(Path(out) / "text_encoder.pt"))
    params = list(unet.parameters())
    opts = optimisers([unet], MUON_LR, ADAM_LR, keep_from_muon=(unet.conv_in, unet.conv_out, unet.time_embedding.linear_1))
    # No moving average: the rate comes down to nearly nothing, and an average over 500 steps trailed and measured worse.
    parts = dict(unet=unet, muon=opts[0], adam=opts[1])
    step, path = 0, Path(out) / "unet.pt"
    if saved := checkpoints.load(path):
        step = saved["step"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    if rank:
        torch.manual_seed(1_000_000 * rank + step)  # other pictures than the first one's
    else:
        print(f"UNet: {parameter_count(unet) / 1e6:.2f} M parameters, {len(data.latents[PIXELS])} pictures, from step {step}", flush=True)
    alphas = alphas_cumprod()
    weights = loss_weights(alphas)
    started, kept, samples, errors, losses = time.time(), time.time(), 0, [], []
    ending = False
    while step < stages[-1].until and not ending:
        stage, share = stage_at(step, stages)
        for opt, full in zip(opts, (MUON_LR, ADAM_LR), strict=True):
            opt.param_groups[0]["lr"] = full * share
        noised, noise, t, ids = _batch(data, alphas, replace(stage, batch=stage.batch // team.size))
        with torch.autocast(device, torch.bfloat16):
            with torch.no_grad():
                states = text(ids.to(device)).last_hidden_state
            predicted = unet(noised.to(device, memory_format=torch.channels_last), t.to(device), states).sample
        error = (predicted.float() - noise.to(device)).square().mean(1)
        loss = ((error * face_weights(error.shape[-1], stage.face).to(device)).mean((1, 2)) * weights[t].to(device)).mean()
        loss.backward()
        ending = team.average(rank, params, stopped.is_set())
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        step += 1
        if rank:
            continue
        samples += len(noised) * team.size
        errors.append(error.mean().item())
        losses.append(loss.item())
        if step % 50 == 0:
            pace = samples / (time.time() - started)
            print(f"step {step}  mse {np.mean(errors[-200:]):.4f}  weighted {np.mean(losses[-200:]):.4f}  {pace:.1f} samples/s", flush=True)
        if time.time() - kept > 150:
            checkpoints.save(path, step=step, **parts)
            kept = time.time()
    if rank == 0:
        checkpoints.save(path, step=step, **parts)


def stage_at(step, stages):
    """The stage of a step, and the share of the full learning rates there."""
    first = 0
    for stage in stages:
        if step < stage.until:
            return stage, rate(step - first, stage.until - first, stage.level)
        first = stage.until
    raise ValueError(f"step {step} lies behind the last stage, which ends at {first}")


def rate(step, steps, level):
    """Of the full learning rates: a short warm-up, level for a share of the steps, then straight down to 2 %."""
    falling = max(0.0, step / steps - level) / (1 - level)
    return min(1.0, (step + 1) / 40) * (1 - 0.98 * falling)


def loss_weights(alphas):
    """A weight for the squared error at every timestep; 1 on average."""
    snr = alphas / (1 - alphas)
    weights = snr.clamp(max=5) / snr / alphas.sqrt()
    return weights / weights.mean()


def face_weights(size, face):
    """A weight for every place of a square of latents: 1 + `face` where the painter puts the middle of a face, less around it, and 1 on
    average over the square."""
    weights = 1 + face * torch.exp(-0.5 * _from_face(size, 0.19, 0.22) ** 2)
    return weights / weights.mean()


def _from_face(size, across, down):
    """How far every place of a square of latents lies from the middle of a face, in units of a face so wide and high."""
    y, x = torch.meshgrid(*[(torch.arange(size) + 0.5) / size] * 2, indexing="ij")
    return (((x - FACE[0]) / across) ** 2 + ((y - FACE[1]) / down) ** 2).sqrt()


class Data:
    """Latents by size and tokens; photographs stand at multiples of PICTURES_PER_SCENE."""

    def __init__(self, out):
        self.latents = torch.load(Path(out) / "latents.pt")
        self.larger = [pixels for pixels in LARGER if pixels in self.latents]
        self.tokens = load_tokens(out)
        self.nothing = encode(tokenizer_of(out), [""])[0]
        self.order, self.place = torch.empty(0, dtype=torch.long), 0

    def next_batch(self, stage):
        """Latents of one size, the rows to take from them, and their captions' tokens."""
        if self.larger and torch.rand(()) < stage.larger_share:
            pixels = self.larger[int(torch.randint(len(self.larger), ()))]
            latents = self.latents[pixels]
            rows = torch.randint(len(latents), (round(stage.batch * (PIXELS / pixels) ** 2),))
            first = LARGER[pixels][0] * PICTURES_PER_SCENE  # of the tokens
        else:
            latents, rows, first = self.latents[PIXELS], self._next_rows(stage.batch), 0
        ids = self.tokens[first + rows, torch.randint(self.tokens.shape[1], (len(rows),))].long()
        return latents, rows, ids

    def _next_rows(self, count):
        """The next rows of a shuffled pass over all pictures. (A resumed run begins a new pass.)"""
        if self.place + count > len(self.order):
            self.order, self.place = torch.randperm(len(self.latents[PIXELS])), 0
        self.place += count
        return self.order[self.place - count : self.place]


def _batch(data, alphas, stage):
    """Noised latents, the noise to predict, timesteps and token numbers."""
    latents, rows, ids = data.next_batch(stage)
    size = len(rows)
    clean = latents[rows].float()
    photo = latents[rows - rows % PICTURES_PER_SCENE].float()  # of the same sitters
    spread = (torch.arange(size) + torch.rand(size)) / size
    t = (1000 * spread**stage.noise).long().clamp(0, 999)
    noise = torch.randn_like(clean)
    chance = torch.rand(size).where(rows % PICTURES_PER_SCENE != 0, 0.5)  # a photograph neither walks nor mixes
    walking, mixed = chance < stage.paired_share, chance >= 1 - stage.mixed_share
    t[walking], clean[walking], noise[walking] = _walk(photo[walking], clean[walking], noise[walking], alphas)
    t[mixed], clean[mixed] = _mix(photo[mixed], clean[mixed])
    ids[~walking & (torch.rand(size) < UNCAPTIONED_SHARE)] = data.nothing.long()
    a = alphas[t][:, None, None, None]
    return a.sqrt() * clean + (1 - a).sqrt() * noise, noise, t, ids


def _walk(photo, painting, noise, alphas):
    """Timesteps, clean latents and noise on the way from a noised photograph to a painting of the same sitter."""
    start = 200 + 600 * torch.rand(len(photo))
    t = (start * (0.2 + 0.8 * torch.rand(len(photo)))).long()
    a = alphas[start.long()][:, None, None, None]
    goal = torch.lerp(photo, painting, (start / 800)[:, None, None, None])
    return t, goal, noise + (a / (1 - a)).sqrt() * (photo - goal)


def _mix(photo, painting):
    """Timesteps, and clean latents that are part photograph, part painting. With stronger noise than these, a prompt alone would have
    to say where the photograph is."""
    return (800 * torch.rand(len(photo))).long(), torch.lerp(painting, photo, _masks(len(photo), photo.shape[-1]))


def _masks(count, size):
    """Masks (count, 1, size, size) of 0 and 1 with a narrow rim between: the surroundings of a face, or for every other one the face."""
    across, down = (middle + spread * torch.rand(count, 1, 1) for middle, spread in ((0.16, 0.10), (0.22, 0.12)))
    outside = ((_from_face(size, across, down) - 1) * 6 + 0.5).clamp(0, 1)
    return torch.where(torch.arange(count)[:, None, None] % 2 == 0, outside, 1 - outside)[:, None]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--steps", type=int, default=STAGES[-1].until)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that share every batch")
    args = parser.parse_args()
    train_unet(args.out, args.steps, args.device, args.workers)


if __name__ == "__main__":
    main()
