"""Does the model do what it is told? Pictures it makes, judged by `judge.py`.

- manners: told apart at guidance 5; and attributes as prompted, on the same pictures, whose prompts name everything;
- blends: whether both parents are found in a picture by two artists, one in the hand and the other in the colours;
- unknown words and unknown artists;
- seeds: whether different seeds are different people, against the painter's own sitters;
- strengths: whether likeness to an init_image falls as strength rises;
- sizes: manners and attributes as prompted in larger pictures, which the judge sees at its own size.

    python measure_answers.py --out .work --model ../weights --json answers.json

Twenty DDIM steps. The UNet computes in bf16, which halves the time and moves no figure by more than chance.
"""

import argparse
import json
import time
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from captions import BACKGROUND_WORDS
from draw_dataset import LARGER, PIXELS
from judge import QUESTIONS, ask, impressions, load_judge, traits_of
from measure import FIRST_SCENE
from paint import MANNERS, paint
from sample import BLENDS, Sampler, by
from scene import sample_scene

NAMES = list(MANNERS)
ARTISTS = {manner.artist: name for name, manner in MANNERS.items()}
MEASURED = ("beard", "glasses", "hat", "hair_colour", "hair", "background", "sex", "age", "clothes")
UNKNOWN_WORDS = ("zeppelin", "quarterly", "xylophone", "bureaucracy")
UNKNOWN_ARTISTS = ("Frida Kahlo", "Hokumatsu Brell", "Anna Ancher", "Jan Toorop")
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 0.95)
PLAIN = dict(hair="long", hair_colour="brown", beard="none", glasses=False, hat=False, age="adult", clothes="blue", background="plain")


def fresh_scene(k):
    """A sitter far from those of the data set."""
    return sample_scene(np.random.default_rng([FIRST_SCENE, k]))


def prompt_for(scene, artist=""):
    """A prompt that names everything that can be named."""
    bald = scene.hair == "bald"
    hair = {"short": f"short {scene.hair_colour} hair", "long": f"long {scene.hair_colour} hair", "bun": f"{scene.hair_colour} hair in a bun"}
    parts = [] if bald else [hair[scene.hair]]
    if scene.beard != "none":
        parts.append(f"a {scene.hair_colour} {scene.beard}" if bald else f"a {scene.beard}")
    if scene.glasses:
        parts.append("glasses")
    if scene.hat:
        parts.append("a hat")
    who = ("a " if scene.age == "adult" else "an old ") + ("bald " if bald else "") + scene.sex
    with_ = " with " + " and ".join(([", ".join(parts[:-1])] if parts[1:] else []) + parts[-1:]) if parts else ""
    return f"portrait of {who}{with_}, wearing {scene.clothes}, {BACKGROUND_WORDS[scene.background][0]}{by(artist)}"


class Bench:
    """A sampler and a judge of its pictures."""

    def __init__(self, out, model, guidance, scale, sheets=None):
        self.sampler = Sampler(model, 20, guidance)
        self.judge, self.mean, self.std = load_judge(out)
        self.scale = scale  # of how many pictures each part makes
        self.sheets = sheets  # a folder, or None
        unet = self.sampler.text.unet
        exact = unet.forward

        def quick(*args, **kwargs):
            with torch.autocast("cpu", torch.bfloat16):
                (found,) = exact(*args, **(kwargs | {"return_dict": False}))
            return (found.float(),)

        unet.forward = quick

    def count(self, usual):
        return max(1, round(usual * self.scale))

    def draw(self, prompts, seeds, pixels=PIXELS):
        pictures = []
        for k in range(0, len(prompts), 10):
            pictures += self.sampler.from_text(prompts[k : k + 10], seeds[k : k + 10], pixels)
        return np.stack([np.asarray(p) for p in pictures])

    def redraw(self, prompts, references, strength, seeds):
        noise = [torch.Generator().manual_seed(seed) for seed in seeds]
        images = [Image.fromarray(r) for r in references]
        made = self.sampler.image(prompts, image=images, strength=strength, generator=noise, **self.sampler.settings).images
        return np.stack([np.asarray(p) for p in made])

    def ask(self, pictures):
        return ask(self.judge, pictures)

    def keep(self, name, pictures, across=10):
        """Lays pictures out as a sheet, for the eye."""
        if self.sheets:
            rows = [pictures[k : k + across] for k in range(0, len(pictures) - across + 1, across)]
            Path(self.sheets).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.vstack([np.hstack(row) for row in rows])).save(Path(self.sheets) / f"{name}.png")


