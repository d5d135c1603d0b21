set shell := ["bash", "-euo", "pipefail", "-c"]
# Arguments are passed as "$@", so that values with spaces are not split.
set positional-arguments

# The build for this machine: cuda, metal or cpu.
build := `if command -v nvcc >/dev/null && nvidia-smi -L >/dev/null 2>&1; then echo cuda; elif [ "$(uname -s)" = Darwin ]; then echo metal; else echo cpu; fi`
features := if build == "cpu" { "" } else { "--features " + build }

# List the recipes
default:
    @just --list --unsorted

# Run an experiment: just run experiments/mucha.toml [--set steps=30 ...]
run experiment *arguments: _print-build
    @cargo run --quiet --release -p maquette-cli {{ features }} -- run "$@"

# Show what an experiment would do and what it would cost
plan experiment *arguments: _print-build
    @cargo run --quiet --release -p maquette-cli {{ features }} -- plan "$@"

# Run every check: format, lints, architecture, unit and end-to-end tests
test: lint
    cargo test --workspace --quiet
    @just _training-tests
    @just _reader-tests
    @just _page-tests

# Run the tests of the scripts that trained the bundled model, if a Python can run them
_training-tests:
    #!/usr/bin/env bash
    set -euo pipefail
    cd crates/sketchbook/training
    for python in .venv/bin/python python3; do
        if "$python" -c "import torch, diffusers, transformers, skia, cv2, pytest" 2>/dev/null; then
            exec "$python" -m pytest --quiet test_training.py
        fi
    done
    echo "not run: the tests of crates/sketchbook/training, which need Python with its requirements.txt and pytest (install them with: just training-venv)"

# Read our pictures with other people's readers, if a Python has them
_reader-tests:
    #!/usr/bin/env bash
    set -euo pipefail
    for python in tests/fixtures/.venv/bin/python python3; do
        if "$python" -c "import sd_parsers, sd_prompt_reader, defusedxml" 2>/dev/null; then
            export MAQUETTE_READERS_PYTHON="$(command -v "$python" | xargs realpath -s)"
            exec cargo test --quiet -p maquette --test library -- --ignored readers_of_other_people
        fi
    done
    echo "not run: the test that sd-parsers and sd-prompt-reader read our pictures, which needs Python with tests/fixtures/requirements-readers.txt (install them with: just readers-venv)"

# Test the page of a run, also in a browser, if Node and Chromium are there
_page-tests:
    #!/usr/bin/env bash
    set -euo pipefail
    cd crates/reporter/page
    if ! command -v npm >/dev/null || ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
        echo "not run: the tests of crates/reporter/page, which need Node 20.19 or later with npm"
        exit 0
    fi
    if [ ! node_modules/.package-lock.json -nt package-lock.json ] && ! PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent; then
        echo "not run: the tests of crates/reporter/page, whose packages could not be installed"
        exit 0
    fi
    npm test --silent
    CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
    if [ -z "$CHROMIUM" ]; then
        echo "not run: the tests of crates/reporter/page in a browser, which need Chromium (or its path in CHROMIUM)"
        exit 0
    fi
    CHROMIUM="$CHROMIUM" npm run --silent test:browser

# Build the page of a run into crates/reporter/page/dist (needs Node)
page:
    cd crates/reporter/page && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent && npm run build

# Install the readers of other people's pictures
readers-venv:
    python3 -m venv tests/fixtures/.venv
    tests/fixtures/.venv/bin/pip install --quiet -r tests/fixtures/requirements-readers.txt

# Install what the training scripts and their tests need (several gigabytes)
training-venv:
    python3 -m venv crates/sketchbook/training/.venv
    crates/sketchbook/training/.venv/bin/pip install --quiet -r crates/sketchbook/training/requirements.txt pytest

# Check format, lints and dependencies
lint: deny
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings

# Check the dependencies' licences, sources and known vulnerabilities (docs/dependencies.md), if cargo-deny is there
deny:
    #!/usr/bin/env bash
    set -euo pipefail
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "not run: the check of the dependencies, which needs cargo-deny (install it with: cargo install cargo-deny --locked)"
        exit 0
    fi
    cargo deny --all-features --log-level warn check licenses bans sources
    # The list of vulnerabilities is a repository, which offline machines cannot reach.
    if ! cargo deny --all-features --log-level error fetch db >/dev/null 2>&1; then
        echo "not run: the check for known vulnerabilities, whose list could not be fetched"
        exit 0
    fi
    cargo deny --all-features --log-level warn check advisories

# Fuzz a target of crates/fuzzing for some seconds, starting from its inputs in fuzz/corpus (needs a nightly Rust and cargo-fuzz)
fuzz target seconds="600":
    mkdir -p fuzz/work/{{ target }}
    cargo +nightly fuzz run --fuzz-dir fuzz {{ target }} fuzz/work/{{ target }} fuzz/corpus/{{ target }} -- -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=4096 -max_len=65536

# Accept changes: format, snapshots, the manual docs/cli.md, the schema of the experiment file
bless:
    cargo fmt --all
    cargo run --quiet -p maquette-cli -- schema > experiments/experiment.schema.json
    INSTA_UPDATE=always cargo test --workspace --quiet

