"""experiments/mucha.toml with the bundled model on the GPU, in f32 and in the default precision, against f32 on the CPU."""

import shutil

import kit
import runs

TOLERANCE = {"f32": 0.01, "f16": 0.5, "bf16": 5.0}
"""Mean difference of a picture in levels of 255 that is agreement: some times what was measured on an H100."""


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--experiment", default=kit.ROOT / "experiments/mucha.toml")
    args = parser.parse_args()
    results = kit.Results("mucha", args)
    reference = render(results, args, "CPU, f32", "cpu", "--dtype", "f32")
    for name, precision in (("f32", ["--dtype", "f32"]), ("default", [])):
        found = render(results, args, f"{args.device}, {name}", args.device, *precision)
        compare(results, reference, found)
    sheets = sorted((found.folder / "sheets").glob("*.png")) if found.folder else []
    if sheets:
        shutil.copy(sheets[0], args.out / "mucha.png")
    results.end()


def render(results, args, name, device, *arguments):
    # A folder of runs for each, so that no picture is reused.
    folder = args.work / "mucha" / name.replace(", ", "-")
    run = runs.run(args.maquette, args.experiment, folder, "--device", device, *arguments)
    done = len(run.cells) - len(run.failed)
    note = f"{done} of {len(run.cells)} cells" + "".join(f"; {line}" for line in run.warnings()[:3])
    results.add(name, round(run.seconds, 2), "s", ok=run.code == 0 and done > 0, note=note)
    return run


def compare(results, reference, found):
    """Cell by cell: the same prompt, strength and seed."""
    expected = {coordinates(cell): cell for cell in reference.cells}
    differences = []
    for cell in found.cells:
        other = expected.get(coordinates(cell))
        if other and cell["status"] == other["status"] == "done":
            differences.append(runs.difference(runs.picture(other["path"]), runs.picture(cell["path"])))
    if not differences:
        return results.add("no cells to compare", ok=False)
    dtype = found.cells[0]["dtype"]
    differences.sort(key=lambda difference: difference.mean)
    middle, worst = differences[len(differences) // 2], differences[-1]
    largest = max(difference.largest for difference in differences)
    note = f"median mean {middle.mean:.4f}; worst: {worst}; largest in any {largest}; allowed mean {TOLERANCE[dtype]}"
    results.add(f"{dtype} against CPU, worst mean", round(worst.mean, 4), "levels", ok=worst.mean <= TOLERANCE[dtype], note=note)


def coordinates(cell):
    return cell["prompt"], cell["strength"], cell["seed"]


if __name__ == "__main__":
    main()