def told(bench):
    """Manners and attributes, on pictures whose prompts name everything; {manner: {question: share right}}."""
    found = {}
    for m, manner in enumerate(NAMES):
        scenes = [fresh_scene(1000 * m + k) for k in range(bench.count(60 if manner == "photo" else 30))]
        pictures = bench.draw([prompt_for(s, MANNERS[manner].artist) for s in scenes], list(range(len(scenes))))
        bench.keep(f"told-{manner}", pictures)
        said, _ = bench.ask(pictures)
        row = _shares(said, scenes, [m] * len(scenes))
        for q, nothing in (("beard", "none"), ("glasses", False), ("hat", False), ("age", "adult")):
            asked = [k for k, s in enumerate(scenes) if getattr(s, q) != nothing]
            row[f"{q}, where asked for"] = _share(said, scenes, q, asked) if asked else None
        found[manner] = row
    return found


def _shares(said, scenes, manners):
    """The shares of right answers: {question: share}; `manners` are places in NAMES."""
    both = (said["hand"] + said["colours"]).argmax(1)
    row = {"manner": float((both == manners).mean()), "pictures": len(scenes)}
    for q in MEASURED:
        # The colour of a bald and beardless sitter's hair is nobody's to see.
        row[q] = _share(said, scenes, q, [k for k, s in enumerate(scenes) if q != "hair_colour" or s.hair != "bald" or s.beard != "none"])
    return row


def _share(said, scenes, question, rows):
    """Of some pictures, the share whose answer to a question is right."""
    return float(np.mean([QUESTIONS[question][said[question][k].argmax()] == getattr(scenes[k], question) for k in rows]))


def blends(bench):
    """Pairs of artists: how often the two are the hand and the colours, how often nothing but the two is found, and how often a blend
    lies between its parents. What the same counts are for pictures that are no blends stands beside them: by one parent alone, of
    another seed, and by an artist who is neither."""
    pairs = BLENDS * bench.count(4)
    scenes = [fresh_scene(20_001 + k) for k in range(len(pairs))]
    by_name = [(NAMES.index(ARTISTS[a]), NAMES.index(ARTISTS[b])) for a, b in pairs]
    neither = [next(MANNERS[name].artist for k, name in enumerate(NAMES) if k and k not in two) for two in by_name]

    def drawn(artists, first_seed=0):
        return bench.draw([prompt_for(s, n) for s, n in zip(scenes, artists, strict=True)], [first_seed + k for k in range(len(scenes))])

    parents = [drawn([a for a, _ in pairs]), drawn([b for _, b in pairs])]
    counted = {
        "blends": drawn([f"{a} and {b}" for a, b in pairs]),
        "one parent": drawn([pair[k % 2] for k, pair in enumerate(pairs)], 500),
        "neither": drawn(neither),
    }
    bench.keep("blends", counted["blends"])
    first, second = [impressions(bench.judge, p) for p in parents]
    found = {"pictures of each": len(pairs)}
    for name, pictures in counted.items():
        said, _ = bench.ask(pictures)
        sets = [{h, c} for h, c in zip(said["hand"].argmax(1), said["colours"].argmax(1), strict=True)]
        found[name] = {
            "both parents": float(np.mean([one == set(two) for one, two in zip(sets, by_name, strict=True)])),
            "nothing but the parents": float(np.mean([one <= set(two) for one, two in zip(sets, by_name, strict=True)])),
            "between the parents": float(_between(impressions(bench.judge, pictures), first, second).mean()),
        }
    return found


def _between(at, first, second):
    """Which impressions of pictures lie between two others (same prompt and seed, one artist alone): nearer to either than these are to
    each other, and past a fifth of the way from the first to the second, and before the last fifth."""
    apart = _gaps(first, second)
    way = ((at - first) * (second - first)).sum(-1) / apart**2
    return (_gaps(at, first) < apart) & (_gaps(at, second) < apart) & (0.2 < way) & (way < 0.8)


def _gaps(a, b):
    return np.sqrt(((a - b) ** 2).sum(-1))


def unknown(bench):
    """What an unknown word changes, in shares of what another seed changes; and what an unknown artist looks like."""
    prompts = [prompt_for(fresh_scene(30_000 + k), MANNERS[NAMES[k % len(NAMES)]].artist) for k in range(bench.count(20))]
    seeds = list(range(len(prompts)))
    plain = bench.draw(prompts, seeds).astype(np.float32)
    words = [p.replace(", wearing", f", {UNKNOWN_WORDS[k % 4]}, wearing") for k, p in enumerate(prompts)]
    with_word = bench.draw(words, seeds).astype(np.float32)
    other_seed = bench.draw(prompts, [s + 500 for s in seeds]).astype(np.float32)
    artists = [prompt_for(fresh_scene(31_000 + k), UNKNOWN_ARTISTS[k % 4]) for k in range(len(prompts))]
    said, _ = bench.ask(bench.draw(artists, seeds))
    names, counts = np.unique([NAMES[k] for k in said["hand"].argmax(1)], return_counts=True)
    change = np.abs(with_word - plain).mean() / np.abs(other_seed - plain).mean()
    return {"a word changes, another seed being 1": float(change), "an unknown artist is seen as": dict(zip(names.tolist(), (counts / len(prompts)).tolist(), strict=True))}


