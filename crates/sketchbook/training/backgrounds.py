"""What is behind the sitter: the scene's background, then the furniture a manner adds (a halo, a wave, bands of sky)."""

import math

import numpy as np

from geometry import blob, ellipse, lobed_leaf, points, rectangle, star
from palettes import mix, ramp, rgb
from sheet import CANVAS


def paint_background(on, scene, palette, manner, setting, head, ink, rng):
    """An image of the background with everything in it.

    A blend has the furniture of both its manners, in the colours of `setting`; `ink` is the width of outlines (0 for none).
    """
    horizon = 122 + 24 * rng.random()
    image = _fields(on, scene, palette, head, horizon)
    furniture = (manner, setting)
    if "munch" in furniture:
        image = _bands(on, image, scene, setting == "munch", head, rng)
    if "hokusai" in furniture and scene.background != "night":
        fade = np.clip(on.y / 62, 0, 1)[..., None] ** 0.8
        image = mix(palette["night_low"], image, fade)
    paper = on.paper(image)
    _OBJECTS[scene.background](paper, palette, ink, horizon, rng)
    if "mucha" in furniture:
        _halo(paper, palette, head, opaque=scene.background == "plain")
    if "hokusai" in furniture:
        _waves(paper, palette, ink, setting == "hokusai", rng, with_sea=scene.background != "window")
    image = paper.image()
    if manner in ("photo", "rembrandt"):
        image = on.blur(image, 2.4)
    return image


def _gradient(top, bottom, t):
    return mix(top, bottom, np.clip(t, 0, 1)[..., None])


def _distance(on, head):
    return np.hypot(on.x - head.x, (on.y - head.y) * 0.9)


def _fields(on, scene, palette, head, horizon):
    if scene.background == "night":
        return _gradient(palette["night"], palette["night_low"], on.y / CANVAS)
    if scene.background == "sea":
        sky = _gradient(palette["sky"], palette["sky_low"], on.y / horizon)
        water = _gradient(palette["sea"], palette["sea_dark"], (on.y - horizon) / (CANVAS - horizon))
        return np.where((on.y < horizon)[..., None], sky, water)
    return _gradient(palette["wall"], palette["wall_dark"], on.y / CANVAS * 0.6 + _distance(on, head) / 440 - 0.1)


def _bands(on, image, scene, own_palette, head, rng):
    """Wavy bands that part around the head: red skies over blue land, or the background's own colours, lighter and darker."""
    wave = on.y + 9 * np.sin(on.x / 27 + rng.random() * 6) + 5 * np.sin(on.x / 11 + rng.random() * 6)
    wave = wave + 900 / (_distance(on, head) + 25) * np.sign(on.y - head.y - 20)
    band = np.floor(wave / 17)
    if own_palette and scene.background in ("plain", "leaves", "window"):
        sky = ramp(((band * 7) % 5) / 4, ["#c8381a", "#e8742a", "#f2b04a", "#d9541e", "#f0c96a"])
        land = ramp(((band * 3) % 4) / 3, ["#1c3562", "#3a5f8f", "#24477a", "#4f7a86"])
        return np.where((wave < 150)[..., None], sky, land)
    return image * (1 + 0.30 * ((band % 3)[..., None] - 1))


def _inked(paper, palette, ink, outline, colour):
    paper.fill(outline, colour)
    if ink:
        paper.line(outline, palette["ink"], ink * 0.7, closed=True)


def _nothing(paper, palette, ink, horizon, rng):
    """A plain background has no objects."""


