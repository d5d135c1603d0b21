#!/usr/bin/env python3
"""Builds fallback.ttc.zz: fonts for the characters that IBM Plex Sans lacks, as one zlib-compressed TrueType collection.

For developers; the build does not run it. On Debian 12 with `npm` and `pip install fonttools==4.68.0 brotli==1.2.1`:

    python3 make.py

It downloads the packages named in PACKAGES and EMOJI into a temporary folder. Each font keeps the characters that no font
before it has, and those of its own script; hints and glyph names are removed. README.md lists the fonts.
"""

import glob
import io
import os
import subprocess
import tempfile
import unicodedata
import zlib

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = [
    "fonts-noto-core=20201225-1",
    "fonts-droid-fallback=1:6.0.1r16-1.1",
    "fonts-unifont=1:15.0.01-2",
]
EMOJI = "@fontsource/noto-emoji@5.3.2"

NOTO = "usr/share/fonts/truetype/noto/{}-Regular.ttf"
# Scripts in everyday use, whose letters must be joined, stacked or reordered, or are read in running text.
SCRIPTS = [
    "NotoSansArabic", "NotoSansHebrew", "NotoSansSyriac", "NotoSansThaana", "NotoSansNKo", "NotoSansAdlam",
    "NotoSansDevanagari", "NotoSansBengali", "NotoSansGurmukhi", "NotoSansGujarati", "NotoSansOriya",
    "NotoSansTamil", "NotoSansTelugu", "NotoSansKannada", "NotoSansMalayalam", "NotoSansSinhala",
    "NotoSansThai", "NotoSansLao", "NotoSansMyanmar", "NotoSansKhmer", "NotoSerifTibetan", "NotoSansMongolian",
    "NotoSansJavanese", "NotoSansBalinese", "NotoSansSundanese", "NotoSansOlChiki", "NotoSansMeeteiMayek",
    "NotoSansArmenian", "NotoSansGeorgian", "NotoSansEthiopic", "NotoSansTifinagh", "NotoSansVai",
    "NotoSansCherokee", "NotoSansCanadianAboriginal", "NotoSansYi", "NotoSansLisu",
]
SYMBOLS = ["NotoSansMath", "NotoSansSymbols", "NotoSansSymbols2"]
HAN = "usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf"
UNIFONT = ["usr/share/fonts/opentype/unifont/unifont.otf", "usr/share/fonts/opentype/unifont/unifont_upper.otf"]

# Every font needs a space, joiners, and the dotted circle for a mark without a letter.
ALWAYS = {0x20, 0xA0, 0x200C, 0x200D, 0x25CC}
# Parts of emoji such as 1️⃣.
KEYCAPS = {ord(key) for key in "0123456789#*\ufe0f\u20e3"}


def fetch(folder):
    """Unpacks all packages into a folder."""
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
    for archive in glob.glob(os.path.join(folder, "*.deb")):
        subprocess.run(["dpkg", "-x", archive, folder], check=True)
    subprocess.run(["npm", "pack", "--silent", EMOJI], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for archive in glob.glob(os.path.join(folder, "*.tgz")):
        subprocess.run(["tar", "xzf", archive, "-C", folder], check=True)


def shrink(font, characters):
    """Reduces a font to the glyphs of some characters and the layout rules for them."""
    options = subset.Options()
    options.hinting = False
    options.layout_features = ["*"]
    options.glyph_names = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 6, 13, 14]
    options.drop_tables += ["BASE", "STAT", "VORG", "gasp", "vhea", "vmtx"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)


def align(font):
    """Gives a font the line height of IBM Plex Sans, so that the baseline is at the same place in every script."""
    unit = font["head"].unitsPerEm
    ascent, descent = round(1.025 * unit), round(-0.275 * unit)
    hhea, os2 = font["hhea"], font["OS/2"]
    hhea.ascent, hhea.descent, hhea.lineGap = ascent, descent, 0
    os2.sTypoAscender, os2.sTypoDescender, os2.sTypoLineGap = ascent, descent, 0
    os2.usWinAscent, os2.usWinDescent = ascent, -descent


def plex():
    """The characters of both weights of IBM Plex Sans."""
    of = lambda weight: TTFont(os.path.join(HERE, f"IBMPlexSans-{weight}.ttf")).getBestCmap()
    return set(of("Regular")) & set(of("SemiBold"))


def main():
    covered = plex()
    letters = {c for c in covered if not unicodedata.combining(chr(c))}
    fonts = []
    with tempfile.TemporaryDirectory() as folder:
        fetch(folder)

        def add(path, own, also=frozenset()):
            font = TTFont(os.path.join(folder, path), recalcTimestamp=False)
            font.flavor = None
            has = set(font.getBestCmap())
            keep = has & (ALWAYS | also) | has - covered
            if own:
                # Even if earlier fonts have them: marks must come from the same font as their letters.
                keep |= {c for c in has if c > 0x2FF} - letters
            keep.discard(0)
            new = keep - covered
            shrink(font, keep)
            align(font)
            covered.update(keep)
            size = io.BytesIO()
            font.save(size)
            packed = len(zlib.compress(size.getvalue(), 9))
            print(f"{packed:9,} of {len(size.getvalue()):9,} bytes, {len(new):6,} characters  {os.path.basename(path)}")
            fonts.append(font)

        # Completely, because a letter and its marks must come from one font, and Plex lacks many marks.
        add(NOTO.format("NotoSans"), own=False, also=set(range(0x110000)))
        add("package/files/noto-emoji-emoji-400-normal.woff2", own=False, also=KEYCAPS)
        for name in SYMBOLS:
            add(NOTO.format(name), own=False)
        # Before the scripts, of which Mongolian and Yi have ideographic punctuation too.
        add(HAN, own=False)
        for name in SCRIPTS:
            add(NOTO.format(name), own=True)
        for path in UNIFONT:
            add(path, own=False)

        collection = TTCollection()
        collection.fonts = fonts
        whole = io.BytesIO()
        collection.save(whole, shareTables=True)

    packed = zlib.compress(whole.getvalue(), 9)
    with open(os.path.join(HERE, "fallback.ttc.zz"), "wb") as file:
        file.write(packed)
    print(f"{len(packed):,} of {len(whole.getvalue()):,} bytes, {len(fonts)} fonts, {len(covered):,} characters with Plex")
    assigned = {c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cc", "Cs", "Co")}
    lacking = sorted(assigned - covered)
    print(f"{len(lacking):,} of {len(assigned):,} characters of Unicode {unicodedata.unidata_version} are in no font:")
    blocks = {}
    for c in lacking:
        blocks.setdefault(unicodedata.name(chr(c), "?").split(" ")[0] + f" {c >> 12:x}", []).append(c)
    for name, those in sorted(blocks.items(), key=lambda item: -len(item[1]))[:24]:
        print(f"  {len(those):6,}  {name}000  from U+{those[0]:04X}")


if __name__ == "__main__":
    main()
