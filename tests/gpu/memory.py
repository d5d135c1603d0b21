"""Out of memory: another process takes nearly all of the card, then Maquette renders with far more rows than fit.

It has to halve the rows, say so, and finish every cell. `--hold` is the process that takes the memory.
"""

import subprocess
import sys

import kit
import runs


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--leave", type=float, default=6, help="GB left free; the weights take 2.1 of it")
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--dtype", default="f16")
    parser.add_argument("--hold", action="store_true")
    args = parser.parse_args()
    if args.hold:
        return hold(args)
    results = kit.Results("memory", args)
    script = [sys.executable, __file__, "--hold", "--out", args.out, "--work", args.work, "--leave", str(args.leave)]
    holder = subprocess.Popen([str(word) for word in [*script, "--device", args.device]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        print(holder.stdout.readline().strip(), flush=True)
        crowded(results, args)
    finally:
        holder.stdin.close()
        holder.wait()
    results.end()


def crowded(results, args):
    rows = 2 * args.cells
    seeds = {"count": args.cells, "from": 100}
    file = kit.experiment(args.work / "crowded.toml", args.model, guidance_scale=7.5, steps=1, seed=seeds)
    options = ("--device", args.device, "--dtype", args.dtype, "--no-sheets", "--rows", str(rows))
    run = runs.run(args.maquette, file, args.work / "memory", *options)
    done = len(run.cells) - len(run.failed)
    warnings = run.warnings()
    on_a_card = args.device != "cpu"
    warned = any("from now on" in line for line in warnings)
    ok = run.code == 0 and done == args.cells and warned == on_a_card
    errors = sorted({cell["error"][:200] for cell in run.failed})
    note = "; ".join([f"{done} of {args.cells} cells", *warnings[:6], *errors[:2], *([] if run.cells else [run.messages[-300:]])])
    results.add(f"{rows} rows with {args.leave:g} GB free", round(run.seconds, 1), "s", ok=ok, note=note)


def hold(args):
    import torch

    blocks = []
    if args.device != "cpu":
        while torch.cuda.mem_get_info()[0] > (args.leave + 0.5) * 1e9:
            blocks.append(torch.empty(500_000_000, dtype=torch.uint8, device=args.device))
        print(f"holding {len(blocks) / 2} GB, {torch.cuda.mem_get_info()[0] / 1e9:.1f} GB free", flush=True)
    else:
        print("nothing to hold on the CPU", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
