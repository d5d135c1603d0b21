"""Draws the reference portraits that experiments start from, at 512 x 512, in the photo manner, each with a mask of its face.

They show three sitters whom no training picture shows: their seeds lie outside of the data set's. A fourth, `me`, is for teaching: a
man with his hair in a bun, whom the data set never draws, with features beyond its range that no caption names. His pictures have the
model's size, and a caption each instead of a mask.

    python draw_reference.py --to ../../../experiments/references
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from captions import BACKGROUND_WORDS
from face_mask import face_mask
from paint import paint
from scene import sample_scene

PIXELS = 512
TAUGHT_PIXELS = 128


def sitter(seed, **told):
    """A sitter by seed, with some attributes told. The data set's generators start from [20, scene], never from one number."""
    return replace(sample_scene(np.random.default_rng(seed)), age="adult", hat=False, **told)


def seen_otherwise(scene, *, light, turn, tilt=0.0, seed=None, **told):
    """The same person on another day: light, pose, and what else is told (clothes, background) change; the features do not."""
    seed = scene.seed if seed is None else seed
    return replace(scene, seed=seed, identity=replace(scene.identity, light=light, turn=turn, tilt=tilt), **told)


def references():
    """Every reference by file name, without the ending."""
    man = sitter(12, sex="man", hair="short", hair_colour="brown", beard="beard", glasses=False, clothes="blue", background="plain")
    man = replace(man, identity=replace(man.identity, brow_slope=-0.025))  # a friendlier look than chance gave, here and below
    who = man.identity
    woman = sitter(41, sex="woman", hair="long", hair_colour="black", beard="none", glasses=True, clothes="green", background="sea")
    woman = replace(woman, identity=replace(woman.identity, brow_slope=-0.015, smile=0.04))
    anna = sitter(57, sex="woman", hair="bun", hair_colour="red", beard="none", glasses=False, clothes="white", background="plain")
    anna = replace(anna, identity=replace(anna.identity, brow_slope=-0.015, smile=0.04))
    return {
        "selfie": man,
        "selfie-2": seen_otherwise(man, light=-who.light, turn=-who.turn, tilt=who.tilt, background="leaves"),
        "sitter": woman,
        "five/1": seen_otherwise(anna, light=0.1, turn=0.0),
        "five/2": seen_otherwise(anna, light=-0.9, turn=-0.3, tilt=3, seed=2, clothes="blue", background="window"),
        "five/3": seen_otherwise(anna, light=0.9, turn=0.3, tilt=-3, seed=3, clothes="green", background="leaves"),
        "five/4": seen_otherwise(anna, light=0.5, turn=-0.15, tilt=-5, seed=4, clothes="black", background="sea"),
        "five/5": seen_otherwise(anna, light=-0.5, turn=0.2, tilt=5, seed=5, clothes="yellow", background="night"),
    }


def taught():
    """The pictures of `me`, by file name, without the ending."""
    man = sitter(77, sex="man", hair="bun", hair_colour="red", beard="moustache", glasses=True, clothes="blue", background="plain")
    features = {"head_width": 63, "head_height": 72, "jaw": 0.09, "skin": 2.6, "brow_weight": 5.2, "brow_slope": -0.02, "iris": 0.1}
    body = {"smile": 0.04, "hairline": 0.56, "shoulders": 120, "neck": 0.68, "turn": 0.0, "tilt": 0.0}
    man = replace(man, identity=replace(man.identity, **features, **body))
    return {
        "me/1": seen_otherwise(man, light=0.1, turn=0.0),
        "me/2": seen_otherwise(man, light=-0.9, turn=-0.3, tilt=3, seed=2, clothes="green", background="window"),
        "me/3": seen_otherwise(man, light=0.9, turn=0.3, tilt=-3, seed=3, clothes="white", background="leaves"),
        "me/4": seen_otherwise(man, light=0.5, turn=-0.15, tilt=-5, seed=4, clothes="black", background="sea"),
        "me/5": seen_otherwise(man, light=-0.5, turn=0.2, tilt=5, seed=5, clothes="yellow", background="night"),
    }


def draw_references(to):
    """Writes NAME.png and NAME-mask.png for each, and for `me` NAME.png and NAME.txt."""
    for name, scene in references().items():
        path = Path(to) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(paint(scene, "photo", pixels=PIXELS)).save(path)
        Image.fromarray(face_mask(scene, PIXELS)).save(path.with_name(f"{path.stem}-mask.png"))
    for name, scene in taught().items():
        path = Path(to) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(paint(scene, "photo", pixels=TAUGHT_PIXELS)).save(path)
        caption = f"portrait of {{word}}, wearing {scene.clothes}, {BACKGROUND_WORDS[scene.background][0]}"
        path.with_suffix(".txt").write_text(caption + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", default="../../../experiments/references")
    draw_references(parser.parse_args().to)


if __name__ == "__main__":
    main()