# Build the last commit twice, in folders of different names, and compare the programs byte for byte
reproducible:
    #!/usr/bin/env bash
    set -euo pipefail
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    for copy in one the-other; do
        git clone --quiet . "$work/$copy"
        # The places of sources are in the texts of panics: those of Rust and of C name the same folders in both.
        cargo="${CARGO_HOME:-$HOME/.cargo}"
        flags="--remap-path-prefix=$work/$copy=. --remap-path-prefix=$cargo=cargo"
        c_flags="-ffile-prefix-map=$work/$copy=. -ffile-prefix-map=$cargo=cargo"
        (cd "$work/$copy" && env CARGO_TARGET_DIR="$work/$copy/target" CARGO_INCREMENTAL=0 RUSTFLAGS="$flags" CFLAGS="$c_flags" CXXFLAGS="$c_flags" \
            cargo build --quiet --locked --release -p maquette-cli)
        cp "$work/$copy/target/release/maquette" "$work/maquette-$copy"
        rm -rf "$work/$copy"
    done
    cmp "$work/maquette-one" "$work/maquette-the-other"
    echo "both builds are the same: $(sha256sum "$work/maquette-one" | cut -d ' ' -f 1)"

# Compile and link the CUDA build; needs nvcc, but no GPU
check-cuda:
    cargo build --release -p maquette-cli --features cuda

# Compare the GPU with the CPU: every kernel, the networks, the fixtures' pictures
test-gpu:
    cargo test --release -p maquette-kernels {{ features }} --test gpu -- --nocapture --test-threads=1
    cargo test --release -p maquette-diffusion {{ features }} --test gpu -- --nocapture --test-threads=1

# Count instructions under valgrind and compare them with tests/speed/counts.txt; `just count --accept` writes that file
count *arguments:
    cargo build --quiet --workspace --bin maquette
    tests/speed/count.sh "$@"

# Measure the parts of a model: just bench FOLDER --device cuda --dtype f16 --rows 2,4,8,16
bench *arguments:
    cargo bench -p maquette-diffusion {{ features }} --bench speed -- "$@"

# Compare the parts of a full-size model on this CPU with torch and OpenVINO (needs Python)
bench-peers *arguments:
    cargo bench --no-run -p maquette-diffusion --bench speed
    python3 -m venv target/speed/.venv
    target/speed/.venv/bin/pip install --quiet -r tests/fixtures/requirements.txt -r tests/parity/requirements.txt -r tests/speed/requirements.txt
    target/speed/.venv/bin/python tests/speed/peers.py --out target/speed "$@"

# Render whole sweeps by Maquette, diffusers and OpenVINO on this CPU, one after the other (needs Python; see tests/speed/sweeps.py)
bench-sweeps *arguments:
    cargo build --release -p maquette-cli
    python3 -m venv target/speed/.venv
    target/speed/.venv/bin/pip install --quiet -r tests/fixtures/requirements.txt -r tests/parity/requirements.txt -r tests/speed/requirements.txt
    target/speed/.venv/bin/python tests/speed/sweeps.py --out target/speed --maquette "${CARGO_TARGET_DIR:-target}/release/maquette" "$@"

# Simulate a thousand workers on a million cells (docs/scale.md)
simulate:
    cargo test --release -p maquette-share --test simulation -- --ignored --nocapture

# Kill eight workers two hundred times, in a folder and in a bucket, and compare their run with an undisturbed one
soak-workers:
    cargo test --quiet --workspace --test main -- --ignored --nocapture --test-threads=1 survive_two_hundred_kills

# Kill runs and other commands over a thousand times, let the power fail a thousand times, let every operation fail, and check that nothing is lost
soak:
    cargo test --quiet --workspace --test main -- --ignored --nocapture crash::kills crash::commands crash::power crash::faults crash::trainings

# Run 20,000 cells: memory and time per cell must not grow
soak-long:
    cargo test --quiet --workspace --test main -- --ignored --nocapture crash::long

# Work on runs as tasks of a real Slurm and a real HyperQueue on this machine, where they can be had
test-engines: test-slurm test-hyperqueue

# Submit a run to a Slurm of one node, and take tasks away from it (needs Slurm, or root on Debian)
test-slurm:
    cargo build --quiet --workspace --bin maquette
    tests/slurm/check.sh "${CARGO_TARGET_DIR:-target}/debug/maquette"

# Work on a run as tasks of HyperQueue (needs Python with venv and pip)
test-hyperqueue:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --quiet --workspace --bin maquette
    if ! python3 -m venv target/hyperqueue || ! target/hyperqueue/bin/pip install --quiet -r tests/hyperqueue/requirements.txt; then
        echo "not run: the test with HyperQueue, whose package could not be installed"
        exit 0
    fi
    target/hyperqueue/bin/python tests/hyperqueue/check.py "${CARGO_TARGET_DIR:-target}/debug/maquette"

# Draw the pictures and train the bundled model from scratch; resumes from its checkpoints (needs Python)
train-sketchbook *arguments: training-venv
    cd crates/sketchbook/training && OMP_NUM_THREADS=1 .venv/bin/python train.py --out .work --to ../weights --workers "$(nproc 2>/dev/null || echo 2)" "$@"

# Regenerate the reference fixtures with diffusers (needs Python)
fixtures:
    python3 -m venv tests/fixtures/.venv
    tests/fixtures/.venv/bin/pip install --quiet -r tests/fixtures/requirements.txt
    tests/fixtures/.venv/bin/python tests/fixtures/make.py

# Render one picture with a full-size Stable Diffusion v1-4 of random weights and compare it with diffusers (needs Python)
parity-full *arguments:
    cargo build --release -p maquette-cli
    python3 -m venv target/parity/.venv
    target/parity/.venv/bin/pip install --quiet -r tests/fixtures/requirements.txt -r tests/parity/requirements.txt
    target/parity/.venv/bin/python tests/parity/full.py --out target/parity --maquette "${CARGO_TARGET_DIR:-target}/release/maquette" "$@"

# Build what checks and measures the CUDA build on another machine (docs/gpu.md); needs no GPU
gpu-kit:
    tests/gpu/kit.sh

_print-build:
    @echo "building for: {{ build }}" >&2
