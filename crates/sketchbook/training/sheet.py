"""The sheet of paper: a square of pixels addressed in canvas units (256 across), whatever its resolution.

Skia draws the paths, numpy holds the pixels. Images are float32 RGB 0..255, shape (pixels, pixels, 3).
"""

import functools
import math

import cv2
import numpy as np
import skia

CANVAS = 256  # units across


class Sheet:
    """A resolution, with the coordinates of every pixel in canvas units."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.scale = pixels / CANVAS
        self.y, self.x = (np.mgrid[0:pixels, 0:pixels].astype(np.float32) + 0.5) / self.scale

    def blur(self, image, sigma):
        """A Gaussian blur, sigma in canvas units."""
        return cv2.GaussianBlur(np.asarray(image, np.float32), (0, 0), sigma * self.scale)

    def noise(self, rng, cells, amount, across=None):
        """Smooth noise with so many cells down and across, shape (pixels, pixels)."""
        coarse = rng.standard_normal((cells, across or cells)).astype(np.float32) * amount
        return cv2.resize(coarse, (self.pixels, self.pixels), interpolation=cv2.INTER_CUBIC)

    def at(self, x, y):
        """Pixel indices (row, column) of canvas points, clipped to the sheet."""
        top = self.pixels - 1
        return np.clip(y * self.scale, 0, top).astype(int), np.clip(x * self.scale, 0, top).astype(int)

    def paper(self, image=None):
        """A drawing surface, transparent or over an image; `Paper.image()` gives the result."""
        return Paper(self, image)


@functools.cache
def sheet(pixels):
    """The sheet of that resolution, made once."""
    return Sheet(pixels)


class Paper:
    """A Skia canvas over a numpy array."""

    def __init__(self, on, image=None):
        self.on = on
        self.pixels = np.zeros((on.pixels, on.pixels, 4), np.uint8)
        if image is not None:
            self.pixels[..., :3] = np.clip(image, 0, 255)
            self.pixels[..., 3] = 255
        self._surface = skia.Surface(self.pixels)
        self.canvas = self._surface.getCanvas()
        self.canvas.scale(on.scale, on.scale)

    def fill(self, outline, colour, opacity=1.0, smooth=True):
        self.canvas.drawPath(_path(outline, True), skia.Paint(AntiAlias=smooth, Color=_colour(colour, opacity)))

    def line(self, curve, colour, width, opacity=1.0, closed=False, smooth=True):
        self.canvas.drawPath(_path(curve, closed), pen(_colour(colour, opacity), width, smooth))

    def image(self):
        return self.pixels[..., :3].astype(np.float32)

    def coverage(self):
        """Opacity 0..1, shape (pixels, pixels, 1)."""
        return self.pixels[..., 3:].astype(np.float32) / 255


def pen(colour, width, smooth=True):
    paint = skia.Paint(AntiAlias=smooth, Color=colour)
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(float(width))
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    paint.setStrokeJoin(skia.Paint.kRound_Join)
    return paint


def brush_strokes(on, image, angle, rng, *, count, length, width, jitter, bends=3, where=None):
    """Curved strokes that follow an angle image and take their colour from the picture they cover.

    Starts lie on a jittered grid of `count` places; `where` (a boolean image) keeps only those inside.
    """
    side = math.ceil(math.sqrt(count))
    order = rng.permutation(side * side)
    x = (order % side + rng.random(side * side)) * CANVAS / side
    y = (order // side + rng.random(side * side)) * CANVAS / side
    if where is not None:
        kept = where[on.at(x, y)]
        x, y = x[kept], y[kept]
    n = len(x)
    colour = image[on.at(x, y)] + rng.standard_normal((n, 1)) * jitter + rng.standard_normal((n, 3)) * jitter * 0.5
    track = [np.stack([x, y], 1)]
    for _ in range(bends):
        here = track[-1]
        t = angle[on.at(here[:, 0], here[:, 1])]
        track.append(here + np.stack([np.cos(t), np.sin(t)], 1) * (length / bends))
    tracks = np.stack(track, 1)
    widths = width * (0.7 + 0.6 * rng.random(n))
    colour = np.clip(colour, 0, 255).astype(int)
    paper = on.paper(image)
    brush = pen(skia.ColorBLACK, 1)
    for k in range(n):
        brush.setStrokeWidth(float(widths[k]))
        brush.setColor(skia.Color(int(colour[k, 0]), int(colour[k, 1]), int(colour[k, 2])))
        corners = [skia.Point(float(px), float(py)) for px, py in tracks[k]]
        paper.canvas.drawPoints(skia.Canvas.PointMode.kPolygon_PointMode, corners, brush)
    return paper.image()


def _colour(colour, opacity):
    r, g, b = np.clip(colour, 0, 255)
    return skia.Color(int(r), int(g), int(b), int(opacity * 255))


def _path(curve, closed):
    builder = skia.PathBuilder()
    builder.addPolygon([skia.Point(float(x), float(y)) for x, y in curve], closed)
    return builder.detach()
