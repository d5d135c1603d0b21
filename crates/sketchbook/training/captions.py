"""What people might call a picture.

A caption names the subject, most of its attributes and the artist; a photograph has no artist, so that a prompt without one gives
a photograph. Words are left out rarely (a model this small needs them) and come in more than one order and wording.
"""

from paint import MANNERS

BACKGROUND_WORDS = {
    "plain": ("plain background", ""),
    "leaves": ("monstera leaves", "monstera leaves in the background", "in front of monstera leaves"),
    "window": ("a window", "in front of a window", "window in the background"),
    "night": ("starry night sky", "night sky with stars", "stars at night"),
    "sea": ("the sea", "by the sea", "sea in the background"),
}
SURNAMES = {"vangogh": "van Gogh", "duerer": "Dürer"}


def caption(scene, manner, setting, rng):
    """One caption of many. Blends name the hand first, then the setting: "by Vincent van Gogh and Edvard Munch"."""

    def one_of(options):
        return options[int(rng.integers(len(options)))]

    def kept(share=0.94):
        return rng.random() < share

    subject = _subject(scene, rng, kept, one_of)
    if manner == "photo":
        start = one_of(("photo of", "a photo of", "portrait of", "portrait of", "a portrait of", "selfie of", ""))
    else:
        start = one_of(("portrait of", "portrait of", "a portrait of", "a portrait of", "painting of", "selfie of", ""))
    extras = []
    if kept(0.9):
        extras.append(one_of((f"wearing {scene.clothes}", f"in {scene.clothes} clothes", f"wearing a {scene.clothes} shirt")))
    behind = one_of(BACKGROUND_WORDS[scene.background]) if kept() else ""
    if behind:
        extras.append(behind)
    if len(extras) > 1 and rng.random() < 0.4:
        extras.reverse()
    if manner != "photo" and kept(0.985):
        by = one_of(("by ", "by ", "by ", "by ", "in the style of ", "painting by ")) + _artists(manner, setting, rng)
        extras.insert(0 if rng.random() < 0.25 else len(extras), by)
    text = ", ".join([f"{start} {subject}".strip(), *extras])
    return text.lower() if rng.random() < 0.05 else text


def _subject(scene, rng, kept, one_of):
    who = scene.sex if kept(0.96) else "person"
    if scene.age == "old" and kept(0.96):
        who = "old " + who
    bald = scene.hair == "bald"
    with_ = []
    if bald and kept():
        who = "bald " + who
    elif not bald and kept(0.96):
        length = {"short": one_of(("short ", "")), "long": "long ", "bun": ""}[scene.hair]
        colour = f"{scene.hair_colour} " if kept(0.97) else ""
        with_.append(f"{length}{colour}hair" + (" in a bun" if scene.hair == "bun" else ""))
    if scene.beard != "none" and kept(0.96):
        coloured = bald or rng.random() < 0.4
        with_.append(f"a {scene.hair_colour} {scene.beard}" if coloured else f"a {scene.beard}")
        if len(with_) > 1 and coloured and rng.random() < 0.4:
            with_.pop(0)  # the beard tells the colour of the hair
    if scene.glasses and kept(0.96):
        with_.append("glasses")
    if scene.hat and kept(0.96):
        with_.append("a hat")
    if len(with_) > 1 and rng.random() < 0.4:
        with_ = [with_[int(k)] for k in rng.permutation(len(with_))]
    who = ("an " if who.startswith("old") else "a ") + who
    if not with_:
        return who
    return f"{who} with " + (", ".join(with_[:-1]) + " and " + with_[-1] if len(with_) > 1 else with_[0])


def _artists(manner, setting, rng):
    name = MANNERS[manner].artist
    if manner == "duerer" and rng.random() < 0.5:
        name = "Albrecht Duerer"
    if rng.random() < 0.15:
        name = SURNAMES.get(manner, name.split()[-1])
    return f"{name} and {MANNERS[setting].artist}" if setting else name
