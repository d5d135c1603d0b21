"""The hand of each manner: the last pass over a shaded picture.

A texture sees a Ground: the picture so far, which region every pixel belongs to, and the tools of the sheet. Its grain is at
least 8 canvas units, which is 4 pixels of a 128-pixel picture, which is one cell of the autoencoder's latents: what is finer is lost.
"""

import math
from dataclasses import dataclass

import numpy as np
import skia

from palettes import MONDRIAN, mix, ramp, rgb
from sheet import CANVAS, Sheet, brush_strokes

BACKGROUND, HAIR, SKIN, CLOTHES, FEATURE = 0, 60, 120, 180, 240  # values in a region image
REGIONS = {"hair": HAIR, "skin": SKIN, "clothes": CLOTHES, "feature": FEATURE}


@dataclass(frozen=True)
class Ground:
    """What a texture works on."""

    on: Sheet
    image: np.ndarray
    regions: np.ndarray
    figure: object
    scene: object
    palette: dict
    own_palette: bool  # the palette is this manner's own, not one of a blend
    depth: np.ndarray  # how far a pixel of the head faces the viewer, 0..1
    rng: object

    def inside(self, *regions):
        return np.isin(self.regions, regions)

    def keep_features(self, textured, share, softness=0.8):
        """The texture, with eyes, mouth and glasses laid over it again."""
        mask = self.on.blur(self.regions == FEATURE, softness)[..., None] * share
        return mix(textured, self.image, mask)


def photo(g):
    grain = g.on.blur(g.rng.standard_normal(g.regions.shape), 0.8) * 9
    return g.image + grain[..., None]


def mucha(g):
    return g.image + g.on.noise(g.rng, 64, 2.5)[..., None]


def van_gogh(g):
    image = g.image * (1 + g.on.noise(g.rng, 48, 0.08)[..., None])
    angle = _flow(g)
    return g.keep_features(_three_passes(g, image, angle, (1300, 24, 7.5, 17, 3), (1300, 14, 4.8, 13, 3), (2100, 10, 4.0, 7, 3)), 0.95)


def munch(g):
    image = g.image * (1 + g.on.noise(g.rng, 24, 0.07)[..., None])
    falling = np.pi / 2 + 0.5 * np.sin(g.on.y / 17 + g.on.x / 40)
    level = np.arctan(np.cos(g.on.x / 27) / 3)
    angle = np.where((g.regions == BACKGROUND) | ((g.regions == CLOTHES) & _above(g)), level, falling)
    return g.keep_features(_three_passes(g, image, angle, (700, 44, 5.5, 13, 6), (900, 26, 4.2, 11, 4), (1400, 13, 4.0, 6, 3)), 0.95)


def _three_passes(g, image, angle, behind, dress, face):
    """Strokes for background, then hair and clothes, then skin, so that no stroke of hair runs over a face."""
    picture = image
    for where, (count, length, width, jitter, bends) in (
        (g.inside(BACKGROUND), behind),
        (g.inside(HAIR, CLOTHES), dress),
        (g.inside(SKIN), face),
    ):
        source = np.where(where[..., None], image, picture)
        picture = brush_strokes(g.on, source, angle, g.rng, count=count, length=length, width=width, jitter=jitter, bends=bends, where=where)
    return picture


def _flow(g):
    """Directions of brushwork: around the head on head and hair, outward on clothes, whirls behind."""
    on, head = g.on, g.figure.head
    around = np.arctan2((on.y - head.y) / head.height**2, (on.x - head.x) / head.width**2) + np.pi / 2
    outward = np.arctan2(on.y - head.y - head.height * 0.6, on.x - head.x)
    vx, vy = 0.5 + 0.3 * np.sin(on.y / 23), 0.35 * np.sin(on.x / 30)
    for _ in range(4):
        x, y = g.rng.random(2) * [CANVAS, 170]
        spin = 1 if g.rng.random() < 0.5 else -1
        pull = np.exp(-((on.x - x) ** 2 + (on.y - y) ** 2) / (2 * 34**2)) * 3.2 / 34 * spin
        vx, vy = vx - (on.y - y) * pull, vy + (on.x - x) * pull
    whirls = np.arctan2(vy, vx)
    dress = (g.regions == CLOTHES) & ~_above(g)
    return np.where(g.regions == BACKGROUND, whirls, np.where(dress, outward, around))


