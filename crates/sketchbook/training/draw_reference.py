"""Draws the reference portraits that experiments start from, at 512 x 512, in the photo manner.

They show a sitter whom no training picture shows: the seed lies outside of the data set's.

    python draw_reference.py --to ../../../experiments/references
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from paint import paint
from scene import sample_scene

SEED = 12  # the data set's generators start from [20, scene]


def sitter():
    """A man with short brown hair and a brown beard, in blue, before a plain wall."""
    scene = sample_scene(np.random.default_rng(SEED))
    identity = replace(scene.identity, brow_slope=-0.025)  # a friendlier look than chance gave him
    told = dict(sex="man", hair="short", hair_colour="brown", beard="beard", glasses=False, clothes="blue", background="plain")
    return replace(scene, identity=identity, **told)


def draw_references(to):
    """Writes selfie.png, and selfie-2.png: the same sitter in other light, before monstera leaves."""
    first = sitter()
    second = replace(first, background="leaves", identity=replace(first.identity, light=-first.identity.light, turn=-first.identity.turn))
    for name, scene in (("selfie.png", first), ("selfie-2.png", second)):
        Image.fromarray(paint(scene, "photo", pixels=512)).save(Path(to) / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", default="../../../experiments/references")
    draw_references(parser.parse_args().to)


if __name__ == "__main__":
    main()
