"""Workers hold their memory limit: what they store counts, and goes to disk where it is short."""

import gc
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from muster import delayed
from muster.distributed import Client, futures_of, wait

LIMIT = 40_000_000
ARRAY = 5_000_000  # bytes
MANY = 4 * 2 * LIMIT // ARRAY
MOST = 1.1 * LIMIT + 3 * ARRAY  # a tenth more, and one task: it has its array, the copy that becomes its result, and another that it has read


def children_of(pid):
    return [int(p) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()]


def taken_by(worker):
    """Bytes of a worker: its own and its executors', and the objects in shared memory that they keep."""
    total, files = 0, {}
    for pid in [worker, *children_of(worker)]:
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                try:
                    if "memfd:muster" in os.readlink(fd):
                        facts = os.stat(fd)
                        files[facts.st_ino] = facts.st_blocks * 512
                except OSError:
                    pass
        except (OSError, StopIteration):
            pass
    return total + sum(files.values())


class Watch:
    """The most that a worker took while the block ran, over what it took before."""

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
        while not self.over.wait(0.01):
            self.most = max(self.most, *(taken_by(p) - self.before[p] for p in self.pids))

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()
        print(f"{self.most / 1e6:.1f} MB")


def array(i):
    return np.full(ARRAY // 8, float(i))


def warm(i):
    import pyarrow

    return array(i).sum() + len(pd.DataFrame({"x": [i]})) + pyarrow.array([i]).null_count


@pytest.fixture(scope="module")
def small():
    with Client(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None) as client:
        client.gather(client.map(warm, range(16)))  # libraries that executors load are no task's
        dd.from_pandas(pd.DataFrame({"x": range(16)}), npartitions=16).map_partitions(lambda p: p.assign(y=warm(0))).y.sum().compute()
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
    with Watch(small) as watch:
        pd.testing.assert_series_equal(df.groupby("k").x.sum().compute(), frame.groupby("k").x.sum())
        assert df.map_partitions(lambda p: p.assign(y=p.x * 2)).y.sum().compute() == 2 * frame.x.sum()
    assert watch.most < 2 * LIMIT  # a partition is there as a table, as a frame of pandas, as the function's result and as its copy


def rows(i):
    return pd.DataFrame({"k": np.arange(ARRAY // 16) % 1000, "x": np.full(ARRAY // 16, i)})


def test_a_frame_of_four_times_the_memory(small):
    """Its partitions are kept by the cluster while a reduction and a group-by read them."""
    with Watch(small) as watch:
        df = dd.from_map(rows, range(MANY)).persist()
        every = ARRAY // 16
        assert df.x.sum().compute() == every * sum(range(MANY))
        sums = df.groupby("k").x.sum().compute()
        expected = np.bincount(np.arange(every) % 1000) * sum(range(MANY))
        np.testing.assert_array_equal(sums.sort_index().to_numpy(), expected)
        del df
    assert watch.most < MOST


def rows_of_groups(i, rows=125_000):
    """Each group four times, one after the other: the first quarter says that grouping gains nothing, so that the rows are kept."""
    x = np.arange(i * rows, (i + 1) * rows)
    return pd.DataFrame({"k": x * 7919 % (rows // 4), "x": x.astype(float)})


def test_a_group_by_of_more_than_the_memory(small):
    """Its states do not fit into a worker once they are merged: who makes a part of the groups gets that part of them."""
    parts = 2 * 2 * LIMIT // 2_000_000
    every = np.arange(parts * 125_000)
    expected = np.bincount(every * 7919 % 31_250, every)
    with Watch(small) as watch:
        sums = dd.from_map(rows_of_groups, range(parts), meta=rows_of_groups(0, 4)).groupby("k").x.sum().compute()
    np.testing.assert_array_equal(sums.sort_index().to_numpy(), expected)
    assert watch.most < 1.1 * LIMIT + 5 * 2_000_000  # a partition of Python's rows, its copy, and the state of these: rows with their hashes and numbers


@pytest.fixture(scope="module")
def many_groups():
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"k": random.integers(0, 60_000, 150_000), "x": random.integers(0, 50, 150_000)})
    frame["t"] = "key " + frame.k.astype(str)
    return frame, dd.from_pandas(frame, npartitions=70)


@pytest.mark.parametrize(("key", "sort"), [("k", True), ("t", False), (["k", "t"], True)])
@pytest.mark.parametrize("functions", [["sum", "min", "first"], ["median"], ["nunique"]])
def test_parts_of_merged_states(small, many_groups, key, sort, functions):
    frame, df = many_groups
    pd.testing.assert_frame_equal(df.groupby(key, sort=sort).x.agg(functions).compute(), frame.groupby(key, sort=sort).x.agg(functions))


def test_parts_of_merged_states_without_aggregates(small, many_groups):
    frame, df = many_groups
    assert df.t.nunique().compute() == frame.t.nunique()
    pd.testing.assert_frame_equal(df.drop_duplicates().compute(), frame.drop_duplicates())
    pd.testing.assert_series_equal(df.k.mode().compute(), frame.k.mode())
    pd.testing.assert_series_equal(df.t.value_counts().compute().sort_index(), frame.t.value_counts().sort_index())


def sized(n):
    return b"x" * n


def test_short_tasks_with_large_results_after_many_small_ones(small):
    """An executor has dozens of short tasks in hand: these, too, must not fill the memory at once."""
    with Watch(small) as watch:
        kept = small.map(sized, [10] * 2000 + [ARRAY] * MANY, pure=False)
        assert small.submit(sum, small.map(len, kept)).result() == 20_000 + MANY * ARRAY
        del kept
    assert watch.most < MOST


def sized_while_the_worker_sleeps(n, first):
    """The first large one stops this executor's worker for half a second."""
    if first:
        worker = os.getppid()
        os.kill(worker, signal.SIGSTOP)
        subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -CONT {worker}"])
    return sized(n)


def test_short_tasks_with_large_results_that_the_worker_does_not_hear_of(small):
    """What an executor has in hand was given to it when results were small: it begins no more of it than there was room for then."""
    sizes = [10] * 2000 + [ARRAY] * 200
    with Watch(small) as watch:
        kept = small.map(sized_while_the_worker_sleeps, sizes, [i in (2000, 2001) for i in range(len(sizes))], pure=False)
        assert small.submit(sum, small.map(len, kept)).result() == sum(sizes)
        del kept
    assert watch.most < MOST


def own_memory():
    """Bytes of this process, and of the shared memory that it has open."""
    files = {}
    for fd in pathlib.Path("/proc/self/fd").iterdir():
        try:
            if "memfd:muster" in os.readlink(fd):
                files[os.stat(fd).st_ino] = os.stat(fd).st_blocks * 512
        except OSError:
            pass
    status = pathlib.Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon")) + sum(files.values())


@pytest.mark.parametrize("protocol", ["unix", "tcp"])
def test_a_client_that_scatters_more_than_workers_hold(protocol):
    """It waits while they make room, and keeps nothing itself."""
    kwargs = {"protocol": "tcp"} if protocol == "tcp" else {}
    with Client(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None, **kwargs) as client, Watch(client) as watch:
        client.gather(client.scatter([array(-1)], hash=False))
        before, most, kept = own_memory(), 0, []
        for i in range(MANY // 2):
            kept.append(client.scatter(array(i), hash=False))
            most = max(most, own_memory() - before)
        assert most < 2 * LIMIT + 4 * ARRAY  # what the workers have in memory lies in files that this process may write again
        assert [float(a[-1]) for a in client.gather(kept[::16])] == [float(i) for i in range(0, len(kept), 16)]
    assert watch.most < 1.1 * LIMIT + 2 * ARRAY


# ---- the disk


def one_worker(folder, monkeypatch):
    monkeypatch.setenv("MUSTER_TEMPORARY_DIRECTORY", str(folder))
    return Client(n_workers=1, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None)


def worker_of(client):
    (worker,) = client.scheduler_info()["workers"].values()
    return worker["pid"]


def spill_file(pid):
    """The path under which the worker has its spill file open; None: it has none."""
    folder = os.environ["MUSTER_TEMPORARY_DIRECTORY"]
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if os.readlink(fd).startswith(folder) and os.stat(fd).st_size:
                return fd
        except OSError:
            pass
    return None


def expect_it_goes_on(client):
    for i in range(MANY, MANY + 100):  # once the worker has heard that nobody wants the other results
        gc.collect()  # errors' frames hold futures
        try:
            assert client.submit(lambda a: float(a[0]), client.submit(array, i)).result() == i
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("results that nobody wants are kept")


def fill(client, folder, why):
    """More than memory and disk together: tasks fail that do not find room, what is there is right."""
    pid = worker_of(client)
    kept = client.map(array, range(MANY // 2))
    wait(kept)
    done = [i for i, f in enumerate(kept) if f.status == "finished"]
    assert done
    for i in done:
        assert kept[i].result()[-1] == i
    failed = [f for f in kept if f.status == "error"]
    assert len(done) + len(failed) == len(kept) and failed
    for f in failed:
        error = f.exception()
        assert isinstance(error, OSError)
        assert str(folder) in str(error) and why in str(error) and "MUSTER_TEMPORARY_DIRECTORY" in str(error)
    with pytest.raises(OSError, match=why):  # nor is there room for what a client brings
        kept.extend(client.scatter(array(i), hash=False) for i in range(MANY))
    del kept, failed, f
    expect_it_goes_on(client)
    assert worker_of(client) == pid


def test_a_folder_that_is_not_there_fails_the_task(monkeypatch, tmp_path):
    with one_worker(tmp_path / "gone", monkeypatch) as client:
        fill(client, tmp_path / "gone", "No such file")


def test_a_disk_that_is_full_fails_the_task(monkeypatch, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LIMIT // 2}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with one_worker(folder, monkeypatch) as client:
            fill(client, folder, "No space left")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_file_that_may_not_grow_fails_the_task(monkeypatch, tmp_path):
    with one_worker(tmp_path, monkeypatch) as client:
        resource.prlimit(worker_of(client), resource.RLIMIT_FSIZE, (LIMIT // 2, LIMIT // 2))
        fill(client, tmp_path, "File too large")


def test_a_folder_that_vanishes(monkeypatch, tmp_path):
    """What is spilled stays readable; what comes later says what is wrong."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with one_worker(folder, monkeypatch) as client:
        pid = worker_of(client)
        kept = client.map(array, range(MANY // 4))
        wait(kept)
        assert spill_file(pid)
        folder.rmdir()
        assert [float(f.result()[0]) for f in kept] == list(range(MANY // 4))
        del kept
        while spill_file(pid):
            time.sleep(0.01)
        fill(client, folder, "No such file")
        folder.mkdir()
        for _ in range(100):  # the worker tries the disk again after a pause
            gc.collect()
            try:
                assert client.submit(len, client.map(array, range(MANY // 2))).result() == MANY // 2
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("the folder is there again, and is not used")
        assert worker_of(client) == pid


@pytest.mark.parametrize("reader", ["executor", "frame", "client"])
def test_bytes_that_are_damaged_are_never_an_answer(monkeypatch, tmp_path, reader):
    with one_worker(tmp_path, monkeypatch) as client:
        pid = worker_of(client)
        if reader == "frame":
            df = dd.from_map(rows, range(MANY // 4)).persist()
            wait(futures_of(df))
        else:
            kept = client.map(array, range(MANY // 4))
            wait(kept)
        with open(spill_file(pid), "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            for at in range(1000, size, ARRAY // 4):
                file.seek(at)
                file.write(b"damaged!")
        begun = time.monotonic()
        with pytest.raises(OSError, match="the spill file gave back other bytes than were written"):
            if reader == "frame":
                df.x.sum().compute()
            elif reader == "client":
                client.gather(kept)
            else:
                client.gather(client.map(lambda a: float(a[0]), kept))
        assert reader != "client" or time.monotonic() - begun < 20  # nobody tries again what cannot heal
        assert worker_of(client) == pid
        df = kept = None
        expect_it_goes_on(client)


def test_a_worker_that_dies_while_it_spills(monkeypatch, tmp_path):
    monkeypatch.setenv("MUSTER_TEMPORARY_DIRECTORY", str(tmp_path))
    with Client(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None) as client:
        pids = [w["pid"] for w in client.scheduler_info()["workers"].values()]
        kept = client.map(array, range(MANY))
        while not (spilling := [p for p in pids if spill_file(p)]):
            time.sleep(0.001)
        os.kill(spilling[0], signal.SIGKILL)
        assert client.gather(client.map(lambda a: float(a[0]) + float(a[-1]), kept)) == [2.0 * i for i in range(MANY)]
        assert not list(tmp_path.iterdir())
