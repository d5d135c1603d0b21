"""The sitter as a list of flat shapes, back to front.

Each shape belongs to a region (hair, skin, clothes, feature) and names a colour of the palette; how it looks is up to the manner.
Feature shapes (eyes, mouth, glasses) stay sharp where a texture would eat them. Head-local coordinates have the head's centre at
(0, 0) and its edges at -1 and 1; a HeadFrame turns them into canvas units.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from geometry import blob, ellipse, open_curve, points


@dataclass(frozen=True)
class Shape:
    """A filled outline, or a line where `width` is given."""

    region: str
    points: np.ndarray
    colour: str
    opacity: float = 1.0
    outlined: bool = True  # manners with an ink line draw one around this
    width: float = 0.0  # canvas units; 0 fills


@dataclass(frozen=True)
class HeadFrame:
    """Where the head is: a scale by half its size, then a tilt about the chin."""

    x: float
    y: float
    width: float
    height: float
    tilt: float

    def place(self, local):
        """Canvas points of head-local ones."""
        p = np.asarray(local, np.float32).reshape(-1, 2) * [self.width, self.height] - [0, self.height]
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return np.stack([p[:, 0] * c - p[:, 1] * s + self.x, p[:, 0] * s + p[:, 1] * c + self.y + self.height], 1)


@dataclass(frozen=True)
class Figure:
    """The shapes in drawing order, and the head they hang on."""

    shapes: list
    head: HeadFrame
    identity: object


def build_figure(scene, gauntness=0.0):
    """The shapes of a scene's sitter; gauntness 0..1 lengthens the face, hollows the cheeks and opens the eyes."""
    who = scene.identity
    if gauntness:
        who = replace(
            who,
            head_width=who.head_width * (1 - 0.10 * gauntness),
            head_height=who.head_height * (1 + 0.05 * gauntness),
            jaw=who.jaw + 0.12 * gauntness,
            eye_open=who.eye_open + 0.22 * gauntness,
        )
    if scene.age == "old":
        # What fine lines alone cannot tell at this size: a heavier jaw, narrower eyes, thin lips, white bushy brows.
        who = replace(who, lips=who.lips * 0.6, eye_open=who.eye_open * 0.76, jaw=who.jaw * 0.5, brow_weight=who.brow_weight + 2.6)
    head = HeadFrame(*who.centre, who.head_width, who.head_height, math.radians(who.tilt))
    turn = who.turn * 0.30  # how far the features slide sideways
    shapes = [
        *_hair_behind(scene, who, head, turn),
        *_neck_and_clothes(scene, who, head),
        *_face(scene, who, head, turn, gauntness),
        *beard(scene, who, head, turn),
        *(_wrinkles(who, head, turn) if scene.age == "old" else []),
        *_mouth_and_nose(who, head, turn),
        *_eyes(scene, who, head, turn, gauntness),
        *hair_in_front(scene, who, head, turn),
        *(_glasses(who, head, turn) if scene.glasses else []),
        *(_hat(head, turn) if scene.hat else []),
    ]
    return Figure(shapes, head, who)


def _hair_behind(scene, who, head, turn):
    if scene.hair == "bun":
        return [Shape("hair", head.place(ellipse(turn * 0.8, -1.20, 0.46, 0.32, 26)), "hair")]
    if scene.hair != "long":
        return []
    low = 1.45 if scene.sex == "woman" else 1.12
    w = who.hair_volume + 0.10
    outline = blob(
        (-w, -0.2), (-0.95 * w, -0.85), (-0.45, -1.17), (0.1, -1.22), (0.6, -1.12), (0.98 * w, -0.8), (w + 0.04, -0.1),
        (w + 0.12, 0.55), (w + 0.10, low), (0.5, low + 0.12), (-0.5, low + 0.12), (-w - 0.12, low), (-w - 0.14, 0.5),
    )  # fmt: skip
    return [Shape("hair", head.place(outline), "hair_dark")]


