"""What a portrait shows, before anybody decides how it is painted.

A scene is a handful of nameable attributes (sex, age, hair, beard, glasses, hat, clothes, background) and an identity: some twenty
numbers that captions never mention, such as the width of a face or where the light comes from. Both come from one random
generator, so a seed is a sitter. Lengths are on a canvas of 256 x 256 units; most of the numbers are in units of half a head.
This file knows nothing of geometry, palettes or captions.
"""

from dataclasses import dataclass, replace

HAIR_COLOURS = ("black", "brown", "blond", "red", "grey")
CLOTHES = ("red", "blue", "green", "white", "black", "yellow", "purple")
BACKGROUNDS = ("plain", "leaves", "window", "night", "sea")
BACKGROUND_SHARES = (0.38, 0.19, 0.13, 0.15, 0.15)

# Everything a caption can say, with every value it can take: the text encoder learns to predict exactly this table.
ATTRIBUTES = {
    "sex": ("woman", "man"),
    "age": ("adult", "old"),
    "hair": ("short", "long", "bun", "bald"),
    "hair_colour": HAIR_COLOURS,
    "beard": ("none", "beard", "moustache"),
    "glasses": (False, True),
    "hat": (False, True),
    "clothes": CLOTHES,
    "background": BACKGROUNDS,
}


@dataclass(frozen=True)
class Identity:
    """The unnamed rest of a sitter."""

    centre: tuple[float, float]  # of the head, canvas units
    head_width: float  # half of it, canvas units
    head_height: float  # half of it, canvas units
    jaw: float  # how much the face narrows towards the chin, 0..0.5
    tilt: float  # degrees, about the chin
    turn: float  # -0.45 looks left, 0.45 looks right
    skin: float  # 0 lightest .. 5 darkest, a position between the listed tones
    eye_gap: float
    eye_height: float
    eye_width: float
    eye_open: float
    iris: float  # 0..1, picks brown, blue or green
    brow_weight: float  # canvas units
    brow_height: float
    brow_slope: float
    nose_length: float
    nose_width: float
    mouth_height: float
    mouth_width: float
    lips: float
    smile: float
    hairline: float
    parting: float
    hair_volume: float
    shoulders: float  # half of their width, canvas units
    neck: float
    neckline: float  # 0..1, picks the cut of the clothes
    light: float  # -1 from the left .. 1 from the right


@dataclass(frozen=True)
class Scene:
    """A sitter in front of something."""

    sex: str
    age: str
    hair: str
    hair_colour: str
    beard: str
    glasses: bool
    hat: bool
    clothes: str
    background: str
    identity: Identity
    seed: int  # of all the chance left to the painter: leaves, strokes, grain


def sample_scene(rng):
    """Draws a scene from a numpy generator."""
    woman = rng.random() < 0.5
    if woman:
        hair, beard = _pick(rng, {"short": 0.2, "long": 0.5, "bun": 0.3}), "none"
    else:
        hair = _pick(rng, {"short": 0.62, "long": 0.16, "bald": 0.22})
        beard = _pick(rng, {"none": 0.36, "beard": 0.40, "moustache": 0.24})
    scene = Scene(
        sex="woman" if woman else "man",
        age="adult",
        hair=hair,
        hair_colour=_pick(rng, dict.fromkeys(HAIR_COLOURS, 1 / len(HAIR_COLOURS))),
        beard=beard,
        glasses=bool(rng.random() < 0.45),
        hat=False,
        clothes=_pick(rng, dict.fromkeys(CLOTHES, 1 / len(CLOTHES))),
        background=_pick(rng, dict(zip(BACKGROUNDS, BACKGROUND_SHARES, strict=True))),
        identity=_sample_identity(rng, woman),
        seed=int(rng.integers(1 << 31)),
    )
    # Drawn last, so that the rest of a sitter does not depend on them.
    if rng.random() < 0.25:
        scene = replace(scene, age="old", hair_colour="grey" if rng.random() < 0.5 else scene.hair_colour)
    return replace(scene, hat=hair != "bun" and bool(rng.random() < 0.18))


def _pick(rng, shares):
    return str(rng.choice(list(shares), p=list(shares.values())))


def _sample_identity(rng, woman):
    def around(middle, spread):
        return middle + spread * (rng.random() - 0.5)

    def either(hers, his):
        return hers if woman else his

    return Identity(
        centre=(around(128, 14), around(116, 6)),
        head_width=around(either(57, 60), 8),
        head_height=around(74, 8),
        jaw=around(either(0.30, 0.17), 0.16),
        tilt=around(0, 12),
        turn=around(0, 0.8),
        skin=rng.random() ** 1.3 * 4.99,
        eye_gap=around(0.44, 0.07),
        eye_height=around(-0.06, 0.07),
        eye_width=around(either(0.25, 0.235), 0.035),
        eye_open=around(either(0.56, 0.48), 0.14),
        iris=rng.random(),
        brow_weight=around(either(2.8, 4.4), 1.4),
        brow_height=around(-0.25, 0.05),
        brow_slope=around(0, 0.06),
        nose_length=around(0.34, 0.07),
        nose_width=around(either(0.17, 0.21), 0.05),
        mouth_height=around(0.60, 0.04),
        mouth_width=around(either(0.37, 0.40), 0.10),
        lips=around(either(0.09, 0.065), 0.03),
        smile=0.10 * (rng.random() - 0.3),
        hairline=around(0.52, 0.20),
        parting=around(0, 1.5),
        hair_volume=1.13 + 0.12 * rng.random(),
        shoulders=around(either(102, 116), 12),
        neck=around(either(0.52, 0.66), 0.08),
        neckline=rng.random(),
        light=around(0, 2),
    )
