"""Maquette's own bench on the card: UNet calls by rows, VAE decode, text encoder; and the peak memory of each precision."""

import json
import re
import subprocess

import kit

LINE = re.compile(r"^(?P<name>.+?)(?:, (?P<rows>\d+) \w+)?: (?P<median>[0-9.]+) ms \(least (?P<least>[0-9.]+)")


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("--speed", default=kit.ROOT / "speed", help="the bench's executable")
    parser.add_argument("--dtypes", default="f16,bf16")
    parser.add_argument("--rows", default="2,4,8,16,32")
    args = parser.parse_args()
    results = kit.Results("speed", args)
    for dtype in args.dtypes.split(","):
        # Half of the rows in the second precision: it is there to be compared.
        rows = args.rows if dtype == args.dtypes.split(",")[0] else "2,16"
        results.attempt(f"bench, {dtype}", lambda: bench(results, args, dtype, rows))
    results.end()


def bench(results, args, dtype, rows):
    command = [args.speed, args.model, "--device", args.device, "--dtype", dtype, "--rows", rows, "--json"]
    with kit.Peak() as peak:
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = 0
        for line in process.stdout:
            found += one(results, dtype, line.strip())
        code = process.wait()
    results.add(f"bench, {dtype}", peak.gigabytes, "GB at the peak", ok=code == 0 and found > 0, note=f"exit code {code}")


def one(results, dtype, line):
    """A line of the bench: a JSON object, or text."""
    if line.startswith("{"):
        fields = json.loads(line)
        name, rows = fields["name"], fields.get("rows")
        if "error" in fields:
            results.add(f"{name}, {rows} rows, {dtype}", ok=False, note=fields["error"])
            return 1
        median, least = fields["median_ms"], fields["least_ms"]
    elif text := LINE.match(line):
        name, rows = text["name"], text["rows"]
        median, least = float(text["median"]), float(text["least"])
    else:
        print(line, flush=True)
        return 0
    name = name.split(",")[0]
    words = [name, *([str(rows)] if rows else []), dtype]
    title = ", ".join([name, *([f"{rows} rows"] if rows else []), dtype])
    results.add(title, round(median, 2), "ms", note=f"least {least:.2f}", key=f"maquette {' '.join(words).lower()}")
    return 1


if __name__ == "__main__":
    main()
