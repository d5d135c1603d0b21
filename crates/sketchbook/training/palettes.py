"""Colours by name for each manner, as float RGB 0..255.

A palette starts from the sitter's true colours and is then bent: tinted towards a manner's key, with the furniture of the
background replaced. Every colour a shape or a background may ask for is in `true_colours`. The bending is a caricature made up
for this project; it was measured from nobody's pictures.
"""

import numpy as np

HAIR = {"black": "#241f22", "brown": "#6f4527", "blond": "#dcb45a", "red": "#b5481c", "grey": "#a8a8ab"}
CLOTHES = {"red": "#b3282d", "blue": "#2b4f96", "green": "#2f7a4a", "white": "#e6e4de", "black": "#26262c", "yellow": "#dbb12f", "purple": "#6f3f8c"}
SKIN = ("#f3d3bd", "#ecc19f", "#e0ac84", "#c98f63", "#9c6542", "#6d4329")
IRIS = ("#5b3a20", "#3f6f9f", "#4f7a4a")
WALLS = (("#8a94a0", "#59626e"), ("#b9ab96", "#85745f"), ("#98a58f", "#64705e"), ("#c3c1bd", "#8e8c8a"), ("#a08a94", "#6b5863"))


def rgb(code):
    """A colour from "#rrggbb"."""
    return np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)], np.float32)


def mix(a, b, share):
    """a, with `share` of b."""
    return a * (1 - share) + b * share


def tint(colour, key, share, saturation=1.0):
    """A colour with its saturation scaled, then mixed with a key colour."""
    grey = colour.mean()
    return mix(grey + (colour - grey) * saturation, rgb(key), share)


def luminance(colour):
    """0..1."""
    return float(colour @ np.array([0.299, 0.587, 0.114], np.float32)) / 255


def ramp(t, codes):
    """An image of colours along a list of stops, from an array t of 0..1."""
    stops = np.stack([rgb(c) for c in codes])
    t = np.clip(t, 0, 1) * (len(stops) - 1)
    low = np.minimum(t.astype(int), len(stops) - 2)
    return mix(stops[low], stops[low + 1], (t - low)[..., None])


def true_colours(scene):
    """The palette of a photograph."""
    who = scene.identity
    low = int(who.skin)
    skin = mix(rgb(SKIN[low]), rgb(SKIN[low + 1]), who.skin - low)
    hair, clothes = rgb(HAIR[scene.hair_colour]), rgb(CLOTHES[scene.clothes])
    wall = WALLS[int(np.random.default_rng(scene.seed).integers(len(WALLS)))]
    lips = "#b03a3e" if scene.sex == "woman" else "#a8584c"
    palette = dict(
        skin=skin, skin_dark=skin * 0.80, blush=mix(skin, rgb("#d0604f"), 0.5), lips=mix(skin * 0.85, rgb(lips), 0.6),
        lip_line=skin * 0.38, nose_line=skin * 0.62, wrinkle=skin * 0.60, iris=rgb(IRIS[int(who.iris * 2.999)]), brow=mix(hair * 0.72, rgb("#2a1c14"), 0.25),
        old_brow=rgb("#8a8a90" if luminance(skin) > 0.66 else "#e4e2dd"),
        hair=hair, hair_dark=hair * 0.66, clothes=clothes, clothes_dark=clothes * 0.68, wall=rgb(wall[0]), wall_dark=rgb(wall[1]),
    )  # fmt: skip
    return palette | colours(
        eye_white="#f4f1ea", pupil="#101010", lash="#20140f", collar="#e9e6df", glasses="#1a1a1e", leaf="#3f8a4a", leaf_dark="#1f5a30",
        frame="#7a5a3c", pane="#bfe0f5", pane_light="#eef4e8", night="#0b1538", night_low="#2a3f7a", star="#f7edb0", sea="#2f7f9f",
        sea_dark="#12506f", sky="#8fc2e6", sky_low="#dfeaf0", foam="#f2f7f7", ink="#2a1c18",
    )  # fmt: skip


def colours(**codes):
    return {name: rgb(code) for name, code in codes.items()}


def palette_for(manner, scene):
    """The palette of one manner for a scene."""
    true = true_colours(scene)
    return true if manner == "photo" else true | BENDS[manner](true, scene)


