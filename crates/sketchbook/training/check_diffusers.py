"""Checks that an exported folder is an ordinary Stable Diffusion model: diffusers loads it, and it draws.

    python check_diffusers.py --model ../weights
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file

LIMIT = 16_000_000  # bytes for everything
PARTS = {
    "text_encoder": ("config.json", "model.safetensors"),
    "unet": ("config.json", "diffusion_pytorch_model.safetensors"),
    "vae": ("config.json", "diffusion_pytorch_model.safetensors"),
    "tokenizer": ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"),
    "scheduler": ("scheduler_config.json",),
}


def check(model):
    """Raises AssertionError where the folder is not what it should be."""
    model = Path(model)
    expected = {Path("model_index.json")} | {Path(part) / name for part, names in PARTS.items() for name in names}
    found = {path.relative_to(model) for path in model.rglob("*") if path.is_file()}
    assert found == expected, f"unexpected or missing files: {sorted(map(str, found ^ expected))}"
    size = sum((model / path).stat().st_size for path in found)
    assert size <= LIMIT, f"{size} bytes are more than {LIMIT}"
    for path in model.rglob("*.safetensors"):
        for name, tensor in load_file(path).items():
            assert tensor.isfinite().all(), f"{path.name}: {name} has values that are not finite"
            assert tensor.dtype in (torch.float16, torch.int64), f"{path.name}: {name} is {tensor.dtype}"

    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    started = time.time()
    by_mucha, again, by_munch = (
        np.asarray(pipeline(f"portrait of a woman, by {artist}", num_inference_steps=20, generator=torch.Generator().manual_seed(1)).images[0], np.float32)
        for artist in ("Alphonse Mucha", "Alphonse Mucha", "Edvard Munch")
    )
    seconds = (time.time() - started) / 3
    assert by_mucha.shape == (128, 128, 3)
    assert (by_mucha == again).all(), "the same seed gave another picture"
    difference = np.abs(by_mucha - by_munch).mean()
    assert difference > 20, f"two artists' pictures differ by only {difference:.1f} of 255"
    assert by_mucha.std() > 20, "the picture is flat"
    print(f"{size / 1e6:.1f} MB, loads, draws: {seconds:.1f} s a picture of 20 guided steps, {torch.get_num_threads()} threads")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="../weights")
    check(parser.parse_args().model)


if __name__ == "__main__":
    main()