def _neck_and_clothes(scene, who, head):
    x = head.x
    base = head.y + head.height * 1.24  # where the neck meets the clothes
    neck, reach = who.neck * head.width, who.shoulders
    jaw = head.y + head.height * 0.5
    shapes = [
        Shape(
            "skin",
            points(
                (x - neck, jaw), (x + neck, jaw), (x + neck * 1.05, base), (x + neck * 1.9, base + 22),
                (x, 262), (x - neck * 1.9, base + 22), (x - neck * 1.05, base),
            ),
            "skin_dark",
        )  # fmt: skip
    ]
    man, cut = scene.sex == "man", who.neckline
    open_neck = cut < 0.6
    depth = (16 if man else 34) * (0.6 + cut) if open_neck else 8
    pointed = man and open_neck
    neckline = open_curve(
        (x - neck * 1.12, base - 6), (x - neck * 0.6, base + depth * 0.7), (x, base + depth * (1.25 if pointed else 1)),
        (x + neck * 0.6, base + depth * 0.7), (x + neck * 1.12, base - 6),
    )  # fmt: skip
    right = open_curve(
        (x + neck * 1.12, base - 6), (x + neck * 1.7, base + 8), (x + reach * 0.8, base + 20), (x + reach, base + 44), (x + reach * 1.12, 264)
    )
    left = right[::-1] * [-1, 1] + [2 * x, 0]
    shapes.append(Shape("clothes", np.vstack([right, left, neckline]), "clothes"))
    for side in (-1, 1):
        if pointed and cut < 0.35:
            collar = points(
                (x + side * neck * 1.16, base - 10), (x + side * neck * 0.1, base + depth * 1.3),
                (x + side * neck * 0.75, base + depth * 1.9), (x + side * neck * 1.55, base + 4),
            )  # fmt: skip
            shapes.append(Shape("clothes", collar, "collar"))
        sleeve = open_curve((x + side * reach * 0.72, base + 32), (x + side * reach * 0.66, base + 50), (x + side * reach * 0.70, 262))
        shapes.append(Shape("clothes", sleeve, "clothes_dark", width=3))
    return shapes


def face_outline(who):
    """The face's edge in head-local coordinates: an ellipse that narrows to the chin."""
    t = np.linspace(0, 2 * np.pi, 44, endpoint=False)
    x, y = np.cos(t), np.sin(t)
    lower = np.clip(y, 0, 1)
    x = x * (1 - who.jaw * lower**1.6 * 1.5 * (0.6 + 0.4 * lower))
    x = np.where(y > 0, np.sign(x) * np.abs(x) ** 0.86, x)
    return np.stack([x, y], 1)


def _face(scene, who, head, turn, gauntness):
    shapes = []
    if scene.hair != "long":
        for side in (-1, 1):
            if side * turn < 0.12:  # a turned head hides its far ear
                shapes.append(Shape("skin", head.place(ellipse(side, 0.02, 0.13, 0.19, 18)), "skin_dark"))
    shapes.append(Shape("skin", head.place(face_outline(who)), "skin"))
    for side in (-1, 1):
        cheek = head.place(ellipse(side * 0.52 + turn, 0.34, 0.20, 0.15, 18))
        colour, opacity = ("skin_dark", 0.55) if gauntness else ("blush", 0.35)
        shapes.append(Shape("skin", cheek, colour, opacity, outlined=False))
    return shapes


def _wrinkles(who, head, turn):
    """Two lines across the forehead, bags under the eyes, and folds from the nose past the mouth."""
    y, tip, mouth = who.eye_height, who.nose_length, who.mouth_height
    brow = y + who.brow_height
    lines = [open_curve((turn - w, up), (turn, up - 0.03), (turn + w, up)) for w, up in ((0.46, brow - 0.13), (0.36, brow - 0.23))]
    for side in (-1, 1):
        x, w = side * who.eye_gap + turn, who.eye_width
        lines.append(open_curve((x - w * 0.8, y + 0.15), (x, y + 0.20), (x + w * 0.8, y + 0.15)))
        lines.append(open_curve((turn + side * (who.nose_width + 0.06), tip - 0.06), (turn + side * 0.42, mouth - 0.12), (turn + side * 0.48, mouth + 0.06)))
    return [Shape("feature", head.place(line), "wrinkle", 0.9, width=4.4) for line in lines]


