"""Trains the autoencoder on random crops, then normalises its latents and encodes every picture.

The loss weighs colour and coarse brightness on their own: with a plain pixel loss and gradients alone the four latent channels go
to lines and textures first, and purple, green and yellow turn grey.

    python train_vae.py --out .work --steps 2100
"""

import argparse
import functools
import math
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import checkpoints
from draw_dataset import LARGER, PIXELS, load_pictures, shards
from models import SCALING_FACTOR, make_vae, parameter_count
from muon import optimisers

CROP = 64
BATCH = 6
SEED = 1
MUON_LR, ADAM_LR = 0.015, 2e-3
PICTURES = 10_000  # crops of the first so many are plenty
HELD_OUT = 96  # the last of them measure the error and are never trained on


def train_vae(out, steps, device="cpu"):
    """Trains up to `steps`, resuming from the checkpoint; leaves the averaged weights in `out`/vae.pt under "average"."""
    torch.manual_seed(SEED)
    pictures = torch.from_numpy(load_pictures(out, PICTURES))
    training = pictures[:-HELD_OUT]
    model = make_vae().to(device, memory_format=torch.channels_last)
    ends = (model.encoder.conv_in, model.decoder.conv_out, model.encoder.conv_out, model.decoder.conv_in, model.quant_conv, model.post_quant_conv)
    opts = optimisers([model], MUON_LR, ADAM_LR, keep_from_muon=ends)
    average = checkpoints.Average(model.parameters(), 0.998)
    step, path = 0, Path(out) / "vae.pt"
    if saved := checkpoints.load(path):
        step = saved["step"]
        for part, name in ((model, "model"), (average, "average"), (opts[0], "muon"), (opts[1], "adam")):
            part.load_state_dict(saved[name])

    def keep():
        checkpoints.save(path, model=model, average=average, muon=opts[0], adam=opts[1], step=step)

    print(f"autoencoder: {parameter_count(model) / 1e6:.2f} M parameters, {len(training)} pictures, from step {step}", flush=True)
    started, losses, kept = time.time(), [], time.time()
    while step < steps:
        rate = min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for opt, full in zip(opts, (MUON_LR, ADAM_LR), strict=True):
            opt.param_groups[0]["lr"] = full * rate
        batch = crops(training, BATCH).to(device)
        latents = model.encode(batch).latent_dist
        loss = reconstruction_loss(batch, model.decode(latents.sample()).sample)
        kl = latents.kl().mean() / (3 * CROP * CROP)
        (loss + 2e-3 * kl).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        step += 1
        average.update(step)
        losses.append(loss.item())
        if step % 100 == 0:
            pace = len(losses) / (time.time() - started)
            print(f"step {step}  loss {np.mean(losses[-100:]):.4f}  kl {kl.item():.3f}  {pace:.1f} steps/s", flush=True)
        if time.time() - kept > 120:
            keep()
            kept = time.time()
    keep()


def crops(pictures, count):
    """Random crops, half of them mirrored, as -1..1."""
    which = torch.randint(len(pictures), (count,)).tolist()
    corners = torch.randint(pictures.shape[1] - CROP + 1, (count, 2)).tolist()
    mirrored = (torch.rand(count) < 0.5).tolist()
    chosen = []
    for k, (y, x), flip in zip(which, corners, mirrored, strict=True):
        crop = pictures[k, y : y + CROP, x : x + CROP]
        chosen.append(crop.flip(1) if flip else crop)
    return as_input(torch.stack(chosen))


def as_input(pictures):
    """uint8 (n, h, w, 3) to float -1..1 (n, 3, h, w)."""
    return pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def reconstruction_loss(x, y):
    loss = (x - y).abs().mean() + 0.5 * (x - y).square().mean()
    loss = loss + 2.0 * (F.avg_pool2d(x, 4) - F.avg_pool2d(y, 4)).abs().mean()
    loss = loss + 1.5 * ((x - x.mean(1, True)) - (y - y.mean(1, True))).abs().mean()
    for _ in range(3):
        for axis in (2, 3):
            loss = loss + 0.5 * (x.diff(dim=axis) - y.diff(dim=axis)).abs().mean()
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return loss


