"""Works on a run as tasks of a real HyperQueue on this machine, and checks that every cell is in the log once.

check.py MAQUETTE; needs PyPI's hyperqueue. The package has no `hq` command: its Python interface starts server and workers.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig

CELLS, WORKERS = 120, 4
EXPERIMENT = f"""
prompt = "a cat"
steps = 2
width = 16
height = 16
[sweep]
seed = {{ count = {CELLS} }}
"""


def main() -> None:
    maquette = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "cats.toml").write_text(EXPERIMENT)
        run = [maquette, "run", "cats.toml", "--runs", "runs", "--backend", "fake", "--device", "cpu", "--progress", "plain"]
        with LocalCluster(server_dir=str(work / "server")) as cluster:
            cluster.start_worker(WorkerConfig(cores=WORKERS))
            client = cluster.client()
            job = Job()
            for _ in range(WORKERS):
                env = {"PATH": os.environ["PATH"], "MAQUETTE_FAKE_PAUSE": "20"}
                job.program(run + ["--worker", "--lease", "5"], env=env, cwd=work)
            client.wait_for_jobs([client.submit(job)])
        with (work / "runs/cats/1/log.csv").open() as log:
            rows = list(csv.DictReader(log))
        assert len(rows) == len({row["cell"] for row in rows}) == CELLS, f"{len(rows)} rows"
        assert all(row["status"] == "done" for row in rows)
        # Each task is a share of its own with the id that HyperQueue gives it.
        task = {**os.environ, "HQ_TASK_ID": "2"}
        shard = subprocess.run(run + ["--shard", f"auto/{WORKERS}"], cwd=work, env=task, capture_output=True, text=True)
        assert shard.returncode == 0 and "30 cells" in shard.stderr, shard.stderr
    print(f"HyperQueue: every cell is in the log once ({CELLS} cells, {WORKERS} workers)")


if __name__ == "__main__":
    main()
