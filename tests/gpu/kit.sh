#!/usr/bin/env bash
# Builds the kit: Maquette for CUDA with its tests and benches, ready to run on a machine that has a GPU but no Rust. `just gpu-kit`
#
# Needs no GPU. Needs nvcc 13.0 and CUDA's libraries; without nvcc they come from PyPI (cuda-toolkit.sh, 1.2 GB). Writes target/gpu-kit/
# and packs it into target/gpu-kit.tar.xz. There:
#
#     python3 -c 'import tarfile; tarfile.open("gpu-kit.tar.xz").extractall()' && gpu-kit/tests/gpu/run.sh OUT
#
# CUDA_COMPUTE_CAP   the GPUs that the kernels are compiled for. 80 (default): Ampere and all later ones, compiled by the driver at first
#                    use. 90: Hopper alone.
# CARGO_TARGET_DIR   as for cargo; the kit is written there too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
kit=$target/gpu-kit
parts=$target/gpu-kit-parts
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
# The machine that builds may have no driver to ask, and what the kit runs on has CUDA 13.0.
export CUDARC_CUDA_VERSION=${CUDARC_CUDA_VERSION:-13000}

if ! command -v nvcc >/dev/null; then
    echo "nvcc is not installed: taking it from PyPI" >&2
    environment=$(tests/gpu/cuda-toolkit.sh "$target/cuda-toolkit")
    eval "$environment"
fi

# One command for everything: cargo resolves features for all packages of a command together, so that several commands would build candle
# several times. The binary is built for the tests of its package.
echo "building" >&2
rm -rf "$kit"
mkdir -p "$kit/python" "$parts"
cargo test --release --no-run -p maquette-cli -p maquette-diffusion -p maquette-kernels \
    --features maquette-cli/cuda,maquette-diffusion/cuda,maquette-kernels/cuda --test main --test gpu --bench speed \
    --message-format=json-render-diagnostics >"$parts/messages.json"

# executable NAME PACKAGE TARGET: copies an executable that was built to the kit under this name.
executable() {
    local made
    made=$(python3 - "$parts/messages.json" "$2" "$3" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
made = [line for line in lines if line.get("executable") and line["target"]["name"] == sys.argv[3]]
made = [line["executable"] for line in made if f"crates/{sys.argv[2]}#" in line["package_id"]]
sys.exit(f"expected one executable, found {made}") if len(made) != 1 else print(made[0])
END
    )
    cp "$made" "$kit/$1"
    strip "$kit/$1"
}

executable maquette cli maquette
executable gpu-tests diffusion gpu
executable kernel-tests kernels gpu
executable speed diffusion speed

# What the tests read and the scripts; not what made the fixtures.
git ls-files tests/fixtures tests/parity tests/gpu crates/sketchbook/weights experiments/mucha.toml experiments/references/selfie.png |
    grep -vE '^tests/fixtures/(.*\.(py|md)|requirements\.txt|runs-before/.*|metadata/.*|resize/.*)$' |
    tar -cf - -T - | tar -xf - -C "$kit"

# Both are plain Python: unpacked they need no pip, and pack better.
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$parts" \
    diffusers==0.42.1 importlib_metadata==8.7.0 open_clip_torch==3.3.0
python3 -m zipfile --extract "$parts"/diffusers-0.42.1-*.whl "$kit/python"
python3 -m zipfile --extract "$parts"/importlib_metadata-8.7.0-*.whl "$kit/python"
python3 tests/parity/clip.py "$parts"/open_clip_torch-3.3.0-*.whl "$kit/clip"

# One block with a dictionary that spans the programs: they have much in common.
tar -C "$target" --sort=name --owner=0 --group=0 --numeric-owner -cf - gpu-kit |
    xz --threads=1 --lzma2=preset=6,dict=192MiB >"$target/gpu-kit.tar.xz"
du -sh --apparent-size "$kit"/* "$target/gpu-kit.tar.xz"
