"""Paints a scene in a manner, or in a blend of two.

The order is always the same: palette, background, flat figure with a map of its regions, shading, texture. A manner is a choice
at each of these; a blend takes the hand (outline, texture) of the first manner and the colours and setting of the second.
The manners are caricatures that go by artists' names. No picture by anybody was looked at to make them.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from backgrounds import paint_background
from figure import build_figure
from palettes import mix, palette_for
from sheet import sheet
from textures import HAIR, REGIONS, SKIN, CLOTHES, TEXTURES, Ground

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Manner:
    """The numbers of a manner; its palette, furniture and texture are found by its name."""

    artist: str  # as captions write it, empty for a photograph
    ink: float  # outline, canvas units, 0 for none
    shading: float  # how strongly light models the form
    gauntness: float = 0.0


MANNERS = {
    "photo": Manner("", 0, 1.0),
    "mucha": Manner("Alphonse Mucha", 4.2, 0.22),
    "vangogh": Manner("Vincent van Gogh", 2.2, 0.75),
    "munch": Manner("Edvard Munch", 2.8, 0.7, 1.0),
    "hokusai": Manner("Katsushika Hokusai", 2.6, 0.08),
    "klimt": Manner("Gustav Klimt", 2.2, 0.55),
    "seurat": Manner("Georges Seurat", 0, 0.9),
    "duerer": Manner("Albrecht Dürer", 2.6, 0.85),
    "rembrandt": Manner("Rembrandt", 0, 1.55),
    "mondrian": Manner("Piet Mondrian", 4.4, 0),
}


def paint(scene, manner, setting=None, pixels=128):
    """A picture, uint8 of shape (pixels, pixels, 3), drawn at twice that and averaged down.

    `manner` gives the hand; `setting`, the second name of a blend, gives colours and background (the same manner if None).
    """
    setting = setting or manner
    hand, place = MANNERS[manner], MANNERS[setting]
    on = sheet(2 * pixels)
    rng = np.random.default_rng([scene.seed, 7])
    palette = palette_for(setting, scene)
    if setting != manner:
        own = palette_for(manner, scene)
        palette = {name: mix(colour, own[name], 0.25) for name, colour in palette.items()}
    ink, shading = hand.ink, (hand.shading + place.shading) / 2
    figure = build_figure(scene, (hand.gauntness + place.gauntness) / 2)

    behind = paint_background(on, scene, palette, manner, setting, figure.head, ink, rng)
    flat, coverage, regions = _flat(on, figure, palette, ink)
    light, depth = _light(on, figure, regions, shading, hard=manner == "rembrandt")
    if manner in ("photo", "rembrandt", "klimt"):
        flat = _strands(on, flat, regions, figure.head, rng)
    if manner == "photo":
        flat = on.blur(flat, 0.9)
    figure_image = np.clip(flat * np.clip(light, 0.12, 1.35)[..., None], 0, 255)
    image = mix(behind, figure_image, coverage).astype(np.float32)
    ground = Ground(on, image, regions, figure, scene, palette, setting == manner, depth, rng)
    image = np.clip(TEXTURES[manner](ground), 0, 255).astype(np.float32)
    return cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA).round().astype(np.uint8)


def _flat(on, figure, palette, ink):
    """The figure in flat colours, its coverage 0..1, and the region of every pixel (not smoothed)."""
    colour, regions = on.paper(), on.paper()
    for shape in figure.shapes:
        label = np.full(3, REGIONS[shape.region], np.float32)
        if shape.width:
            # Ink thickens drawn lines, but not on the face: at this size a heavy line closes the eyes.
            thick = ink * (0.0 if shape.colour in ("hair_dark", "nose_line", "lip_line") else 0.6)
            colour.line(shape.points, palette[shape.colour], max(shape.width, thick), shape.opacity)
            if shape.region == "feature":
                regions.line(shape.points, label, shape.width, smooth=False)
            continue
        colour.fill(shape.points, palette[shape.colour], shape.opacity)
        if shape.opacity == 1.0:
            regions.fill(shape.points, label, smooth=False)
        if ink and shape.outlined:
            colour.line(shape.points, palette["ink"], ink, closed=True)
    return colour.image(), colour.coverage(), regions.pixels[..., 0]


def _light(on, figure, regions, strength, hard):
    """A factor per pixel around 1, and how far the head's surface faces the viewer, as if it were an egg."""
    head, direction = figure.head, figure.identity.light
    if hard:
        direction = math.copysign(max(abs(direction), 0.45), direction)
    nx, ny = (on.x - head.x) / (head.width * 1.18), (on.y - head.y) / (head.height * 1.15)
    nz = np.sqrt(np.clip(1 - nx * nx - ny * ny, 0.02, 1))
    egg = 0.32 + 0.80 * np.clip((nx * direction * 0.9 - ny * 0.45 + nz * 0.75) / 1.15, 0, 1.2)
    body = 0.80 - 0.30 * np.clip((on.y - 190) / 70, 0, 1) + 0.22 * direction * (on.x - head.x) / 110
    below = on.y > head.y + head.height * 1.02
    form = np.where((regions == CLOTHES) | (below & (regions == SKIN)), body, egg)
    under_chin = ((on.x - head.x) / (head.width * 0.9)) ** 2 + ((on.y - head.y - head.height * 1.14) / 14) ** 2
    form = form - 0.45 * np.exp(-under_chin) * ((regions != 0) & (on.y > head.y + head.height * 0.98))
    return 1 + (on.blur(form, 2.5) - 0.92) * strength, nz


def _strands(on, flat, regions, head, rng):
    """Fine streaks in the hair, running away from the middle of the head."""
    angle = np.arctan2(on.y - head.y, on.x - head.x)
    streaks = np.sin(angle * 46 + on.noise(rng, 40, 1.3))
    return flat * (1 + 0.13 * (regions == HAIR) * streaks)[..., None]
