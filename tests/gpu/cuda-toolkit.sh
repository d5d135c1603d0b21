#!/usr/bin/env bash
# A CUDA 13.0 toolkit from NVIDIA's packages on PyPI, enough to compile and link with `--features cuda` where none is installed:
#
#     eval "$(tests/gpu/cuda-toolkit.sh FOLDER)"
#
# Fills FOLDER once (1.2 GB) and prints the environment. nvcc is 13.0, so that drivers of the 580 series can load what it compiles.
# The driver's library belongs to the driver: for linking there is a libcuda.so of empty functions, which nothing may run with.
set -euo pipefail

folder=${1:?the folder for the toolkit}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
toolkit=$folder/nvidia/cu13
packages=(
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-nvrtc==13.0.88
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35 nvidia-cublas==13.1.0.3
)

# Empty functions under all names that cuda.h declares, those with a version or a stream's suffix included.
stub() {
    local names
    names=$(grep -ohE '\bcu[A-Z]\w*(\(|_(v[0-9]+|ptsz|ptds)\b)?' "$toolkit/include/cuda.h" | grep -E '\($|_(v[0-9]+|ptsz|ptds)$' | tr -d '(' | sort -u)
    mkdir -p "$toolkit/lib/stubs"
    printf 'void %s(void) {}\n' $names |
        cc -x c -w -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$toolkit/lib/stubs/libcuda.so" -
}

if [ ! -e "$folder/complete" ]; then
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$wheels" "${packages[@]}" >&2
    for wheel in "$wheels"/*.whl; do
        python3 -m zipfile --extract "$wheel" "$folder"
    done
    # Archives of Python's lose the executable bit, and wheels have no names without a version, which linkers look for.
    find "$toolkit/bin" "$toolkit/nvvm/bin" -type f -exec chmod +x {} +
    for library in "$toolkit"/lib/lib*.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so"
    done
    ln -sfn lib "$toolkit/lib64"
    stub
    touch "$folder/complete"
fi

cat <<END
export CUDA_HOME='$toolkit' CUDA_PATH='$toolkit' CUDA_ROOT='$toolkit' NVCC='$toolkit/bin/nvcc'
export PATH='$toolkit/bin':"\$PATH"
export LIBRARY_PATH='$toolkit/lib:$toolkit/lib/stubs'"\${LIBRARY_PATH:+:\$LIBRARY_PATH}"
END
