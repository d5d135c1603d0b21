"""Sizes and batches that need care on a card: 1.5 and 2 times the model's size, 32 rows, schedulers mixed in one batch."""

import kit
import numpy
import runs

SCHEDULERS = ["pndm", "ddim", "ddpm", "euler", "euler_a", "heun", "dpmpp_2m", "unipc"]


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--dtype", default="f16")
    args = parser.parse_args()
    results = kit.Results("sizes", args)
    size = kit.native(args.model)
    for times, steps in ((1.5, 2), (2, 2)):
        side = int(size * times)
        render(results, args, f"{side}x{side}", width=side, height=side, steps=steps)
    render(results, args, f"{size}x{size}, 32 rows", "--rows", "32", seed=list(range(16)), steps=2)
    mixed = {"scheduler": SCHEDULERS, "steps": 4, "seed": 3}
    together = render(results, args, "mixed schedulers, 16 rows", "--rows", "16", **mixed)
    alone = render(results, args, "mixed schedulers, 2 rows", "--rows", "2", runs_folder="alone", **mixed)
    compare(results, together, alone)
    results.end()


def render(results, args, name, *arguments, runs_folder="runs", **settings):
    file = kit.experiment(args.work / f"{name.replace(' ', '-').replace(',', '')}.toml", args.model, guidance_scale=7.5, **settings)
    options = ("--device", args.device, "--dtype", args.dtype, "--no-sheets", *arguments)
    with kit.Peak() as peak:
        run = runs.run(args.maquette, file, args.work / "sizes" / runs_folder, *options)
    done = [cell for cell in run.cells if cell["status"] == "done"]
    flat = [cell for cell in done if numpy.asarray(runs.picture(cell["path"])).std() < 1]
    notes = [f"{len(done)} of {len(run.cells)} cells"]
    notes += [f"peak {peak.gigabytes} GB"] if peak.gigabytes is not None else []
    notes += [f"{len(flat)} pictures of one colour"] if flat else []
    notes += sorted({cell["error"][:200] for cell in run.failed}) + run.warnings()[:3]
    notes += [run.messages[-300:]] if not run.cells else []
    ok = run.code == 0 and bool(done) and not flat
    results.add(name, round(run.seconds, 1), "s", ok=ok, note="; ".join(notes))
    return run


def compare(results, together, alone):
    """The same cells, in one batch and each in a call of its own."""
    expected = {cell["cell"]: cell for cell in alone.cells if cell["status"] == "done"}
    pairs = [(expected[cell["cell"]], cell) for cell in together.cells if cell["cell"] in expected and cell["status"] == "done"]
    if not pairs:
        return
    differences = [runs.difference(runs.picture(one["path"]), runs.picture(other["path"])) for one, other in pairs]
    worst = max(differences, key=lambda difference: difference.mean)
    results.add("16 rows against 2 rows, worst mean", round(worst.mean, 3), "levels", ok=worst.mean <= 3, note=str(worst))


if __name__ == "__main__":
    main()