def _mucha(true, scene):
    skin = tint(true["skin"], "#f7e2c4", 0.30)
    hair = mix(true["hair"], rgb("#c98a4a"), 0.15)
    clothes = tint(true["clothes"], "#efe0bd", 0.34, 0.85)
    pastel = {name: tint(c, "#f0dcb4", 0.26, 0.75) for name, c in true.items()}
    return pastel | dict(skin=skin, skin_dark=skin * 0.9, hair=hair, hair_dark=hair * 0.72, clothes=clothes, clothes_dark=clothes * 0.8, eye_white=rgb("#fbf4e4")) | colours(
        ink="#4a2c1c", lash="#3a2014", brow="#5a3a22", iris="#5a4a3a", pupil="#2a1810", glasses="#3a2014", nose_line="#9a6a48", wall="#ead9b0", wall_dark="#d9bf8a", leaf="#93a873", leaf_dark="#6b855a", frame="#b48a5a", pane="#cfdcc8", pane_light="#f1e6c6",
        night="#4d6683", night_low="#8ea3a8", star="#f5e6a8", sea="#86aaa6", sea_dark="#5f8a90", sky="#e8cfa6", sky_low="#f3e5c3", foam="#f5ecd4",
    )  # fmt: skip


def _van_gogh(true, scene):
    skin = tint(true["skin"], "#e6b450", 0.42, 1.2)
    lean = {"brown": "#b0602a", "red": "#d0501a", "blond": "#e8c040"}.get(scene.hair_colour, "#3a5a8f")
    hair = tint(true["hair"], lean, 0.30, 1.3)
    clothes = tint(true["clothes"], "#2f63a8", 0.18, 1.35)
    return dict(
        skin=skin, skin_dark=mix(skin * 0.78, rgb("#6f8a5a"), 0.28), hair=hair, hair_dark=hair * 0.6, clothes=clothes,
        clothes_dark=mix(clothes * 0.6, rgb("#1b2f6b"), 0.3),
    ) | colours(
        blush="#d0693a", lips="#b5462e", nose_line="#5d6a3a", wall="#3f7cc0", wall_dark="#1f4796", leaf="#4f9a52", leaf_dark="#1f5f4a", frame="#c98a2a",
        pane="#8fc8e8", pane_light="#f2e27a", night="#12235e", night_low="#2f62b0", star="#ffdf4a", sea="#3f9ab0", sea_dark="#1c4f8f", sky="#7fb4dc",
        sky_low="#f0dc80", foam="#f0f4d8", ink="#1a2448", glasses="#1a2040",
    )  # fmt: skip


def _munch(true, scene):
    skin = tint(true["skin"], "#d9c27a", 0.5, 0.8)
    shade = mix(skin * 0.72, rgb("#5a6a4f"), 0.45)
    hair = mix(true["hair"], rgb("#3a2a2a"), 0.20)
    clothes = mix(true["clothes"] * 0.85, rgb("#1f2a44"), 0.28)
    return dict(skin=skin, skin_dark=shade, blush=shade, hair=hair, hair_dark=hair * 0.6, clothes=clothes, clothes_dark=clothes * 0.65) | colours(
        lips="#8f3a2c", wall="#d9541e", wall_dark="#24406e", leaf="#4a7a4a", leaf_dark="#23443c", frame="#8a3a20", pane="#e8a03a", pane_light="#f0d070",
        night="#141a44", night_low="#3a4a86", star="#f0c050", sea="#2f5a8a", sea_dark="#16305c", sky="#d8481c", sky_low="#f2a83a", foam="#d9c9a0",
        ink="#1c1a2a", nose_line="#4a4630",
    )  # fmt: skip


def _hokusai(true, scene):
    skin = tint(true["skin"], "#f1e0bd", 0.5, 0.8)
    hair = mix(true["hair"], rgb("#1b2638"), 0.22)
    clothes = mix(tint(true["clothes"], "#6f8fb0", 0.28, 0.85), rgb("#27466f"), 0.18)
    return dict(skin=skin, skin_dark=skin * 0.92, blush=mix(skin, rgb("#d98a6a"), 0.4), hair=hair, hair_dark=hair * 0.7, clothes=clothes, clothes_dark=clothes * 0.66) | colours(
        lips="#a8463a", wall="#efe3c6", wall_dark="#dfd3b4", leaf="#5f8a7a", leaf_dark="#2c4f5c", frame="#8a6a48", pane="#a9c6d0", pane_light="#efe6cc",
        night="#15294d", night_low="#3c628f", star="#f3e7b8", sea="#3f6f9f", sea_dark="#1c3a68", sky="#8fb2c4", sky_low="#efe3c6", foam="#f6f0dc",
        ink="#16223c", glasses="#16223c", nose_line="#4a4a50", brow="#1b2230",
    )  # fmt: skip


def _klimt(true, scene):
    skin = tint(true["skin"], "#f3dcc0", 0.25)
    hair = tint(true["hair"], "#8a4a20", 0.15, 1.1)
    clothes = tint(true["clothes"], "#d9962a", 0.2, 1.2)
    return dict(skin=skin, skin_dark=skin * 0.86, hair=hair, hair_dark=hair * 0.66, clothes=clothes, clothes_dark=clothes * 0.6) | colours(
        blush="#dd8f80", wall="#e0a418", wall_dark="#b07410", leaf="#5a8a3a", leaf_dark="#2f5a2c", frame="#5a3a18", pane="#8fb0c0", pane_light="#f4d070",
        night="#1c2448", night_low="#4a3f6a", star="#ffda5a", sea="#3f8a80", sea_dark="#1f5a5a", sky="#e0a83a", sky_low="#f4d070", foam="#f7e4b0", ink="#3a2410",
    )  # fmt: skip


