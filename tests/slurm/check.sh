#!/usr/bin/env bash
# Submits a run to a real Slurm of one node, takes tasks away from it, and checks that every cell is in the log once.
# check.sh MAQUETTE; says so and exits with 0 if there is no Slurm to be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
maquette=$(realpath "${1:?the binary}")
work=$(mktemp -d)
slurm=$work/slurm
export SLURM_CONF=$slurm/slurm.conf
trap '"$here/one-node.sh" stop "$slurm"; rm -rf "$work"' EXIT
code=0
"$here/one-node.sh" start "$slurm" || code=$?
case $code in
    0) ;;
    77) echo "not run: the test with Slurm" && exit 0 ;;
    *) exit "$code" ;;
esac

cells=240
cat >"$work/cats.toml" <<TOML
prompt = "a cat"
steps = 2
width = 16
height = 16
[sweep]
seed = { count = $cells }
TOML
cd "$work"
export MAQUETTE_FAKE_PAUSE=100
job=$("$maquette" submit cats.toml --slurm --workers 4 --lease 5 --device cpu --backend fake -- --time=10)
for _ in $(seq 100); do
    [ -n "$(find runs/cats/1/.share -name '*.csv' 2>/dev/null | head -n 5)" ] && break
    sleep 0.2
done
"$maquette" status cats | tee "$work/status.txt"
grep -q "^slurm says:" "$work/status.txt"
grep -q "${job}_" "$work/status.txt"

# One task is requeued, one is told to stop, one is killed without a word.
scontrol requeue "${job}_1"
scancel --batch --signal=TERM "${job}_2"
scancel --signal=KILL --full "${job}_3"

for _ in $(seq 300); do
    [ -z "$(squeue --noheader)" ] && break
    # Slurm would start the requeued task two minutes later.
    scontrol update JobId="${job}_1" StartTime=now 2>/dev/null || true
    sleep 1
done
squeue
lines=$(wc -l <runs/cats/1/log.csv)
once=$(tail -n +2 runs/cats/1/log.csv | cut -d, -f1,2 | sort -u | grep -c ,done)
echo "log: $((lines - 1)) rows, $once cells done of $cells"
[ "$lines" = $((cells + 1)) ] && [ "$once" = "$cells" ]
[ -s runs/cats/1/index.html ] && grep -q index.html runs/cats/1/submit/report.out
"$maquette" status cats
"$maquette" verify cats --backend fake --sample 4
echo "Slurm: every cell is in the log once"
