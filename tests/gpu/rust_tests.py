"""Runs a test executable with --nocapture and keeps what it reports: rust_tests.py PART EXECUTABLE.

Every line goes to stdout; the harness's summary, failures, and what tests print themselves go into the results too.
"""

import re
import subprocess

import kit

HARNESS = re.compile(r"^(running \d+ tests?|test .* \.\.\. (ok|ignored)?|failures:|\s*|note: run with .*)$")
LINES = 60


def main():
    parser = kit.arguments(__doc__)
    parser.add_argument("part")
    parser.add_argument("executable")
    args = parser.parse_args()
    results = kit.Results(args.part, args)
    command = [args.executable, "--nocapture", "--test-threads=1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    kept = 0
    for line in process.stdout:
        line = line.rstrip()
        print(line, flush=True)
        said = re.sub(r"^test \S+ \.\.\. ", "", line)
        summary = said.startswith("test result:")
        if summary or (kept < LINES and said not in ("ok", "ignored") and not HARNESS.match(line)):
            results.add(said[:200], ok=said.startswith("test result: ok") if summary else None)
            kept += 1
    if process.wait() != 0:
        results.add(f"exit code {process.returncode}", ok=False)
    results.end()


if __name__ == "__main__":
    main()