def beard(scene, who, head, turn):
    mouth, wide = who.mouth_height, who.mouth_width
    if scene.beard == "beard":
        edge = face_outline(who)
        lower = edge[edge[:, 1] > 0.08]
        lower = lower[np.argsort(-lower[:, 0])] * [1.06, 1.13]
        upper = open_curve(
            (-0.92, 0.12), (-0.66, 0.40), (-0.45 + turn, mouth - 0.19), (turn, mouth - 0.21),
            (0.45 + turn, mouth - 0.19), (0.66, 0.40), (0.92, 0.12),
        )  # fmt: skip
        locks = [
            open_curve(
                (k + turn * (1 - abs(k)), mouth + 0.14 - 0.3 * abs(k)), (k * 0.94 + turn * 0.4, mouth + 0.3 - 0.24 * abs(k)),
                (k * 0.85, 1.04 - 0.5 * k * k),
            )
            for k in (-0.72, -0.46, -0.2, 0.2, 0.46, 0.72)
        ]  # fmt: skip
        return [Shape("hair", head.place(np.vstack([lower, upper])), "hair"), *_locks(locks, head)]
    if scene.beard == "moustache":
        half = points((0, -0.20), (0.75 * wide, -0.16), (1.45 * wide, 0.05), (0.6 * wide, -0.03), (0, -0.05))
        whole = np.vstack([half, (half * [-1, 1])[-2:0:-1]]) + [turn, mouth]
        return [Shape("hair", head.place(blob(*whole)), "hair_dark", outlined=False)]
    return []


def _mouth_and_nose(who, head, turn):
    y, wide, lips, smile = who.mouth_height, who.mouth_width, who.lips, who.smile
    mouth = blob(
        (turn - wide, y - smile), (turn - wide * 0.35, y - lips), (turn, y - lips * 0.7), (turn + wide * 0.35, y - lips),
        (turn + wide, y - smile), (turn + wide * 0.4, y + lips * 1.1), (turn, y + lips * 1.35), (turn - wide * 0.4, y + lips * 1.1),
    )  # fmt: skip
    parting = open_curve((turn - wide, y - smile), (turn - wide * 0.4, y + 0.015), (turn, y), (turn + wide * 0.4, y + 0.015), (turn + wide, y - smile))
    shadow = 1 if who.light < 0 else -1
    tip, nose = who.nose_length, who.nose_width
    ridge = open_curve(
        (turn + shadow * 0.10, who.eye_height - 0.02), (turn + shadow * 0.09, 0.12),
        (turn + shadow * (nose + 0.02), tip - 0.04), (turn + shadow * nose * 0.8, tip + 0.02),
    )  # fmt: skip
    nostrils = open_curve((turn - nose * 0.95, tip - 0.01), (turn - nose * 0.5, tip + 0.035), (turn, tip + 0.05), (turn + nose * 0.5, tip + 0.035), (turn + nose * 0.95, tip - 0.01))
    return [
        Shape("feature", head.place(mouth), "lips", outlined=False),
        Shape("feature", head.place(parting), "lip_line", width=2.4),
        Shape("feature", head.place(ridge), "nose_line", 0.8, width=2.4),
        Shape("feature", head.place(nostrils), "nose_line", width=2.8),
    ]


def _eyes(scene, who, head, turn, gauntness):
    shapes = []
    y = who.eye_height
    for side in (-1, 1):
        x = side * who.eye_gap + turn
        w = who.eye_width * (1 - 0.18 * max(0.0, side * who.turn))
        h = who.eye_width * who.eye_open * head.width / head.height
        if gauntness:
            shapes.append(Shape("skin", head.place(ellipse(x, y + 0.02, w * 1.35, h * 2.2, 18)), "skin_dark", 0.8, outlined=False))
        lid = [(x - w * 0.4, y - h), (x + w * 0.4, y - h)]
        white = blob((x - w, y + 0.01), *lid, (x + w, y + 0.01), (x + w * 0.4, y + h * 0.8), (x - w * 0.4, y + h * 0.8))
        ix, iy = head.place([(x + who.turn * 0.04, y)])[0]
        r = min(w * head.width * 0.54, h * head.height * 1.15)
        lash = open_curve((x - w * 1.08, y + 0.02), *lid, (x + w * 1.08, y + 0.02))
        brow_y, slope = y + who.brow_height, who.brow_slope * side
        brow = open_curve(
            (x - w * 1.2, brow_y + slope + 0.02 + 0.03 * (side > 0)), (x, brow_y - 0.045), (x + w * 1.2, brow_y - slope + 0.02 + 0.03 * (side < 0))
        )
        shapes += [
            Shape("feature", head.place(white), "eye_white", outlined=False),
            Shape("feature", ellipse(ix, iy, r, n=16), "iris", outlined=False),
            Shape("feature", ellipse(ix, iy, r * 0.5, n=12), "pupil", outlined=False),
            Shape("feature", ellipse(ix - r * 0.35, iy - r * 0.4, r * 0.28, n=8), "eye_white", outlined=False),
            Shape("feature", head.place(lash), "lash", width=2.8 if scene.sex == "man" else 3.4),
            Shape("feature", head.place(brow), "old_brow" if scene.age == "old" else "brow", width=who.brow_weight),
        ]
    return shapes


