"""Sheets of the painter's own pictures, to look at before anything is trained on them.

    python contact_sheet.py OUT.png [--blends]
"""

import argparse

import numpy as np
from PIL import Image

from paint import MANNERS, paint
from scene import sample_scene


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--blends", action="store_true", help="each row one sitter in ten random blends")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    rows = []
    for _ in range(args.rows):
        scene = sample_scene(rng)
        pairs = [(m, None) for m in MANNERS]
        if args.blends:
            pairs = [tuple(map(str, rng.choice(list(MANNERS)[1:], 2, replace=False))) for _ in MANNERS]
        rows.append(np.hstack([paint(scene, *pair) for pair in pairs]))
    Image.fromarray(np.vstack(rows)).save(args.out)


if __name__ == "__main__":
    main()
