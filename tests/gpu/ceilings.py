"""The card, the versions, and two ceilings measured through torch: a matrix product and a copy, on random data."""

import importlib.metadata
import shutil
import subprocess
import time

import kit
import torch


def main():
    args = kit.arguments(__doc__)
    args.add_argument("--side", type=int, default=8192, help="rows and columns of the matrices")
    args = args.parse_args()
    results = kit.Results("device", args)
    if shutil.which("nvidia-smi"):
        fields = "name,driver_version,memory.total,memory.used,clocks.sm,clocks.mem,clocks.max.sm,power.limit"
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
        results.add("card", note=subprocess.run(command, capture_output=True, text=True).stdout.strip())
    names = ("torch", "triton", "diffusers", "transformers", "safetensors", "numpy", "nvidia-cudnn-cu13")
    results.add("versions", note=", ".join(f"{name} {version(name)}" for name in names))
    for dtype in (torch.bfloat16, torch.float16):
        results.attempt(f"product in {dtype}", lambda: product(results, args, dtype))
    results.attempt("copy", lambda: copy(results, args))
    results.end()


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def product(results, args, dtype):
    one, other = (torch.randn(args.side, args.side, device=args.device).to(dtype) for _ in range(2))
    seconds = median(lambda: one @ other, args.device)
    name = str(dtype).removeprefix("torch.")
    results.add(f"{args.side}^3 product, {name}", round(2 * args.side**3 / seconds / 1e12, 3), "TFLOP/s", key=f"product {name}")


def copy(results, args):
    source = torch.randn(args.side, args.side * 8, device=args.device)
    target = torch.empty_like(source)
    seconds = median(lambda: target.copy_(source), args.device)
    moved = 2 * source.numel() * source.element_size()
    results.add(f"copy of {moved / 2e9:.2f} GB", round(moved / seconds / 1e12, 3), "TB/s", note="read and written", key="copy")


def median(call, device, warm=3, times=20):
    """Seconds of a call: the median, each measured to its end."""
    return medians(call, device, warm, times)[0]


def medians(call, device, warm=3, times=20):
    """The median and the least of the seconds of a call."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    for _ in range(warm):
        call()
    seconds = []
    for _ in range(times):
        wait()
        begin = time.perf_counter()
        call()
        wait()
        seconds.append(time.perf_counter() - begin)
    seconds.sort()
    return seconds[len(seconds) // 2], seconds[0]


if __name__ == "__main__":
    main()
