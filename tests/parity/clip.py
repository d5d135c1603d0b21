"""CLIP's tokenizer files, made from the merges that open_clip_torch carries.

    python3 tests/parity/clip.py open_clip_torch-3.3.0-py3-none-any.whl FOLDER

Needs nothing but Python itself: the list is read from the wheel, or from the installed package.
"""

import gzip
import json
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

MERGES = "bpe_simple_vocab_16e6.txt.gz"


def main():
    wheel, folder = sys.argv[1:]
    write(Path(folder), zipfile.ZipFile(wheel).read(f"open_clip/{MERGES}"))


def installed():
    """The list of the installed package, which is not imported."""
    return (Path(find_spec("open_clip").submodule_search_locations[0]) / MERGES).read_bytes()


def write(folder, merges):
    """Writes vocab.json and merges.txt, of the 48,894 merges that CLIP uses."""
    lines = gzip.decompress(merges).decode().split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    words = [*letters, *(letter + "</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = json.dumps({word: i for i, word in enumerate(words)}, ensure_ascii=False)
    (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