def hair_in_front(scene, who, head, turn):
    if scene.hair == "bald":
        return []
    v, line, part = who.hair_volume, who.hairline, who.parting * 0.4
    low = {"short": 0.05 if scene.sex == "man" else 0.45, "bun": -0.10, "long": 0.5}[scene.hair]
    outer = open_curve(
        (-v, low), (-v * 1.03, -0.3), (-v * 0.92, -0.72), (-0.68, -1.02), (-0.36, -1.17), (0, -1.21),
        (0.36, -1.17), (0.68, -1.02), (v * 0.92, -0.72), (v * 1.03, -0.3), (v, low),
    )  # fmt: skip
    inner = open_curve(
        (0.90, low), (0.86, -0.28), (0.62, -0.5), (part + 0.22, -line - 0.10), (part, -line - 0.2), (part - 0.22, -line - 0.08),
        (-0.62, -0.5), (-0.86, -0.28), (-0.90, low),
    )  # fmt: skip
    shapes = [Shape("hair", head.place(np.vstack([outer, inner])), "hair")]
    locks = [open_curve((part * 0.9, -1.1), (k * 0.75 + part * 0.3, -0.98), (k * 1.2, -0.55)) for k in (-0.75, -0.4, 0.35, 0.7)]
    if scene.hair == "long":
        for side in (-1, 1):
            fall = blob(*(points((0.88, -0.45), (1.16, -0.3), (1.24, 0.5), (1.20, 1.2), (0.98, 1.3), (1.0, 0.6), (0.93, 0.1)) * [side, 1]))
            shapes.append(Shape("hair", head.place(fall), "hair"))
            locks.append(open_curve((side * 1.04, -0.2), (side * 1.12, 0.4), (side * 1.08, 1.1)))
    if scene.hair == "bun":
        locks.append(open_curve((turn - 0.32, -1.18), (turn + 0.05, -1.32), (turn + 0.34, -1.16)))
    return shapes + _locks(locks, head)


def _locks(curves, head):
    """Single strands, drawn over hair or beard."""
    return [Shape("hair", head.place(curve), "hair_dark", 0.7, width=2.4) for curve in curves]


def _glasses(who, head, turn):
    radius, y = 0.335, who.eye_height + 0.02
    shapes = []
    for side in (-1, 1):
        rim = head.place(ellipse(side * who.eye_gap + turn, y, radius, radius * head.width / head.height * 0.95, 26))
        shapes.append(Shape("feature", np.vstack([rim, rim[:1]]), "glasses", width=4.8))
        arm = head.place([(side * (who.eye_gap + radius) + turn, y - 0.04), (side * 1.0, y - 0.08)])
        shapes.append(Shape("feature", arm, "glasses", width=4))
    bridge = open_curve((turn - who.eye_gap + radius, y - 0.02), (turn, y - 0.07), (turn + who.eye_gap - radius, y - 0.02))
    return [*shapes, Shape("feature", head.place(bridge), "glasses", width=4)]


def _hat(head, turn):
    """A hat with a brim and a band, of the clothes' cloth."""
    slide = turn * 0.4
    crown = blob((-0.92, -0.62), (-0.90, -0.95), (-0.72, -1.30), (-0.3, -1.42), (0.3, -1.42), (0.72, -1.30), (0.90, -0.95), (0.92, -0.62)) + [slide, 0]
    band = points((-0.93, -0.86), (0.93, -0.86), (0.93, -0.62), (-0.93, -0.62)) + [slide, 0]
    brim = ellipse(slide, -0.62, 1.48, 0.17, 40)
    return [
        Shape("clothes", head.place(crown), "clothes"),
        Shape("clothes", head.place(band), "clothes_dark"),
        Shape("clothes", head.place(brim), "clothes"),
    ]
