"""The whole recipe, from nothing to exported weights; run again, it goes on where it stopped.

    python train.py --out .work --to ../weights

Budgets are counted in scenes and steps, not in minutes, and seeds are fixed, so a run on the same machine and versions gives the
same pictures and very nearly the same weights (a resumed run, or one of more workers, draws its batches in another order).
Without a GPU take one thread: OMP_NUM_THREADS=1.
"""

import argparse
from pathlib import Path

from check_diffusers import check
from draw_dataset import draw_dataset
from draw_reference import draw_references
from export import export
from train_decoder import train_decoder
from train_text_encoder import train_text_encoder
from train_tokenizer import train_tokenizer
from train_unet import STAGES, largest_team, train_unet
from train_vae import finish_vae, train_vae


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work", help="pictures, checkpoints and logs")
    parser.add_argument("--to", default="../weights", help="the exported folder")
    parser.add_argument("--scenes", type=int, default=6000, help="each is drawn four times")
    parser.add_argument("--vae-steps", type=int, default=2100)
    parser.add_argument("--decoder-steps", type=int, default=3000)
    parser.add_argument("--text-steps", type=int, default=1000)
    parser.add_argument("--unet-steps", type=int, default=STAGES[-1].until)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw, encode and, up to four, train the UNet")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--references", help="also draw the reference portraits into this folder")
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.references:
        draw_references(args.references)
    if not (out / "distractors.json").exists():
        train_tokenizer(out)
    draw_dataset(out, args.scenes, args.workers)
    train_text_encoder(out, args.text_steps, args.device)
    if not (out / "latents.pt").exists():
        train_vae(out, args.vae_steps, args.device)
        finish_vae(out, args.device, args.workers)
    train_decoder(out, args.decoder_steps, args.device)
    team = largest_team(args.workers) if args.device == "cpu" else 1
    train_unet(out, args.unet_steps, args.device, team)
    export(out, args.to)
    check(args.to)


if __name__ == "__main__":
    main()
