"""Whole sweeps by Maquette: wall clock from the start of the process to its end, with loading and writing of pictures."""

import kit
import runs


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--cells", default="16,64", help="numbers of cells, each a sweep; multiples of 4")
    parser.add_argument("--dtype", default="f16")
    args = parser.parse_args()
    results = kit.Results("sweep", args)
    for number, cells in enumerate(int(cells) for cells in args.cells.split(",")):
        results.attempt(f"{cells} cells", lambda: sweep(results, args, number, cells))
    results.end()


def sweep(results, args, number, cells):
    """Four guidance scales by as many seeds as it takes. The first run also computes the digest of the model's files."""
    seeds = {"count": cells // 4, "from": 1000 * (number + 1)}
    settings = {"steps": args.steps, "scheduler": "pndm", "negative_prompt": "blurry, low quality"}
    file = kit.experiment(args.work / f"sweep-{cells}.toml", args.model, **settings, guidance_scale=[5, 7, 9, 11], seed=seeds)
    options = ("--device", args.device, "--dtype", args.dtype, "--rows", str(args.rows), "--no-sheets")
    with kit.Peak() as peak:
        run = runs.run(args.maquette, file, args.work / "sweep", *options)
    done = len(run.cells) - len(run.failed)
    rendering = sum(float(cell["seconds"] or 0) for cell in run.cells)
    memory = f", peak {peak.gigabytes} GB" if peak.gigabytes is not None else ""
    name = f"{cells} cells of {args.steps} steps, {args.rows} rows"
    ok = run.code == 0 and done == cells
    note = f"{done} done{memory}" + "".join(f"; {line}" for line in run.warnings()[:3])
    results.add(name, round(run.seconds, 2), "s of wall clock", ok=ok, note=note)
    if done:
        results.add(f"{name}, wall clock", round(run.seconds / done, 4), "s per picture", key=f"maquette wall {cells}")
        results.add(f"{name}, in the log", round(rendering / done, 4), "s per picture", key=f"maquette log {cells}")


if __name__ == "__main__":
    main()