def seeds(bench):
    """Distances between sitters of one prompt, in shares of the distances between the painter's; least and mean."""
    found = {}
    women = (scene for scene in map(fresh_scene, count(40_000)) if scene.sex == "woman")  # for a man's neck and jaw are another thing
    scenes = [replace(s, **PLAIN, seed=k) for k, s in enumerate(islice(women, bench.count(30)))]
    for manner in ("photo", "mucha", "vangogh", "klimt"):
        prompt = prompt_for(scenes[0], MANNERS[manner].artist)
        made = bench.draw([prompt] * len(scenes), list(range(len(scenes))))
        painted = np.stack([paint(s, manner) for s in scenes])
        bench.keep(f"seeds-{manner}", made)
        row = {}
        for name, of in (("traits", lambda p: bench.ask(p)[1]), ("pixels", lambda p: p[:, ::4, ::4].reshape(len(p), -1).astype(np.float32))):
            ours, theirs = _distances(of(made)), _distances(of(painted))
            row |= {f"{name}, mean": float(ours.mean() / theirs.mean()), f"{name}, least": float(ours.min() / theirs.min())}
        found[manner] = row
    return found


def _distances(rows):
    gaps = np.sqrt(((rows[:, None] - rows[None]) ** 2).mean(-1))
    return gaps[np.triu_indices(len(rows), 1)]


def strengths(bench):
    """Likeness to the reference by manner and strength: 1 is all the judge could wish, 0 is another sitter of the same sex.

    Under "reference" stands what the judge recovers from the reference picture itself, under "painted" what it does from the painter's own
    painting of it; under "chance" the likeness of pictures of the same prompts from text alone, which for a few sitters, whose prompts tell
    them apart, is not quite 0."""
    half = bench.count(8)
    sitters = {"woman": [], "man": []}
    k = 0
    while min(map(len, sitters.values())) < half:
        scene, k = fresh_scene(50_000 + k), k + 1
        if len(sitters[scene.sex]) < half:
            sitters[scene.sex].append(scene)
    scenes = sitters["woman"] + sitters["man"]
    truth = (np.array([traits_of(s) for s in scenes]) - bench.mean) / bench.std
    references = np.stack([paint(s, "photo") for s in scenes])

    def likeness(pictures):
        _, seen = bench.ask(pictures)
        own = ((seen - truth) ** 2).mean()
        others = [((seen[i] - truth[j]) ** 2).mean() for g in (0, half) for i in range(g, g + half) for j in range(g, g + half) if i != j]
        return float(1 - own / np.mean(others))

    found = {"reference": likeness(references)}
    for manner in NAMES:
        prompts = [prompt_for(s, MANNERS[manner].artist) for s in scenes]
        made = [bench.redraw(prompts, references, s, list(range(len(scenes)))) for s in STRENGTHS]
        bench.keep(f"strengths-{manner}", np.concatenate([references, *made]), len(scenes))
        found[manner] = {s: likeness(pictures) for s, pictures in zip(STRENGTHS, made, strict=True)}
        found[manner]["painted"] = likeness(np.stack([paint(s, manner) for s in scenes]))
        found[manner]["chance"] = likeness(bench.draw(prompts, list(range(len(scenes)))))
    return found


def sizes(bench):
    """The shares of right answers by size, where a picture of two heads has few; {pixels: {question: share}}."""
    found = {}
    for pixels in LARGER:
        manners = [m for m in range(len(NAMES)) for _ in range(bench.count(6))]
        scenes = [fresh_scene(60_000 + k) for k in range(len(manners))]
        prompts = [prompt_for(s, MANNERS[NAMES[m]].artist) for s, m in zip(scenes, manners, strict=True)]
        pictures = bench.draw(prompts, list(range(len(prompts))), pixels)
        bench.keep(f"size-{pixels}", pictures, across=len(NAMES))
        said, _ = bench.ask(np.stack([cv2.resize(p, (PIXELS, PIXELS), interpolation=cv2.INTER_AREA) for p in pictures]))
        found[pixels] = _shares(said, scenes, manners)
    return found


PARTS = {f.__name__: f for f in (told, blends, unknown, seeds, strengths, sizes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work", help="where judge.pt is")
    parser.add_argument("--model", default="../weights")
    parser.add_argument("--what", default=",".join(PARTS))
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--scale", type=float, default=1.0, help="of how many pictures are made: 1 makes about 1,500")
    parser.add_argument("--json", help="also write the figures here")
    parser.add_argument("--sheets", help="also lay the pictures out in this folder")
    args = parser.parse_args()
    bench, figures = Bench(args.out, args.model, args.guidance, args.scale, args.sheets), {}
    for name in args.what.split(","):
        started = time.time()
        figures[name] = PARTS[name](bench)
        print(f"{name} ({time.time() - started:.0f} s)\n" + json.dumps(figures[name], indent=1), flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
