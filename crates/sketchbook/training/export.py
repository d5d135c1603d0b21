"""Writes the trained networks as a Stable Diffusion folder in diffusers' layout, weights in fp16, and beside the scripts a record
of what was written and with which versions.

    python export.py --out .work --to ../weights
"""

import argparse
import hashlib
import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline
from transformers import CLIPTokenizer

from models import make_text_encoder, make_unet, make_vae

RECORD = Path(__file__).with_name("weights.json")
PACKAGES = ("torch", "diffusers", "transformers", "numpy", "skia-python", "opencv-python-headless")
TOKENIZER_FILES = ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")


def load_trained(out):
    """The three networks."""
    unet, text, vae = make_unet(), make_text_encoder(), make_vae()
    unet.load_state_dict(torch.load(Path(out) / "unet.pt", weights_only=True)["unet"])
    text.load_state_dict(torch.load(Path(out) / "text_encoder.pt"))
    vae.load_state_dict(torch.load(Path(out) / "vae_final.pt"))
    return text, unet, vae


def scheduler():
    """Stable Diffusion v1-4's."""
    return PNDMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def digests(to):
    """SHA-256 by file, of everything in the folder that training made."""
    files = [path for path in sorted(Path(to).rglob("*")) if path.suffix == ".safetensors" or path.name in ("vocab.json", "merges.txt")]
    return {path.relative_to(to).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def record(to, unet_steps):
    """What RECORD says of the folder at `to`."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return {"sha256": digests(to), "unet_steps": unet_steps, "versions": versions}


def export(out, to):
    """Writes the folder at `to`, and the record."""
    text, unet, vae = load_trained(out)
    to = Path(to)
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        text_encoder=text.half(),
        tokenizer=CLIPTokenizer.from_pretrained(Path(out) / "tokenizer"),
        unet=unet.half(),
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(to)
    # transformers writes its own single file; we keep the four classic ones, which every reader of Stable Diffusion knows.
    shutil.rmtree(to / "tokenizer")
    (to / "tokenizer").mkdir()
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(out) / "tokenizer" / name, to / "tokenizer" / name)
    path = to / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    config["clip_sample"] = False  # v1-4 has it, PNDM ignores it, DDIM made from this file needs it
    path.write_text(json.dumps(config, indent=2) + "\n")
    for path in to.glob("*/config.json"):
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        if "dtype" in config:
            config["dtype"] = "float32"  # otherwise transformers computes in fp16 while diffusers computes in fp32, and they do not meet
        path.write_text(json.dumps(config, indent=2) + "\n")
    steps = torch.load(Path(out) / "unet.pt", weights_only=True, mmap=True)["step"]
    RECORD.write_text(json.dumps(record(to, steps), indent=2) + "\n")
    print(f"exported, {sum(f.stat().st_size for f in to.rglob('*') if f.is_file()) / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--to", default="../weights")
    args = parser.parse_args()
    export(args.out, args.to)


if __name__ == "__main__":
    main()
