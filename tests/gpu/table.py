"""Prints results.jsonl as a table: table.py FOLDER [PART]. Without a part also the ratios and how each part ended."""

import json
import sys
from pathlib import Path

RATIOS = [
    ("UNet, 2 rows: diffusers compiled / maquette", "diffusers compiled unet 2 rows", "maquette unet 2 f16"),
    ("UNet, 16 rows: diffusers compiled / maquette", "diffusers compiled unet 16 rows", "maquette unet 16 f16"),
    ("UNet, 2 rows: diffusers eager / maquette", "diffusers eager unet 2 rows", "maquette unet 2 f16"),
    ("UNet, 16 rows: diffusers eager / maquette", "diffusers eager unet 16 rows", "maquette unet 16 f16"),
    ("VAE decode: diffusers compiled / maquette", "diffusers compiled vae decode 1 rows", "maquette vae decode 1 f16"),
    ("picture: diffusers compiled, one at a time / 64-cell sweep", "diffusers compiled pictures 1", "maquette wall 64"),
    ("picture: diffusers compiled, batch 8 / 64-cell sweep", "diffusers compiled pictures 8", "maquette wall 64"),
    ("picture: diffusers eager, one at a time / 64-cell sweep", "diffusers eager pictures 1", "maquette wall 64"),
    ("picture: diffusers eager, batch 8 / 64-cell sweep", "diffusers eager pictures 8", "maquette wall 64"),
    ("picture: diffusers compiled, one at a time / 16-cell sweep", "diffusers compiled pictures 1", "maquette wall 16"),
    ("picture: diffusers compiled, batch 8 / 16-cell sweep", "diffusers compiled pictures 8", "maquette wall 16"),
    ("picture: diffusers eager, one at a time / 16-cell sweep", "diffusers eager pictures 1", "maquette wall 16"),
]
"""Above 1: Maquette is faster."""

ROWS, WIDTH = 24, 170
"""Of a part in the table; of a note."""

STEP_FLOPS = 1.607e12
"""Of the UNet of Stable Diffusion v1 for two rows of 64x64 latents."""


def main():
    folder, part = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    file = folder / "results.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if part:
        return print("\n".join(rows(lines, part)))
    parts = list(dict.fromkeys(line["part"] for line in lines))
    for name in parts:
        ends = [f"{line['status']}, {line['seconds']} s" for line in lines if line["part"] == name and "status" in line]
        print(f"\n== {name}: {'; '.join(ends) or 'did not end'}")
        print("\n".join(rows(lines, name)))
    values = {line["key"]: line["value"] for line in lines if line.get("value") and "key" in line}
    print("\n== ratios (above 1: Maquette is faster)")
    for name, theirs, ours in RATIOS:
        if theirs in values and ours in values:
            print(f"{name:66} {values[theirs] / values[ours]:.2f}")
    for key, value in values.items():
        words = key.split()
        if words[:2] == ["maquette", "unet"] and words[3:] == ["f16"] and "product float16" in values:
            batch = int(words[2])
            share = batch / 2 * STEP_FLOPS / (value / 1e3) / 1e12 / values["product float16"]
            print(f"{key}: {batch / 2 * 1e3 / value:.1f} guided steps/s, {100 * share:.0f} % of the matrix product")
    failed = [line for line in lines if line.get("ok") is False or line.get("status", "ok") != "ok"]
    print(f"\n{len(failed)} of {len(lines)} lines are failures" + "".join(f"\n  {line['part']}: {line.get('name', line.get('status'))}" for line in failed))


def rows(lines, part):
    """A part's results; of very many, failures and the first others."""
    lines = [line for line in lines if line["part"] == part and "status" not in line]
    shown = [line for number, line in enumerate(lines) if number < ROWS or line.get("ok") is not None]
    return [*map(row, shown), *([f"... and {len(lines) - len(shown)} more in results.jsonl"] if len(shown) < len(lines) else [])]


def row(line):
    value = "" if "value" not in line else f"{line['value']} {line.get('unit', '')}"
    state = {True: "ok", False: "FAILS", None: ""}[line.get("ok")]
    return f"{line['name'][:120]:44} {value:22} {state:5} {line.get('note', '')[:WIDTH]}".rstrip()


if __name__ == "__main__":
    main()
