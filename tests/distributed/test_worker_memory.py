"""Workers hold their memory limit: what they store counts, and goes to disk where it is short."""

import gc
import os
import pathlib
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from muster import delayed
from muster.distributed import Client

LIMIT = 40_000_000
ARRAY = 5_000_000  # bytes
MANY = 4 * 2 * LIMIT // ARRAY
MOST = 0.9 * MANY * ARRAY / 2  # a worker's half of all: tasks that end faster than the disk takes their results pass the limit for a moment


def taken_by(pid):
    """Bytes of a worker: its own, and the objects in shared memory that it keeps."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    total = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))
    files = {}
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "memfd:muster" in os.readlink(fd):
                facts = os.stat(fd)
                files[facts.st_ino] = facts.st_blocks * 512
        except OSError:
            pass
    return total + sum(files.values())


class Watch:
    """The most that each worker took while the block ran, over what it took before."""

    def __init__(self, client):
        self.pids = [w["pid"] for w in client.scheduler_info()["workers"].values()]

    def __enter__(self):
        self.before = {p: taken_by(p) for p in self.pids}
        self.most = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, *(taken_by(p) - self.before[p] for p in self.pids))

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


def array(i):
    return np.full(ARRAY // 8, float(i))


@pytest.fixture(scope="module")
def small():
    with Client(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None) as client:
        yield client


def test_results_that_wait_are_spilled(small):
    """Four times the cluster's memory is held by futures, and read once more."""
    with Watch(small) as watch:
        kept = small.map(array, range(MANY))
        assert small.submit(sum, small.map(lambda a: float(a[0]), kept)).result() == sum(range(MANY))
        assert [float(a[-1]) for a in small.gather(kept[::16])] == [float(i) for i in range(0, MANY, 16)]
    assert watch.most < MOST


def test_a_delayed_pipeline(small):
    """All partitions are there before the second pass reads them again, from disk."""
    with Watch(small) as watch:
        parts = [delayed(array)(i) for i in range(MANY)]
        total = delayed(sum)([delayed(lambda a: float(a[0]))(p) for p in parts])
        again = [delayed(lambda a, t: float(a[0]) + t * 0)(p, total) for p in parts]
        assert delayed(sum)(again).compute() == sum(range(MANY))
    assert watch.most < MOST


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(0)
    frames = [pd.DataFrame({"k": random.integers(0, 100_000, 200_000), "x": random.integers(0, 100, 200_000)}) for _ in range(8)]
    for i, frame in enumerate(frames):
        frame.to_parquet(folder / f"{i}.parquet")
    return str(folder / "*.parquet"), pd.concat(frames, ignore_index=True)


def test_frames(small, table):
    path, frame = table
    df = dd.read_parquet(path)
    with Watch(small) as watch:
        assert df.x.sum().compute() == frame.x.sum()
    assert watch.most < LIMIT * 1.1
    pd.testing.assert_series_equal(df.groupby("k").x.sum().compute(), frame.groupby("k").x.sum())


def test_a_disk_that_is_full_fails_the_task(monkeypatch, tmp_path):
    monkeypatch.setenv("MUSTER_TEMPORARY_DIRECTORY", str(tmp_path / "gone"))
    with Client(n_workers=1, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None) as client:
        with pytest.raises(OSError, match=str(tmp_path / "gone")):
            client.gather(client.map(array, range(MANY // 2)))
        for i in range(MANY, MANY + 100):  # the worker goes on, once it has heard that nobody wants those results
            gc.collect()  # the error's frames hold futures
            try:
                assert client.submit(lambda a: float(a[0]), client.submit(array, i)).result() == i
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("results that nobody wants are kept")
