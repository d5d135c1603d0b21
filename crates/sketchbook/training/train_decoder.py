"""Sharpens the decoder. The encoder stays as it is, and so do all latents: this can be done before or after the UNet.

An autoencoder trained on differences alone gives back the average of what it cannot tell, which is soft. Here a critic learns to tell
drawings from what the decoder makes of their latents, patch by patch, and the decoder learns to please it (Esser et al. 2021,
"Taming Transformers", with its balance of the two losses), and to agree with the drawing in the critic's own features (Wang et al.
2018, "pix2pixHD"). Latents get a little noise, for sampling leaves some.

    python train_decoder.py --out .work --steps 3000
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

import checkpoints
from draw_dataset import load_pictures
from models import SCALING_FACTOR, make_vae
from train_vae import HELD_OUT, PICTURES, crops, given_back, psnr, reconstruction_loss

BATCH = 6
SEED = 6
RATE = 3e-4
ADVERSARIAL = 0.25  # of the reconstruction's pull on the last layer
MATCHING = 0.5
LATENT_NOISE = 0.05  # of the latents' deviation


class Critic(nn.Module):
    """Scores for patches of 22 x 22 pixels: high for drawings, low for what was decoded."""

    def __init__(self):
        super().__init__()
        layers = [(3, 32, 4, 2), (32, 64, 4, 2), (64, 96, 3, 1)]
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, size, stride, 1)) for a, b, size, stride in layers)
        self.score = spectral_norm(nn.Conv2d(96, 1, 3, 1, 1))

    def forward(self, x):
        """The scores, and the features of every layer."""
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features


def train_decoder(out, steps, device="cpu"):
    """Trains up to `steps`, resuming from the checkpoint, and puts the sharpened decoder into `out`/vae_final.pt."""
    torch.manual_seed(SEED)
    pictures = torch.from_numpy(load_pictures(out, PICTURES))
    training, held = pictures[:-HELD_OUT], pictures[-HELD_OUT:]
    final, path = Path(out) / "vae_final.pt", Path(out) / "decoder.pt"
    vae, critic = make_vae(), Critic().to(device, memory_format=torch.channels_last)
    vae.load_state_dict(torch.load(final))
    vae = vae.to(device, memory_format=torch.channels_last)
    params = [*vae.post_quant_conv.parameters(), *vae.decoder.parameters()]
    opts = torch.optim.Adam(params, RATE, (0.5, 0.95)), torch.optim.Adam(critic.parameters(), 2 * RATE, (0.5, 0.95))
    average = checkpoints.Average(params, 0.997)
    parts = dict(vae=vae, critic=critic, average=average, decoder_opt=opts[0], critic_opt=opts[1])
    step = 0
    if saved := checkpoints.load(path):
        step = saved["step"]
        for name, part in parts.items():
            part.load_state_dict(saved[name])
    else:
        print(f"before: {psnr(vae, held):.2f} dB, edges {sharpness(vae, held):.3f} of the drawings'", flush=True)
    started, kept, losses, first = time.time(), time.time(), [], step
    last = vae.decoder.conv_out.weight
    while step < steps:
        rate = min(1, (step + 1) / 100) * min(1, 1.02 - step / steps)
        opts[0].param_groups[0]["lr"], opts[1].param_groups[0]["lr"] = RATE * rate, 2 * RATE * rate
        drawn = crops(training, BATCH).to(device)
        with torch.no_grad():
            latents = vae.encode(drawn).latent_dist.mean
            latents += torch.randn_like(latents) * LATENT_NOISE * torch.rand(len(latents), 1, 1, 1, device=device) / SCALING_FACTOR
        decoded = vae.decode(latents).sample
        drawn_score, wanted = critic(drawn)
        critic.requires_grad_(False)
        score, features = critic(decoded)
        critic.requires_grad_(True)
        likeness = reconstruction_loss(drawn, decoded) + MATCHING * sum((a - b.detach()).abs().mean() for a, b in zip(features, wanted, strict=True))
        pleasing = -score.mean()
        pulls = [torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (likeness, pleasing)]
        balance = ADVERSARIAL * min(1, step / 200) * (pulls[0] / (pulls[1] + 1e-6)).clamp(max=100)
        (likeness + balance * pleasing).backward()
        opts[0].step()
        opts[0].zero_grad(set_to_none=True)
        fair = F.relu(1 - drawn_score).mean() + F.relu(1 + critic(decoded.detach())[0]).mean()
        fair.backward()
        opts[1].step()
        opts[1].zero_grad(set_to_none=True)
        step += 1
        average.update(step)
        losses.append((likeness.item(), fair.item()))
        if step % 100 == 0:
            a, b = np.mean(losses[-100:], 0)
            print(f"step {step}  loss {a:.4f}  critic {b:.3f}  {(step - first) / (time.time() - started):.1f} steps/s", flush=True)
        if time.time() - kept > 120:
            checkpoints.save(path, step=step, **parts)
            kept = time.time()
    checkpoints.save(path, step=step, **parts)
    average.swap()
    print(f"after: {psnr(vae, held):.2f} dB, edges {sharpness(vae, held):.3f} of the drawings'", flush=True)
    torch.save({name: value.contiguous() for name, value in vae.state_dict().items()}, final)


def sharpness(vae, pictures):
    """How much stands between neighbouring pixels of what the autoencoder gives back, in shares of the drawings'."""
    x, y = given_back(vae, pictures)
    return float(sum(y.diff(dim=axis).abs().mean() for axis in (2, 3)) / sum(x.diff(dim=axis).abs().mean() for axis in (2, 3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    train_decoder(args.out, args.steps, args.device)


if __name__ == "__main__":
    main()