def _seurat(true, scene):
    pastel = {name: tint(c, "#f2e6c0", 0.12, 1.25) for name, c in true.items()}
    return pastel | dict(skin_dark=mix(true["skin"] * 0.8, rgb("#b07a9a"), 0.3), hair_dark=mix(true["hair"] * 0.6, rgb("#3a3a8a"), 0.25)) | colours(
        lash="#1c1a4a", brow="#2a2450", glasses="#1c1a4a", lips="#b8303f",
        wall="#a9c490", wall_dark="#6f94b0", ink="#2a2f5a", leaf="#6fae4a", leaf_dark="#2f7a50", night="#1c2a66", night_low="#4a5fa0", sea="#4f9fc0",
        sea_dark="#2f6fa8", sky="#a9cfe8", sky_low="#f2e6c8",
    )  # fmt: skip


def _duerer(true, scene):
    grey = {name: np.full(3, 255 * min(1.0, 0.14 + 0.95 * luminance(c)), np.float32) for name, c in true.items()}
    coloured = {name: mix(grey[name], true[name], 0.75) for name in ("hair", "hair_dark", "clothes", "clothes_dark")}
    # What makes a face is drawn in plain black.
    features = dict.fromkeys(("iris", "pupil", "lash", "brow", "glasses"), rgb("#1c150f"))
    return grey | coloured | features | colours(lips="#8f857b", wall="#e8e8e8", wall_dark="#b8b8b8", ink="#1c150f", night="#3a3a3a", night_low="#6a6a6a")


def _rembrandt(true, scene):
    brown = {name: tint(c, "#4a2c12", 0.40, 0.8) * 0.75 for name, c in true.items()}
    skin = tint(true["skin"], "#e8a050", 0.38)
    hair = tint(true["hair"], "#5a3818", 0.22)
    clothes = tint(true["clothes"], "#3a2412", 0.28) * 0.75
    scenery = {name: tint(true[name], "#4a3418", 0.45, 0.7) * 0.65 for name in ("leaf", "leaf_dark", "pane", "pane_light", "sea", "sea_dark", "sky", "sky_low")}
    return brown | scenery | dict(skin=skin, skin_dark=skin * 0.6, hair=hair, hair_dark=hair * 0.55, clothes=clothes, clothes_dark=clothes * 0.5) | colours(
        eye_white="#d9c8a8", collar="#d9c6a0", lips="#9a4a30", wall="#3a2814", wall_dark="#140c06", ink="#1a0f08", star="#d9b060", night="#0c0a10", night_low="#241c18",
    )  # fmt: skip


MONDRIAN = colours(red="#d8232a", blue="#1f4fa8", yellow="#f2cf1d", white="#f4f1e8", black="#141414")


def _mondrian(true, scene):
    skin = mix(rgb("#f8eedc"), rgb("#b07a4c"), scene.identity.skin / 5.5)
    red, blue, yellow, white, black = MONDRIAN.values()
    hair = {"black": black, "brown": rgb("#7a3a1a"), "blond": yellow, "red": red, "grey": rgb("#b4b4b4")}[scene.hair_colour]
    clothes = MONDRIAN.get(scene.clothes)
    if clothes is None:
        clothes = rgb({"green": "#2a8a4a", "purple": "#6a3a9a"}[scene.clothes])
    ink = dict.fromkeys(("nose_line", "lip_line", "lash", "ink", "brow", "glasses", "clothes_dark"), black)
    return ink | dict(skin=skin, skin_dark=skin * 0.9, hair=hair, hair_dark=hair * 0.8, clothes=clothes, lips=red, iris=blue) | colours(
        blush="#f2cf9d", eye_white="#ffffff", wall="#f4f1e8", wall_dark="#f4f1e8", leaf="#2a8a4a", leaf_dark="#14502a", frame="#141414", pane="#bcd8ee",
        pane_light="#f4f1e8", night="#14286a", night_low="#1f4fa8", star="#f2cf1d", sea="#1f4fa8", sea_dark="#173a80", sky="#f4f1e8", sky_low="#e8e4da", foam="#ffffff",
    )  # fmt: skip


BENDS = {
    "mucha": _mucha, "vangogh": _van_gogh, "munch": _munch, "hokusai": _hokusai, "klimt": _klimt, "seurat": _seurat, "duerer": _duerer,
    "rembrandt": _rembrandt, "mondrian": _mondrian,
}  # fmt: skip