@torch.no_grad()
def given_back(model, pictures):
    """Pictures as input, and what the autoencoder makes of them."""
    x = as_input(pictures)
    parts = [model.decode(model.encode(part.to(model.device)).latent_dist.mean).sample.clamp(-1, 1).cpu() for part in x.split(16)]
    return x, torch.cat(parts)


def psnr(model, pictures):
    x, y = given_back(model, pictures)
    return 10 * math.log10(4 / (x - y).square().mean().item())


@functools.cache
def _trained(out, device):
    """The model with its averaged weights, from the checkpoint."""
    saved = torch.load(Path(out) / "vae.pt", weights_only=True)
    model = make_vae()
    average = checkpoints.Average(model.parameters(), 0)
    average.load_state_dict(saved["average"])
    average.swap()
    return model.to(device, memory_format=torch.channels_last).eval()


@torch.no_grad()
def encode_shard(out, shard, device):
    """Latent means of one shard of pictures, (n, 4, 32, 32) float32, before they are normalised."""
    model, parts = _trained(out, device), []
    for pictures in torch.from_numpy(np.load(shard)).split(16):
        with torch.autocast(device, torch.bfloat16):
            parts.append(model.encode(as_input(pictures).to(device)).latent_dist.mean.float().contiguous().cpu())
    return torch.cat(parts)


@torch.no_grad()
def normalise(model, mean, scale):
    """Folds "minus mean, times scale", per channel, into the 1 x 1 convolutions at the latents. The pictures do not change, and the
    layout stays Stable Diffusion's."""
    channels = len(mean)
    quant, post = model.quant_conv, model.post_quant_conv
    post.bias.add_((post.weight[:, :, 0, 0] * mean).sum(1))
    post.weight.div_(scale[None, :, None, None])
    quant.bias[:channels].sub_(mean).mul_(scale)
    quant.weight[:channels].mul_(scale[:, None, None, None])
    quant.bias[channels:].add_(2 * scale.log())  # the second half is the log of the variance


def finish_vae(out, device="cpu", workers=1):
    """Gives every latent channel mean 0 and standard deviation 1 / SCALING_FACTOR; saves the model so changed, and the latents of all
    pictures by their size in pixels, times the scaling factor, as fp16."""
    latents = {}
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for pixels in (PIXELS, *LARGER):
            parts = pool.starmap(encode_shard, [(str(out), shard, device) for shard in shards(out, pixels)], chunksize=1)
            if parts:  # a small data set has no larger pictures
                latents[pixels] = torch.cat(parts)
    usual = latents[PIXELS]
    mean, std = usual.mean((0, 2, 3)), usual.std((0, 2, 3))
    print("latents per channel: mean", [round(v, 3) for v in mean.tolist()], "std", [round(v, 3) for v in std.tolist()], flush=True)
    model = _trained(str(out), "cpu")
    held = torch.from_numpy(load_pictures(out, PICTURES)[-HELD_OUT:])
    before = psnr(model, held)
    normalise(model, mean, 1 / (std * SCALING_FACTOR))
    print(f"held-out PSNR {before:.3f} dB before and {psnr(model, held):.3f} dB after normalising", flush=True)
    torch.save(model.state_dict(), Path(out) / "vae_final.pt")
    part = Path(out) / "latents.part"
    torch.save({pixels: ((found - mean[:, None, None]) / std[:, None, None]).half() for pixels, found in latents.items()}, part)
    os.replace(part, Path(out) / "latents.pt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--steps", type=int, default=2100)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    train_vae(args.out, args.steps, args.device)
    finish_vae(args.out, args.device)


if __name__ == "__main__":
    main()
