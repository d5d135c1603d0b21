"""Numbers about an exported model, on sitters it was not trained on.

- how well the autoencoder gives pictures back (PSNR);
- whether captions matter: the error of predicted noise with the right caption, with another sitter's attributes, with another
  manner, and with none, at several timesteps. Lower is better, and the right caption should be lowest;
- whether clothes follow the prompt: the share of photographs whose clothes come out nearest to the colour asked for.

    python measure.py --model ../weights
"""

import argparse

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from captions import caption
from draw_dataset import draw_scene, scene_of
from models import alphas_cumprod
from palettes import CLOTHES, rgb
from sample import Sampler
from scene import sample_scene
from tokens import encode
from train_vae import as_input, psnr

FIRST_SCENE = 1_000_000  # far from those of the data set
TIMESTEPS = (300, 500, 700, 900)


def fresh_pictures(scenes):
    pictures, records = [], []
    for k in range(scenes):
        drawn, about = draw_scene(FIRST_SCENE + k)
        pictures += drawn
        records += about
    return torch.from_numpy(np.stack(pictures)), records


@torch.no_grad()
def caption_sensitivity(pipeline, pictures, records):
    """Mean squared errors by timestep: {t: (right, other attributes, other manner, none)}."""
    vae, unet, text = pipeline.vae, pipeline.unet, pipeline.text_encoder
    latents = vae.encode(as_input(pictures)).latent_dist.mean * vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    by_manner = {}
    for record in records:
        by_manner.setdefault((record["manner"], record["setting"]), []).append(record)
    names = list(by_manner)
    texts = [[], [], [], []]
    for record in records:
        manner = record["manner"], record["setting"]
        other = names[(names.index(manner) + 1 + int(rng.integers(len(names) - 1))) % len(names)]
        texts[0].append(record["captions"][0])
        texts[1].append(caption(sample_scene(rng), *manner, rng))
        # The same sitter in another manner: the attributes stay right.
        texts[2].append(caption(scene_of(record["scene"]), *other, rng))
        texts[3].append("")
    states = [text(encode(pipeline.tokenizer, part).long()).last_hidden_state for part in texts]
    alphas, found = alphas_cumprod(), {}
    for t in TIMESTEPS:
        noised = alphas[t].sqrt() * latents + (1 - alphas[t]).sqrt() * noise
        found[t] = tuple((unet(noised, t, s).sample - noise).square().mean().item() for s in states)
    return found


def clothes_accuracy(model, count, guidance):
    """The share of photographs in the clothes colour asked for."""
    sampler = Sampler(model, 20, guidance)
    rng = np.random.default_rng(1)
    right = 0
    for colour in list(CLOTHES) * count:
        prompt = f"photo of a {rng.choice(['man', 'woman'])}, wearing {colour}, plain background"
        picture = np.asarray(sampler.from_text([prompt], [int(rng.integers(1 << 31))])[0], np.float32)
        shirt = np.median(picture[116:126, 40:88].reshape(-1, 3), 0)
        nearest = min(CLOTHES, key=lambda name: np.abs(rgb(CLOTHES[name]) * 0.75 - shirt).sum())  # 0.75: the painter's shade down there
        right += nearest == colour
    return right / (len(CLOTHES) * count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="../weights")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--clothes", type=int, default=2, help="photographs of each colour; 0 leaves this out")
    parser.add_argument("--guidance", type=float, default=4.0)
    args = parser.parse_args()
    pipeline = StableDiffusionPipeline.from_pretrained(args.model)
    pictures, records = fresh_pictures(args.scenes)
    print(f"autoencoder: {psnr(pipeline.vae, pictures):.2f} dB over {len(pictures)} pictures")
    for t, errors in caption_sensitivity(pipeline, pictures, records).items():
        print(f"t = {t}: right {errors[0]:.5f}, other attributes {errors[1]:.5f}, other manner {errors[2]:.5f}, no caption {errors[3]:.5f}")
    if args.clothes:
        print(f"clothes as asked for: {clothes_accuracy(args.model, args.clothes, args.guidance):.0%}")


if __name__ == "__main__":
    main()
