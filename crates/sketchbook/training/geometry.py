"""Curves as arrays of points, shape (n, 2). Nothing here draws."""

import numpy as np


def points(*pairs):
    """An array from x, y pairs."""
    return np.asarray(pairs, np.float32)


def ellipse(x, y, rx, ry=None, n=28):
    """A closed polygon around (x, y); a circle if only one radius is given."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * np.cos(t), y + (rx if ry is None else ry) * np.sin(t)], 1).astype(np.float32)


def smooth(corners, closed=True, n=6):
    """A uniform Catmull-Rom spline through the corners, n points to a piece."""
    corners = np.asarray(corners, np.float32)
    count = len(corners)
    start = np.arange(count if closed else count - 1)

    def corner(index):
        return corners[index % count if closed else np.clip(index, 0, count - 1)][:, None]

    p0, p1, p2, p3 = (corner(start + k) for k in (-1, 0, 1, 2))
    t = (np.arange(n, dtype=np.float32) / n)[None, :, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.vstack([curve, corners[-1:]])


def open_curve(*pairs):
    """A smooth curve that is not closed."""
    return smooth(pairs, closed=False)


def blob(*pairs):
    """A smooth closed outline."""
    return smooth(pairs)


def rectangle(x, y, width, height):
    return points((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def lobed_leaf(x, y, size, angle):
    """A monstera leaf: a heart with deep notches, its stem at (x, y)'s back."""
    t = np.linspace(-np.pi, np.pi, 72)
    radius = (1 - 0.25 * np.cos(t) ** 2) * (1 - 0.42 * np.exp(-(((np.abs(t) - np.pi) / 0.25) ** 2)))
    notch = np.clip(np.cos(t * 6.5), 0.2, 1) ** 4 * (np.abs(t) > 0.45) * (np.abs(t) < 2.6)
    radius = radius * (1 - 0.5 * notch) + 0.28 * np.exp(-((t / 0.3) ** 2))
    along, across = radius * np.cos(t) * size, radius * np.sin(t) * size * 0.85
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([x + along * c - across * s, y + along * s + across * c], 1).astype(np.float32)


def star(x, y, radius):
    """Four points, drawn with sixteen."""
    t = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    reach = np.where(np.arange(16) % 4 == 0, radius * 1.7, radius * 0.75)
    return np.stack([x + reach * np.cos(t), y + reach * np.sin(t)], 1).astype(np.float32)
