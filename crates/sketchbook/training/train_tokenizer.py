"""Trains the tokenizer: byte-pair encoding in CLIP's format, with 2,048 entries instead of 49,408.

CLIP's own table would fill the whole weights budget with rows that no caption here ever trains. The words come from our captions
(weighed most), from words prompts usually hold, and from the documentation of Python's standard library, which stands for English
at large. Any text still encodes: what is unknown falls apart into bytes. The English words also serve as distractors, put into
captions so that words without a meaning for a portrait are learnt as noise.

    python train_tokenizer.py --out .work
"""

import argparse
import collections
import importlib
import json
import pydoc
import re
from pathlib import Path

import numpy as np

from captions import caption
from draw_dataset import pick_manner
from models import TOKENS, VOCABULARY
from scene import sample_scene

START, END = "<|startoftext|>", "<|endoftext|>"
WORD = re.compile(r"[^\W\d_]+|\d|[^\s\w]+|_+")
MODULES = """argparse ast asyncio calendar collections csv datetime decimal difflib email fractions http io json logging os pathlib
random re statistics string subprocess sys textwrap tkinter turtle typing unittest""".split()
PROMPT_WORDS = """painting oil canvas watercolor sketch drawing illustration art nouveau impressionism expressionism highly detailed
intricate concept trending digital sharp focus light lighting beautiful young old smiling elegant vintage poster cover colorful dark
soft warm cold face head eyes nose mouth background foreground leaves leaf tree forest garden flower flowers mountain river ocean wave
waves city street house room sky sun moon star stars cloud snow rain summer winter spring autumn style artist century masterpiece
engine render cinematic photo selfie realistic film camera lens wallpaper alphonse mucha vincent van gogh edvard munch katsushika
hokusai gustav klimt georges seurat albrecht duerer durer dürer rembrandt rijn piet mondrian pablo picasso claude monet salvador dali
frida kahlo leonardo vinci michelangelo raphael vermeer johannes caravaggio turner cezanne gauguin matisse kandinsky wassily warhol
andy queen king girl boy child man woman person people cat dog horse bird hat shirt dress coat scarf beard bearded moustache glasses
hair bald black white red blue green yellow brown blond blonde grey gray purple orange pink gold silver long short curly straight bun
monstera blurry ugly deformed low quality text watermark signature frame""".split()


def english_words():
    """How often words of 3 to 12 letters occur in the documentation of Python's standard library."""
    text = " ".join(pydoc.render_doc(importlib.import_module(name), renderer=pydoc.plaintext) for name in MODULES)
    return collections.Counter(word for word in re.findall(r"[a-z]+", text.lower()) if 2 < len(word) < 13)


def count_words(english, seed=0):
    counts = collections.Counter()
    rng = np.random.default_rng(seed)
    for _ in range(4000):
        scene = sample_scene(rng)
        manner = ("photo", None) if rng.random() < 0.2 else pick_manner(rng)
        counts.update(WORD.findall(caption(scene, *manner, rng).lower()))
    counts.update({word: 60 for word in PROMPT_WORDS})
    for word, count in english.items():
        counts[word] += min(count, 40) // 2
    return counts


def byte_letters():
    """The printable letter that stands for each byte, as in GPT-2's and CLIP's tables."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    return {byte: letters[byte] for byte in plain + others}


def learn_merges(counts, letters, wanted):
    """The most frequent pairs, merged one after another; ties go to the later pair in the alphabet."""
    words = {}
    for word, count in sorted(counts.items()):
        pieces = [letters[byte] for byte in word.encode()]
        words[(*pieces[:-1], pieces[-1] + "</w>")] = count
    merges = []
    while len(merges) < wanted:
        pairs = collections.Counter()
        for pieces, count in words.items():
            for pair in zip(pieces, pieces[1:], strict=False):
                pairs[pair] += count
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {_merge(pieces, best): count for pieces, count in words.items()}
    return merges


def _merge(pieces, pair):
    merged, k = [], 0
    while k < len(pieces):
        if pieces[k : k + 2] == pair:
            merged.append(pieces[k] + pieces[k + 1])
            k += 2
        else:
            merged.append(pieces[k])
            k += 1
    return tuple(merged)


def train_tokenizer(out):
    """Writes `out`/tokenizer and `out`/distractors.json."""
    english = english_words()
    letters = byte_letters()
    alphabet = [*letters.values(), *(letter + "</w>" for letter in letters.values())]
    merges = learn_merges(count_words(english), letters, VOCABULARY - len(alphabet) - 2)
    vocabulary = [*alphabet, *(a + b for a, b in merges), START, END]
    folder = Path(out) / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "vocab.json", {token: k for k, token in enumerate(vocabulary)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    special = dict(bos_token=START, eos_token=END, unk_token=END, pad_token=END)
    _write(folder / "special_tokens_map.json", special)
    config = dict(tokenizer_class="CLIPTokenizer", model_max_length=TOKENS, add_prefix_space=False, do_lower_case=True, errors="replace")
    _write(folder / "tokenizer_config.json", config | special)
    _write(Path(out) / "distractors.json", [word for word, _ in english.most_common(1500)])
    print(f"tokenizer: {len(vocabulary)} entries, {len(merges)} merges")


def _write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=None if len(value) > 100 else 2) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=".work")
    train_tokenizer(parser.parse_args().out)


if __name__ == "__main__":
    main()
