"""What the scripts of the kit share: their arguments, results as JSON lines, peak memory of the card."""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The kit's folder, or the repository's."""

sys.path.insert(0, str(ROOT / "tests/parity"))

PROMPT = "portrait of a bearded man among monstera leaves, by Alphonse Mucha"


def arguments(description, **defaults):
    """A parser with the options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--out", type=Path, required=True, help="folder of results.jsonl and of pictures to keep")
    parser.add_argument("--work", type=Path, required=True, help="folder for everything else")
    parser.add_argument("--model", type=Path, help="a model folder in diffusers' layout")
    parser.add_argument("--maquette", default=ROOT / "maquette", help="the program")
    parser.set_defaults(**defaults)
    return parser


class Results:
    """Appends lines to results.jsonl and prints them. `failed` is true once a check has failed."""

    def __init__(self, part, args):
        self.part, self.file, self.failed = part, args.out / "results.jsonl", False
        args.work.mkdir(parents=True, exist_ok=True)

    def add(self, name, value=None, unit="", ok=None, note="", key=None):
        """One result. `ok` is for checks; `key` names a value for the ratios in the table."""
        self.failed |= ok is False
        line = {"part": self.part, "name": name, "value": value, "unit": unit, "ok": ok, "note": note, "key": key}
        line = {field: content for field, content in line.items() if content not in (None, "")}
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def attempt(self, name, call):
        """Calls; an exception is a failed result, so that the next ones are still tried."""
        try:
            return call()
        except Exception as error:
            traceback.print_exc()
            self.add(name, ok=False, note=f"{type(error).__name__}: {error}"[:400])
            return None

    def end(self):
        sys.exit(int(self.failed))


def native(model):
    """The width in pixels of the pictures that the model was trained on."""
    unet = json.loads((model / "unet/config.json").read_text())
    vae = json.loads((model / "vae/config.json").read_text())
    factor = 2 ** (len(vae["block_out_channels"]) - 1)
    return unet["sample_size"] * factor


def experiment(file, model, **settings):
    """Writes an experiment file of one cell; settings that are lists are swept over."""
    swept = {name: value for name, value in settings.items() if isinstance(value, (list, dict))}
    fixed = {"model": str(model.resolve()), "prompt": PROMPT} | settings
    lines = [f"{name} = {toml(value)}" for name, value in fixed.items() if name not in swept]
    lines += ["[sweep]", *(f"{name} = {toml(value)}" for name, value in swept.items())] if swept else []
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)


class Peak:
    """`with Peak() as peak:` polls the card's used memory; afterwards `peak.gigabytes` is the most above the beginning.

    None without an NVIDIA card. Counts all processes, so others must not allocate meanwhile.
    """

    def __enter__(self):
        self.gigabytes, self.stop = None, threading.Event()
        self.thread = None
        if shutil.which("nvidia-smi"):
            self.before = self.most = used()
            self.thread = threading.Thread(target=self.poll, daemon=True)
            self.thread.start()
        return self

    def poll(self):
        while not self.stop.is_set():
            self.most = max(self.most, used())
            time.sleep(0.05)

    def __exit__(self, *_):
        if self.thread:
            self.stop.set()
            self.thread.join()
            self.gigabytes = round((self.most - self.before) / 1024, 2)


def used():
    """MiB in use on the first card."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(command, capture_output=True, text=True).stdout.split()[0])
