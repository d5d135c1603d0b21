#!/usr/bin/env bash
# Counts the instructions of a few commands under callgrind and compares them with counts.txt: tests/speed/count.sh [--accept]
#
# Counts do not depend on how busy the machine is, but on the compiler and the libraries of the system. valgrind has no
# AVX-512: the kernels run their AVX2 code.
set -euo pipefail
cd "$(dirname "$0")/../.."
tolerance=5 # per cent
counts="$PWD/tests/speed/counts.txt"
# The build of the tests: its kernels are optimised, and everything takes a minute or two under valgrind.
maquette="$(realpath "${MAQUETTE:-${CARGO_TARGET_DIR:-target}/debug/maquette}")"
compiler="$(rustc --version)"
if ! command -v valgrind >/dev/null; then
    echo "not run: the counts of instructions, which need valgrind (Debian: apt-get install valgrind)"
    exit 0
fi
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Nothing of this machine, and one thread.
export RAYON_NUM_THREADS=1 HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" MAQUETTE_RUNS="$folder/runs" MAQUETTE_DEVICE=cpu
cat >cells.toml <<END
prompt = "portrait of {artist}"
[sweep]
artist = ["Alphonse Mucha", "Vincent van Gogh", "Edvard Munch", "Gustav Klimt"]
steps = { from = 1, to = 5, step = 1 }
seed = { count = 50 }
END
cat >picture.toml <<END
prompt = "portrait of a woman, by Vincent van Gogh"
seed = 1
width = 64
height = 64
END
cat >sheet.toml <<END
prompt = "portrait of {artist}"
[sweep]
artist = ["Alphonse Mucha", "Vincent van Gogh"]
seed = { count = 5 }
END

# The instructions of a command, in thousands.
count() {
    local log
    log="$(mktemp -p "$folder")"
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$log" "$maquette" "$@" >/dev/null 2>"$log.err" || {
        cat "$log.err" >&2
        exit 1
    }
    awk '/Collected/ { printf "%d\n", $4 / 1000 }' "$log"
}

plan="$(count plan cells.toml)"
one="$(count run picture.toml --set steps=1 --no-sheets)"
three="$(count run picture.toml --set steps=3 --no-sheets)"
"$maquette" run sheet.toml --backend fake --no-sheets >/dev/null 2>&1
log="$(count run sheet.toml --backend fake --no-sheets)"
report="$(count report sheet@latest)"
cat >new.txt <<END
# Thousands of instructions. $compiler
plan-1000-cells $plan
load-one-step-decode $one
unet-step $(((three - one) / 2))
run-with-nothing-to-do-10-cells $log
report-10-cells $report
END
if [ "${1:-}" = --accept ]; then
    cp new.txt "$counts"
    cat "$counts"
    exit 0
fi
if [ -s "$counts" ] && [ "$(head -n 1 "$counts")" != "$(head -n 1 new.txt)" ]; then
    echo "not compared: the counts of instructions in tests/speed/counts.txt are those of another compiler; write new ones with: just count --accept"
    exit 0
fi
[ -s "$counts" ] || { echo "there is no tests/speed/counts.txt to compare with: just count --accept" >&2; exit 1; }
awk -v tolerance="$tolerance" '
    /^#/ { next }
    FILENAME == ARGV[1] { before[$1] = $2; next }
    {
        known = ($1 in before)
        change = known ? 100 * ($2 / before[$1] - 1) : 0
        wrong = !known || change > tolerance || change < -tolerance
        printf "%-34s %12d thousand instructions  %+6.1f %%%s\n", $1, $2, change, wrong ? "  <-- differs" : ""
        failed = failed || wrong
    }
    END {
        if (failed) print "more than " tolerance " % from tests/speed/counts.txt; if that is right: just count --accept"
        exit failed
    }' "$counts" new.txt
