#!/usr/bin/env bash
# Checks and measures Maquette on an NVIDIA card, in one call of at most 520 seconds: tests/gpu/run.sh OUT [PART ...]
#
# Runs from an unpacked kit (just gpu-kit) and needs no network, no Rust and no diffusers: only a driver, CUDA's libraries, and
# a python3 with torch, transformers, safetensors, numpy and pillow. Without names every part is run:
#   device     the card, versions, the two ceilings (matrix product, copy)
#   weights    a full-size model of random weights; made for every part that needs it
#   kernels    the tests of the kernels
#   fixtures   the tests of the engine: pictures of small models
#   mucha      experiments/mucha.toml on the card against the CPU
#   parity     a full-size picture against diffusers on the same card
#   sizes      large pictures, many rows, mixed schedulers
#   memory     out of memory: rows are halved, every cell is finished
#   speed      UNet, VAE and text encoder alone
#   diffusers  the same of diffusers, eager and compiled; compiles in the background from the start
#   sweep      whole sweeps by the wall clock
# A part that fails or takes too long does not stop the others. OUT gets results.jsonl, table.txt (also the end of stdout), parts.log,
# diffusers.log, mucha.png and parity.png. The exit code is 1 if any part failed.
#
# KIT_KEEP=1 keeps the model and the compilers' caches for the next call. KIT_SECONDS, KIT_WORK (needs 4 GB), KIT_PYTHON, KIT_DEVICE,
# KIT_MODEL and KIT_MAQUETTE replace what is chosen below, e.g. to try the scripts on a machine without a GPU.
set -uo pipefail

[ $# -ge 1 ] || { sed -n '2,/^set /{/^set /!p}' "$0" | cut -c3- >&2; exit 2; }
mkdir -p "$1" || exit
out=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
all=(device weights kernels fixtures mucha parity sizes memory speed diffusers sweep)
wanted=" ${*:-${all[*]}} "
for name in $wanted; do
    [[ " ${all[*]} " == *" $name "* ]] || { echo "no part is called $name; parts are: ${all[*]}" >&2; exit 2; }
done

budget=${KIT_SECONDS:-520}
work=${KIT_WORK:-/dev/shm/maquette-gpu-kit}
python=${KIT_PYTHON:-python3}
device=${KIT_DEVICE:-cuda}
model=${KIT_MODEL:-$work/model}
maquette=${KIT_MAQUETTE:-$root/maquette}
log=$out/parts.log
peer=
mkdir -p "$work"
rm -f "$out/results.jsonl" "$out/parts.log" "$out/diffusers.log" "$work/go" "$work/go.ready" "$work/go.enough"
# Pictures of an earlier call would be reused.
rm -rf "$work/runs"

packages=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export LD_LIBRARY_PATH=$packages/nvidia/cu13/lib:$packages/nvidia/cudnn/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PYTHONPATH=$root/python${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
export TORCHINDUCTOR_CACHE_DIR=$work/inductor TRITON_CACHE_DIR=$work/triton CUDA_CACHE_PATH=$work/cuda-cache
export MAQUETTE_TEST_DEVICE=$device MAQUETTE_FIXTURES=${MAQUETTE_FIXTURES:-$root/tests/fixtures}
unset MAQUETTE_RUNS MAQUETTE_DEVICE

# ended PART STATUS SECONDS: notes how a part ended, and shows its results.
ended() {
    printf '{"part": "%s", "status": "%s", "seconds": %s}\n' "$1" "$2" "$3" >>"$out/results.jsonl"
    printf '[%3d s] %s: %s, %s s\n' "$SECONDS" "$1" "$2" "$3"
    "$python" "$here/table.py" "$out" "$1"
}

# status CODE SECONDS: an exit code in words.
status() {
    case $1 in
        0) echo ok ;;
        124 | 137) echo "stopped after $2 s" ;;
        126 | 127) echo missing ;;
        *) echo "failed ($1)" ;;
    esac
}

# part NAME SECONDS COMMAND ...: runs a part, if it is wanted and there is time. `timeout` makes a process group and kills all of it, so that
# no process of one part disturbs the next.
part() {
    local name=$1 limit=$2 begin=$SECONDS code lines
    shift 2
    [[ $wanted == *" $name "* ]] || return 0
    ((limit <= budget - SECONDS)) || limit=$((budget - SECONDS))
    if ((limit < 5)); then
        ended "$name" "no time left" 0
        return
    fi
    echo "==== $name: $*" >>"$log"
    lines=$(wc -l <"$log")
    timeout -s KILL "$limit" "$@" >>"$log" 2>&1 &
    { wait $!; } 2>/dev/null # without the shell's own message on a killed job
    code=$?
    ended "$name" "$(status $code $((SECONDS - begin)))" $((SECONDS - begin))
    # The end of what it wrote, beside the results, shows why.
    ((code == 0)) || tail -n "+$((lines + 1))" "$log" | grep -v '^{' | tail -n 8 | cut -c1-240 | sed 's/^/    | /'
}

# script NAME SECONDS SCRIPT [ARGUMENTS]: a part that is a Python script.
script() {
    local name=$1 limit=$2 file=$3
    shift 3
    part "$name" "$limit" "$python" "$here/$file" "${common[@]}" "$@"
}

