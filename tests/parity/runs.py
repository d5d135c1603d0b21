"""Runs Maquette, reads what a run wrote, and compares pictures. Needs numpy and pillow, not torch."""

import csv
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import numpy
from PIL import Image


class Run(NamedTuple):
    code: int
    """The exit code."""
    seconds: float
    """Wall clock, from the start of the process to its end."""
    cells: list
    """The last row of each cell in the log, with the picture's path under `path`."""
    messages: str
    """What it wrote to stderr."""
    folder: Path | None
    """The run's folder, if it got that far."""

    @property
    def failed(self):
        return [cell for cell in self.cells if cell["status"] != "done"]

    def warnings(self):
        """Messages that are neither progress nor notes on loading."""
        lines = [line.strip() for line in self.messages.splitlines()]
        return [line for line in lines if any(word in line for word in ("memory", "warning", "error", "failed:"))]


def run(maquette, experiment, runs, *arguments):
    """Runs an experiment file: `maquette run EXPERIMENT --runs RUNS ARGUMENTS`."""
    command = [maquette, "run", experiment, "--runs", runs, "--progress", "plain", *arguments]
    begin = time.time()
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    seconds = time.time() - begin
    logs = [Path(line) for line in ended.stdout.splitlines() if line.endswith("log.csv")]
    if not logs:
        return Run(ended.returncode, seconds, [], ended.stderr, None)
    with logs[0].open(newline="") as file:
        cells = {row["cell"]: row for row in csv.DictReader(file)}
    for row in cells.values():
        row["path"] = logs[0].parent / row["image"]
    return Run(ended.returncode, seconds, list(cells.values()), ended.stderr, logs[0].parent)


def picture(path):
    return Image.open(path).convert("RGB")


class Difference(NamedTuple):
    largest: int
    """In levels of 255."""
    mean: float
    """Of the absolute differences, in levels."""
    share: float
    """Of the levels that differ at all, 0 to 1."""
    psnr: float
    """In dB; infinite for equal pictures."""

    def __str__(self):
        return f"largest {self.largest} of 255, mean {self.mean:.3f}, {100 * self.share:.2f} % differ, PSNR {self.psnr:.1f} dB"


def difference(one, other):
    """How two pictures of one size differ."""
    one, other = (numpy.asarray(image, dtype=numpy.int32) for image in (one, other))
    distance = numpy.abs(one - other)
    error = float((distance**2).mean())
    psnr = float("inf") if error == 0 else float(10 * numpy.log10(255**2 / error))
    return Difference(int(distance.max()), float(distance.mean()), float((distance > 0).mean()), psnr)
