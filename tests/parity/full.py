"""Full size: Stable Diffusion v1-4 with random weights, one 512-pixel picture by diffusers and by Maquette, and how they differ.

    just parity-full                    # 4 steps; some minutes on a laptop, 5 GB of disk below target/
    just parity-full --steps 20

The model has v1-4's shapes, its scheduler file and the real CLIP vocabulary (as open_clip_torch carries it), made and saved by
diffusers' own classes, so that it costs and checks the same as the real one. The picture shows nothing. Ends with 1 when
a level of the picture differs by more than --tolerance.
"""

import argparse
import sys
import time
from pathlib import Path

import clip
import diffusers
import numpy
import runs
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

PROMPT = "portrait of a bearded man among monstera leaves, by Alphonse Mucha"
NEGATIVE_PROMPT = "blurry, low quality"
SEED, GUIDANCE_SCALE = 7, 7.5
ATTENDING, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where the model and the pictures go")
    parser.add_argument("--maquette", required=True, help="the program")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tolerance", type=int, default=1, help="largest difference of a level that is agreement")
    args = parser.parse_args()
    model = args.out / "stable-diffusion-v1-4"
    if not (model / "model_index.json").exists():
        make(model)
    theirs = by_diffusers(model, args.steps)
    theirs.save(args.out / "diffusers.png")
    ours = by_maquette(model, args.out, args.steps, args.maquette)
    sys.exit(compare(theirs, ours, args.tolerance))


def make(folder, device="cpu", dtype=torch.float32, tokenizer=None):
    """Saves the model; model_index.json comes last, so that a folder that has it is whole.

    The weights are drawn on `device` in `dtype`. `tokenizer` is a folder that clip.py wrote; without it one is made.
    """
    print(f"making {folder}", flush=True)
    if tokenizer is None:
        tokenizer = folder / "clip"
        clip.write(tokenizer, clip.installed())
    torch.set_default_device(device)
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280, 1280),
        down_block_types=(ATTENDING, ATTENDING, ATTENDING, PLAIN),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        sample_size=512,
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            hidden_act="quick_gelu",
            projection_dim=768,
        )
    )
    # The scheduler's tables are computed on the CPU in f32.
    torch.set_default_device(None)
    torch.set_default_dtype(torch.float32)
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
    )
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=CLIPTokenizer.from_pretrained(tokenizer, pad_token="<|endoftext|>", model_max_length=77),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def by_diffusers(model, steps, device="cpu", dtype=torch.float32):
    """The picture of diffusers' pipeline. The noise is drawn on the CPU in f32, whatever the device and precision."""
    pipeline = StableDiffusionPipeline.from_pretrained(model, dtype=dtype, safety_checker=None).to(device)
    size = pipeline.unet.config.sample_size
    noise = torch.randn((1, 4, size, size), generator=torch.Generator().manual_seed(SEED))
    started = time.time()
    image = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        num_inference_steps=steps,
        guidance_scale=GUIDANCE_SCALE,
        latents=noise.to(dtype),
    ).images[0]
    print(f"diffusers {diffusers.__version__}, torch {torch.__version__}: {time.time() - started:.1f} s", flush=True)
    return image


def by_maquette(model, out, steps, maquette, device="cpu", dtype="f32"):
    experiment = out / "full.toml"
    experiment.write_text(
        f'model = "{model.resolve()}"\nprompt = "{PROMPT}"\nnegative_prompt = "{NEGATIVE_PROMPT}"\n'
        f"seed = {SEED}\nsteps = {steps}\nguidance_scale = {GUIDANCE_SCALE}\n"
    )
    run = runs.run(maquette, experiment, out / "runs", "--device", device, "--dtype", dtype, "--no-sheets")
    if run.code != 0:
        sys.exit(run.messages)
    print(f"maquette: {run.cells[0]['seconds'] or 'reused, 0'} s", flush=True)
    return runs.picture(run.cells[0]["path"])


def compare(theirs, ours, tolerance):
    levels = numpy.asarray(theirs)
    print(f"levels {levels.min()} to {levels.max()}, deviation {levels.std():.1f}")
    difference = runs.difference(theirs, ours)
    print(difference)
    return int(difference.largest > tolerance)


if __name__ == "__main__":
    main()