# program NAME SECONDS SCRIPT FILE [ARGUMENTS]: a script that needs a program of the kit.
program() {
    local name=$1 limit=$2 file=$3 needed=$4
    shift 4
    if [[ $wanted == *" $name "* && ! -x $needed ]]; then
        ended "$name" missing 0
    else
        script "$name" "$limit" "$file" "$@"
    fi
}

# tests NAME SECONDS FILE: a part that is a test executable.
tests() {
    program "$1" "$2" rust_tests.py "$root/$3" "$1" "$root/$3"
}

# The comparison with diffusers, in its own process from the start to the end: it compiles while other parts run, then waits for $work/go.
start_peer() {
    [[ $wanted == *" diffusers "* ]] || return 0
    TORCH_LOGS=recompiles timeout -s KILL $((budget - SECONDS)) "$python" "$here/peer.py" "${common[@]}" --wait "$work/go" ${KIT_BACKEND:+--backend "$KIT_BACKEND"} \
        >>"$out/diffusers.log" 2>&1 &
    peer=$!
}

# settle SECONDS: waits until the compiler is at rest, so that it does not disturb what is timed. When no more than SECONDS are left of the
# budget it compiles no further module, but has 130 s in any case and 60 s for the one at hand.
settle() {
    [ -n "$peer" ] || return 0
    local until=$((budget - $1))
    ((until >= SECONDS + 130)) || until=$((SECONDS + 130))
    while [ ! -e "$work/go.ready" ] && kill -0 "$peer" 2>/dev/null && ((SECONDS < until + 60)); do
        ((SECONDS < until)) || touch "$work/go.enough"
        sleep 0.5
    done
    if [ -e "$work/go.ready" ]; then
        printf '[%3d s] diffusers: compiled\n' "$SECONDS"
    else
        printf '[%3d s] diffusers: did not finish compiling; it is measured without\n' "$SECONDS"
        echo '{"part": "diffusers", "name": "did not finish compiling", "ok": false}' >>"$out/results.jsonl"
        stop_peer
    fi
}

stop_peer() {
    [ -n "$peer" ] || return 0
    kill -KILL -- "-$peer" 2>/dev/null
    wait "$peer" 2>/dev/null
    peer=
}

# Lets the waiting process measure; without one, measures eager modules only.
measure_peer() {
    [[ $wanted == *" diffusers "* ]] || return 0
    if [ -z "$peer" ]; then
        script diffusers 90 peer.py --eager-only
        return
    fi
    local begin=$SECONDS until=$((SECONDS + 110)) code
    touch "$work/go"
    while kill -0 "$peer" 2>/dev/null && ((SECONDS < until)); do sleep 0.2; done
    kill -0 "$peer" 2>/dev/null && kill -KILL -- "-$peer"
    wait "$peer" 2>/dev/null
    code=$?
    peer=
    ended diffusers "$(status $code $((SECONDS - begin)))" $((SECONDS - begin))
    ((code == 0)) || grep -v '^{' "$out/diffusers.log" | tail -n 8 | cut -c1-240 | sed 's/^/    | /'
}

# Ends what still runs and prints the table, also when this script is stopped.
finish() {
    local code=$?
    trap - EXIT INT TERM
    for group in $(jobs -p); do kill -KILL -- "-$group" 2>/dev/null; done
    wait 2>/dev/null
    "$python" "$here/table.py" "$out" | tee "$out/table.txt"
    [ -n "${KIT_KEEP:-}" ] || rm -rf "$work"
    # Whatever does not say ok is a failure.
    if grep -qE '"ok": false|"status": "([^o]|o[^k])' "$out/results.jsonl"; then exit 1; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM

common=(--device "$device" --out "$out" --work "$work/runs" --model "$model" --maquette "$maquette")

for program in "$maquette" "$root/gpu-tests" "$root/kernel-tests" "$root/speed"; do
    [ -x "$program" ] || { echo "missing: $program"; continue; }
    ldd "$program" 2>/dev/null | grep -E 'not found' | sort -u | sed "s|^|$(basename "$program"): |"
done
if ldd "$maquette" 2>/dev/null | grep -q 'not found'; then
    found=$(find / -name 'libcublas.so.13' -not -path '/proc/*' 2>/dev/null | head -n 1)
    [ -z "$found" ] || LD_LIBRARY_PATH=$(dirname "$found"):$LD_LIBRARY_PATH
fi

for name in parity sizes memory speed diffusers sweep; do
    [[ $wanted == *" $name "* && $wanted != *" weights "* ]] && wanted+="weights "
done
script device 60 ceilings.py ${KIT_SIDE:+--side "$KIT_SIDE"}
script weights 90 weights.py
start_peer
tests kernels 100 kernel-tests
tests fixtures 140 gpu-tests
program mucha 90 mucha.py "$maquette"
program parity 100 parity.py "$maquette"
program sizes 80 sizes.py "$maquette"
settle 200
program memory 50 memory.py "$maquette"
program speed 70 speed.py "$root/speed"
measure_peer
program sweep 120 sweep.py "$maquette"