def _leaves(paper, palette, ink, horizon, rng):
    for k in range(6):
        side = -1 if k % 2 else 1
        x, y = 128 + side * (86 + 40 * rng.random()), 14 + (k // 2) * 68 + 34 * rng.random()
        angle = rng.random() * 1.6 - 0.8 + (math.pi if side < 0 else 0)
        size = 46 + 14 * rng.random()
        colour = mix(palette["leaf"], palette["leaf_dark"], rng.random() * 0.55)
        _inked(paper, palette, ink, lobed_leaf(x, y, size, angle), colour)
        reach = size * np.array([math.cos(angle), math.sin(angle)])
        paper.line([(x, y) - 0.55 * reach, (x, y) + reach], mix(colour, palette["pane_light"], 0.45), 2.6)


def _window(paper, palette, ink, horizon, rng):
    x = -12 + 20 * rng.random() if rng.random() < 0.5 else 128 + 20 * rng.random()
    y, width, height = 14 + 10 * rng.random(), 124, 144
    _inked(paper, palette, ink, rectangle(x - 8, y - 8, width + 16, height + 16), palette["frame"])
    for row in range(2):
        for column in range(2):
            pane = rectangle(x + column * (width / 2 + 3), y + row * (height / 2 + 3), width / 2 - 3, height / 2 - 3)
            _inked(paper, palette, ink, pane, mix(palette["pane"], palette["pane_light"], 0.25 + 0.6 * row))


def _night(paper, palette, ink, horizon, rng):
    for _ in range(16):
        paper.fill(star(rng.random() * CANVAS, rng.random() * 190, 2.8 + 3.0 * rng.random()), palette["star"])
    x = 34 + 10 * rng.random() if rng.random() < 0.5 else 212 + 10 * rng.random()
    y = 36 + 10 * rng.random()
    moon = points((-6, -17), (12, -10), (16, 4), (6, 16), (-8, 15), (4, 6), (5, -6)) * 1.25 + [x, y]
    _inked(paper, palette, ink, blob(*moon), palette["star"])


def _sea(paper, palette, ink, horizon, rng):
    x = np.linspace(-8, CANVAS + 8, 34)
    for k in range(7):
        y = horizon + 10 + k * (9 + k * 1.6) + (1.5 + k * 0.5) * np.sin(x / (7 + k) + rng.random() * 6)
        paper.line(np.stack([x, y], 1), mix(palette["foam"], palette["sea"], 0.45), 2.0 + 0.2 * k, 0.9)
    if rng.random() < 0.7:
        boat = 26 if rng.random() < 0.5 else 230
        hull = points((-15, -2), (15, -2), (10, 7), (-10, 7)) + [boat, horizon]
        _inked(paper, palette, ink, hull, palette["frame"])
        _inked(paper, palette, ink, points((0, -36), (16, -5), (0, -5)) + [boat, horizon], palette["foam"])


_OBJECTS = {"plain": _nothing, "leaves": _leaves, "window": _window, "night": _night, "sea": _sea}


def _halo(paper, palette, head, opaque):
    """A ring behind the head, with beads."""
    x, y, radius, beads = head.x, head.y - 8, 104, 20
    disc = ellipse(x, y, radius, n=60)
    paper.fill(disc, mix(palette["wall"], rgb("#fff3d6"), 0.5), 1.0 if opaque else 0.5)
    paper.line(disc, mix(palette["wall_dark"], rgb("#b8863c"), 0.5), 18, closed=True)
    for k in range(beads):
        t = 2 * math.pi * k / beads
        bead = ellipse(x + radius * math.cos(t), y + radius * math.sin(t), 6 if k % 2 else 3.8, n=12)
        paper.fill(bead, rgb("#f3e3b8") if k % 2 else rgb("#a8583c"))
    for edge in (-9, 9):
        paper.line(ellipse(x, y, radius + edge, n=60), palette["ink"], 2.6, closed=True)


def _waves(paper, palette, ink, own_palette, rng, with_sea):
    """Two rows of cresting waves below, and a signature's cartouche with a red seal above."""
    if with_sea:
        top, phase = 184 + 12 * rng.random(), rng.random() * 6
        x = np.linspace(-10, CANVAS + 10, 60)
        for row in range(2):
            colour = rgb(("#6f9bb8", "#274b7d")[row]) if own_palette else palette[("sea", "sea_dark")[row]]
            crest = np.stack([x, top + row * 24 - 26 * np.abs(np.sin(x / 44 + phase + row * 1.7)) ** 1.5], 1)
            paper.fill(np.vstack([crest, points((CANVAS + 10, CANVAS + 10), (-10, CANVAS + 10))]), colour)
            paper.line(crest, palette["ink"], max(ink, 1) * 0.9)
            paper.line(crest + [0, 5], palette["foam"], 4.4)
            for drop in crest[::2]:
                paper.fill(ellipse(drop[0] + 2, drop[1] - 3, 3.2, n=8), palette["foam"])
            paper.line(crest + [0, 17], mix(colour, palette["foam"], 0.55), 2.8)
    cartouche = rectangle(224, 16, 18, 42)
    paper.fill(cartouche, rgb("#f3e7c8"))
    paper.line(cartouche, palette["ink"], 2, closed=True)
    paper.fill(rectangle(226, 64, 14, 14), rgb("#b8372c"))
