"""Draws the training pictures: shards of arrays, with their captions beside them.

Every scene is drawn as a photograph and in three manners or blends, so that a photograph and a painting of the same sitter can be
compared (training of image-to-image uses that). Some scenes are drawn again, larger: a model that has only seen 128 pixels fills
more of them with more heads. Shards that exist are kept, and scene number k is the same however many are drawn.

    python draw_dataset.py --out .work --scenes 6000
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np

from captions import caption
from paint import MANNERS, paint
from scene import ATTRIBUTES, sample_scene

SEED = 20
CAPTIONS_EACH = 5
PICTURES_PER_SCENE = 4  # the photograph first
SCENES_PER_SHARD = 250
PIXELS = 128
LARGER = {192: range(0, 500), 256: range(500, 750)}  # the scenes that are drawn at a larger size, too
# The artists that examples call by name are drawn more often than the others, and so is their blend.
MANNER_SHARES = dict(mucha=0.15, vangogh=0.15, munch=0.13, hokusai=0.10, klimt=0.10, seurat=0.09, duerer=0.09, rembrandt=0.10, mondrian=0.09)
BLEND_SHARE = 0.35
FAVOURED_BLENDS = (("vangogh", "munch"), ("munch", "vangogh"))
FAVOURED_SHARE = 0.15


def pick_manner(rng):
    """A (manner, setting or None) for a painting."""
    names = list(MANNER_SHARES)
    if rng.random() >= BLEND_SHARE:
        return str(rng.choice(names, p=list(MANNER_SHARES.values()))), None
    if rng.random() < FAVOURED_SHARE:
        return FAVOURED_BLENDS[0 if rng.random() < 0.7 else 1]
    return tuple(str(name) for name in rng.choice(names, 2, replace=False))


def scene_of(index):
    """Scene number `index`."""
    return sample_scene(np.random.default_rng([SEED, index]))


def draw_scene(index, pixels=PIXELS):
    """The pictures of scene `index`, and a record of each."""
    rng = np.random.default_rng([SEED, index])
    scene = sample_scene(rng)
    manners = [("photo", None)]
    while len(manners) < PICTURES_PER_SCENE:
        manner = pick_manner(rng)
        if manner not in manners:
            manners.append(manner)
    attributes = {name: getattr(scene, name) for name in ATTRIBUTES}
    records = [
        dict(scene=index, manner=m, setting=s, attributes=attributes, captions=[caption(scene, m, s, rng) for _ in range(CAPTIONS_EACH)])
        for m, s in manners
    ]
    return [paint(scene, m, s, pixels) for m, s in manners], records


def draw_shard(folder, indices, pixels):
    """Draws the scenes of one shard unless it is there."""
    shard = folder / f"{indices[0]:06}.npy"
    if shard.exists():
        return
    pictures, records = [], []
    for index in indices:
        drawn, about = draw_scene(index, pixels)
        pictures += drawn
        records += about
    shard.with_suffix(".json").write_text(json.dumps(records))
    part = shard.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, np.stack(pictures))
    os.replace(part, shard)  # the array appears last and whole: its presence says that the shard is done
    print(f"drawn: scenes {indices[0]} to {indices[-1]}, {pixels} pixels", flush=True)


def draw_dataset(out, scenes, workers=1):
    """Draws all missing shards of all sizes."""
    jobs = []
    for pixels in (PIXELS, *LARGER):
        drawn = drawn_scenes(pixels, scenes)
        folder = _folder(out, pixels)
        folder.mkdir(parents=True, exist_ok=True)
        jobs += [(folder, drawn[k : k + SCENES_PER_SHARD], pixels) for k in range(0, len(drawn), SCENES_PER_SHARD)]
    with multiprocessing.Pool(workers) as pool:
        pool.starmap(draw_shard, jobs, chunksize=1)


def drawn_scenes(pixels, scenes):
    """Of the first `scenes`, those that are drawn at a size."""
    return [k for k in LARGER.get(pixels, range(scenes)) if k < scenes]


def load_pictures(out, limit=None):
    """The first `limit` pictures (all of them if None) as one uint8 array (n, 128, 128, 3)."""
    per_shard = SCENES_PER_SHARD * PICTURES_PER_SCENE
    files = shards(out)[: None if limit is None else -(-limit // per_shard)]
    return np.concatenate([np.load(shard) for shard in files])[:limit]


def load_records(out):
    """The records of all pictures, in the same order."""
    return [record for shard in shards(out) for record in json.loads(shard.with_suffix(".json").read_text())]


def shards(out, pixels=PIXELS):
    return sorted(_folder(out, pixels).glob("*.npy"))


def _folder(out, pixels):
    return Path(out) / ("pictures" if pixels == PIXELS else f"pictures-{pixels}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    parser.add_argument("--scenes", type=int, default=6000)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    draw_dataset(args.out, args.scenes, args.workers)


if __name__ == "__main__":
    main()
