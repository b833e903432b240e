"""One SIGKILL a second, of workers and of their executors: the same answers, no hang, nothing left behind. MUSTER_KILLS=60: for so many seconds."""

import os
import pathlib
import random
import signal
import threading
import time

import numpy as np
import pandas as pd

import muster
import muster.dataframe as dd
from muster import delayed
from muster.distributed import Client

SECONDS = float(os.environ.get("MUSTER_KILLS", "6"))


def children_of(pid):
    out = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            out.append(int(entry.parent.name))
    return out


class Killer:
    """Kills a worker or an executor, as chance falls, once a second for a while."""

    def __init__(self, client, seed):
        self.client, self.random, self.over = client, random.Random(seed), threading.Event()
        self.kills = 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        end = time.monotonic() + SECONDS
        while not self.over.wait(1.0) and time.monotonic() < end:
            nodes = [w["pid"] for w in self.client.scheduler_info()["workers"].values()]
            if not nodes:
                continue
            victim = self.random.choice(nodes)
            executors = children_of(victim)
            if executors and self.random.random() < 0.5:
                victim = self.random.choice(executors)
            try:
                os.kill(victim, signal.SIGKILL)
                self.kills += 1
            except ProcessLookupError:
                pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


def test_answers_while_processes_die(tmp_path):
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame({"k": numbers.integers(0, 20_000, 100_000), "x": numbers.integers(0, 100, 100_000)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    sums, total = frame.groupby("k").x.sum(), int(frame.x.sum())

    def groups():
        pd.testing.assert_series_equal(dd.read_csv(tmp_path / "a.csv", blocksize=100_000).groupby("k").x.sum().compute(), sums)

    def rows_of_the_client():
        assert int(dd.from_pandas(frame, npartitions=5).x.sum().compute()) == total

    def functions():
        assert int(dd.read_csv(tmp_path / "a.csv", blocksize=400_000).map_partitions(lambda part: part[["x"]] + 1).x.sum().compute()) == total + len(frame)

    def tree():
        assert delayed(sum)([delayed(abs)(i) for i in range(200)]).compute() == 19_900

    def futures():
        kept = client.map(lambda i: np.full(200_000, i), range(6), pure=False)
        assert [int(a[0]) for a in client.gather(kept)] == list(range(6))

    before = set(children_of(os.getpid()))
    with muster.config.set({"distributed.scheduler.allowed-failures": 200}), Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        with Killer(client, 1) as killer:
            while killer.thread.is_alive():
                for question in (groups, rows_of_the_client, functions, tree, futures):
                    question()
        assert killer.kills
        end = time.monotonic() + 30
        while len(client.nthreads()) < 2:
            assert time.monotonic() < end, "workers do not come back"
            time.sleep(0.05)
        groups()
    end = time.monotonic() + 10
    while set(children_of(os.getpid())) - before:
        assert time.monotonic() < end, "processes are left behind"
        time.sleep(0.05)


def test_a_worker_that_is_killed_before_it_is_known_is_replaced(tmp_path, monkeypatch):
    """The scheduler has no connection of it that would end."""
    flag, program, real = tmp_path / "next one dies", tmp_path / "node", pathlib.Path(muster.__file__).parent / "bin" / "muster-node"
    program.write_text(f'#!/bin/sh\nif rm "{flag}" 2> /dev/null; then kill -9 $$; fi\nexec "{real}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("MUSTER_NODE", str(program))
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        flag.touch()
        (worker,) = client.scheduler_info()["workers"].values()
        os.kill(worker["pid"], signal.SIGKILL)
        end = time.monotonic() + 30
        while flag.exists() or not client.nthreads():
            assert time.monotonic() < end, "no worker comes back"
            time.sleep(0.01)
        assert client.submit(abs, -3).result(timeout=30) == 3