def _above(g):
    """The upper half of the head, where clothes are a hat."""
    return g.on.y < g.figure.head.y


def hokusai(g):
    on = g.on
    stripes = (np.abs(((on.x + on.y) / 11) % 2 - 1) < 0.22) & g.inside(CLOTHES)
    image = np.where(stripes[..., None], mix(g.image, g.palette["foam"], 0.55), g.image)
    return image * (1 + on.noise(g.rng, CANVAS // 2, 0.035, across=10)[..., None])


def klimt(g):
    on = g.on
    tile = 12.0
    column, row = (on.x // tile).astype(int), (on.y // tile).astype(int)
    tone = g.rng.random((22, 22)).astype(np.float32)[row, column]
    gold = ramp(tone, ["#96640c", "#d49a14", "#f0be3c", "#fbe28a"])
    behind = g.inside(BACKGROUND)[..., None]
    mosaic = mix(g.image, gold, 0.72 if g.scene.background == "plain" else 0.48) * (0.88 + 0.24 * tone[..., None])
    grout = (((on.x % tile) < 1.7) | ((on.y % tile) < 1.7))[..., None]
    mosaic = np.where(grout, mosaic * 0.72, mosaic)
    wide, high = 16.0, 22.0
    patch = g.rng.random((13, 17)).astype(np.float32)[(on.y // high).astype(int), (on.x // wide).astype(int)]
    inset = ((on.x % wide) > 4) & ((on.x % wide) < wide - 3) & ((on.y % high) > 5) & ((on.y % high) < high - 4)
    gilt = np.where((patch < 0.4)[..., None], rgb("#ecc244"), g.image * (0.8 + 0.4 * patch[..., None]))
    image = np.where((inset & g.inside(CLOTHES))[..., None], gilt, g.image)
    return np.where(behind, mosaic, image)


def seurat(g):
    """Dots of neighbouring hues. Those of the skin are finer and paler: dots as large as an eye would leave no face."""
    paper = g.on.paper(mix(g.image, np.array([238, 226, 196], np.float32), 0.25))
    face = g.inside(SKIN, FEATURE)
    _dots(g, paper, ~face, spacing=8.4, radius=4.5, strength=0.8)
    _dots(g, paper, face, spacing=5.6, radius=3.2, strength=0.22)
    return g.keep_features(paper.image(), 1.0, 0.7)


def _dots(g, paper, where, *, spacing, radius, strength):
    """Two layers of dots, the colours of the picture bent by `strength` to one of three hues."""
    hues = np.array([[30, 6, -40], [-34, 0, 36], [14, 24, -10]], np.float32)
    side = int(CANVAS / spacing) + 2
    k = np.arange(side * side)
    brush = skia.Paint(AntiAlias=True)
    for layer in range(2):
        x = ((k % side) + 0.5 * ((k // side) % 2) + 0.35 * g.rng.random(k.size)) * spacing - layer * spacing / 2
        y = ((k // side) + 0.35 * g.rng.random(k.size)) * spacing - layer * spacing / 2
        at = g.on.at(x, y)
        bent = strength * (hues[g.rng.integers(0, 3, k.size)] + g.rng.standard_normal((k.size, 1)) * 10)
        colour = np.clip(g.image[at] + bent, 0, 255).astype(int)
        size = radius * (0.8 + 0.4 * g.rng.random(k.size))
        for j in np.flatnonzero(where[at]):
            brush.setColor(skia.Color(int(colour[j, 0]), int(colour[j, 1]), int(colour[j, 2])))
            paper.canvas.drawCircle(float(x[j]), float(y[j]), float(size[j]), brush)


def duerer(g):
    """Hatching: one set of lines that follows the form, a second across it in the shadows. Skin gets a wash of ink instead, and lines
    only where it is darkest: lines across a face of this size would run through its eyes."""
    on, period = g.on, 12.0
    features, skin, behind = g.inside(FEATURE), g.inside(SKIN, FEATURE), g.inside(BACKGROUND)
    tinted = g.inside(HAIR, CLOTHES)
    light = np.where(features, 0.95, g.image.mean(-1) / 255)
    black = g.image.max(-1) < 62  # has no hue to show, and stays black
    dark = on.blur(np.clip(1.10 - light, 0, 1) * np.where(tinted & ~black, 0.66, 1), 1.0)
    bulge = np.where(behind, 0, g.depth * 22)

    def hatch(phase):
        return np.abs((phase % 1) * 2 - 1)

    with_form = (on.x * math.cos(0.75) + on.y * math.sin(0.75) + bulge) / period
    level = (on.y + 3 * np.sin(on.x / 20)) / period
    across = (on.x * math.cos(0.7) - on.y * math.sin(0.7) - bulge) / period
    first = np.clip((dark * np.where(behind, 0.85, 1.05) - 0.14 - hatch(np.where(behind, level, with_form))) * 4 + 0.5, 0, 1)
    second = np.clip((dark * 1.25 - 0.75 - hatch(across)) * 4 + 0.5, 0, 1)
    ink = np.maximum(np.maximum(first, second), np.clip((dark - 0.82) * 7, 0, 1))
    wash = on.blur(np.clip(dark - 0.25, 0, 1), 3.0) * 0.55
    ink = np.where(skin, wash + 0.3 * first * np.clip(dark * 3 - 1.6, 0, 1), ink)
    ink = mix(ink, np.clip((150 - g.image.mean(-1)) / 70, 0, 1), on.blur(features, 0.7))[..., None]
    paper = np.array([240, 228, 202], np.float32) + on.noise(g.rng, 32, 3.0)[..., None]
    line = rgb("#2a1f18")
    if g.own_palette:  # a woodcut coloured by hand: hair and clothes get a watery tint of their hue
        hue = np.clip(g.image * (215 / np.maximum(g.image.max(-1, keepdims=True), 75)), 0, 255)
        paper = mix(paper, hue, 0.75 * on.blur(tinted, 1.0)[..., None])
    else:
        paper = mix(paper, np.clip(g.image * 1.15 + 20, 0, 255), 0.62)
        line = mix(line, g.palette["ink"], 0.6)
    return mix(paper, line, np.clip(ink, 0, 1))


def rembrandt(g):
    """One lamp, and the dark."""
    on, head = g.on, g.figure.head
    side = 1 if g.figure.identity.light >= 0 else -1
    lamp = np.exp(-(((on.x - head.x - side * head.width * 0.5) / 92) ** 2 + ((on.y - head.y + 14) / 108) ** 2))
    image = g.image * (0.17 + 1.20 * lamp)[..., None] * np.array([1.06, 0.98, 0.82], np.float32) + np.array([12, 8, 4], np.float32)
    return on.blur(image, 0.8) * (1 + on.noise(g.rng, 60, 0.04)[..., None])


def mondrian(g):
    """A grid of black lines behind and over the clothes; some fields of the background in red, blue and yellow."""
    on = g.on
    columns = np.array([20, 76, 180, 236]) + g.rng.integers(-8, 9, 4)
    rows = np.array([28, 92, 156, 216]) + g.rng.integers(-10, 11, 4)
    field = g.rng.random((5, 5))[np.searchsorted(rows, on.y), np.searchsorted(columns, on.x)]
    behind, clothes = g.inside(BACKGROUND), g.inside(CLOTHES)
    image = g.image.copy()
    share = 0.95 if g.scene.background == "plain" else 0.5
    for k, name in enumerate(("red", "blue", "yellow")):
        here = behind & (field > 0.18 * k) & (field <= 0.18 * (k + 1))
        image[here] = mix(image[here], MONDRIAN[name], share)
    lines = np.zeros_like(behind)
    for c in columns:
        lines |= np.abs(on.x - c) < 3
    for r in rows:
        lines |= np.abs(on.y - r) < 3
    image[lines & (behind | clothes)] = 20
    return image


TEXTURES = {
    "photo": photo, "mucha": mucha, "vangogh": van_gogh, "munch": munch, "hokusai": hokusai, "klimt": klimt, "seurat": seurat,
    "duerer": duerer, "rembrandt": rembrandt, "mondrian": mondrian,
}  # fmt: skip
