"""A full-size Stable Diffusion v1-4 of random weights, drawn on the card in f16 and saved in diffusers' layout (2.1 GB)."""

import time

import kit  # First: it makes the modules of tests/parity known.
import full
import torch


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--tokenizer", type=full.Path, default=kit.ROOT / "clip", help="the folder that clip.py wrote")
    args = parser.parse_args()
    results = kit.Results("weights", args)
    begin = time.time()
    if not (args.model / "model_index.json").exists():
        tokenizer = args.tokenizer if args.tokenizer.is_dir() else None
        full.make(args.model, device=args.device, dtype=torch.float16, tokenizer=tokenizer)
    size = sum(file.stat().st_size for file in args.model.rglob("*") if file.is_file())
    results.add("model made and saved", round(time.time() - begin, 1), "s", ok=True, note=f"{size / 1e9:.2f} GB")
    results.end()


if __name__ == "__main__":
    main()
