"""Processes that die, hang and misbehave; nothing is lost and nothing stays behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.bag
import muster.dataframe as dd
from muster import delayed
from muster.distributed import Client, KilledWorker, LocalCluster, wait


def inc(x):
    return x + 1


def slowinc(x, seconds=0.05):
    time.sleep(seconds)
    return x + 1


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.02)


def pids(client):
    return {a: w["pid"] for a, w in client.scheduler_info()["workers"].items()}


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


def test_a_killed_worker(client):
    total = client.submit(sum, client.map(slowinc, range(40)))
    time.sleep(0.3)
    os.kill(next(iter(pids(client).values())), signal.SIGKILL)
    assert total.result(timeout=30) == sum(range(1, 41))
    until(lambda: len(client.nthreads()) == 2)


def test_lost_results_are_made_again(client):
    futures = client.map(lambda i: np.full(200_000, i), range(6))
    wait(futures)
    for pid in pids(client).values():
        os.kill(pid, signal.SIGKILL)
        break
    assert [int(a[0]) for a in client.gather(futures)] == list(range(6))
    until(lambda: len(client.nthreads()) == 2)
    kept = client.submit(np.arange, 300_000)
    copy = client.submit(lambda a: a + 1, kept)
    assert copy.result()[0] == 1
    for pid in list(pids(client).values()):
        os.kill(pid, signal.SIGKILL)
    assert client.submit(lambda a, b: int(a.sum() + b.sum()), kept, copy).result(timeout=30) == 2 * sum(range(300_000)) + 300_000


def test_scattered_data_that_are_lost(client):
    data = client.scatter(np.arange(300_000))
    (where,) = client.who_has([data])[data.key]
    os.kill(pids(client)[where], signal.SIGKILL)
    until(lambda: data.status != "finished")
    with pytest.raises(Exception, match="scattered"):
        client.submit(len, data).result(timeout=10)
    assert client.submit(inc, 1).result(timeout=10) == 2


@pytest.mark.parametrize("how", ["os._exit(3)", "os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)"])
def test_a_task_that_kills_its_process(client, how):
    def poison(how):
        exec("import os\n" + how)

    good = client.map(slowinc, range(20))
    bad = client.submit(poison, how, pure=False)
    with pytest.raises(KilledWorker, match="poison"):
        bad.result(timeout=30)
    assert client.gather(good) == list(range(1, 21))
    with pytest.raises(KilledWorker):
        client.submit(inc, bad).result(timeout=10)
    assert len(client.nthreads()) == 2


def killing(value):
    os._exit(3)


def killing_the_third(part):
    return part if part.x.min() != 2 else os._exit(3)


NAMED = {
    "killing_the_third, partition 2": lambda df: df.map_partitions(killing_the_third, meta=df._meta),
    "map, partition 3": lambda df: df.persist().x.map(lambda x: x if x < 3 else os._exit(3), meta=("x", "int64")),
    "groupby.apply": lambda df: df.persist().groupby("x").x.apply(killing, meta=("x", "int64")),
    "reduction": lambda df: df.reduction(lambda part: part.sum(), aggregate=killing, meta=pd.Series([1], index=["x"])),
    "killing": lambda df: muster.bag.from_sequence(range(4), npartitions=2).map(killing),
    "killing beside others": lambda df: delayed(inc)(delayed(killing)(delayed(abs)(-1))),
}


@pytest.mark.parametrize("name", NAMED)
def test_what_kills_its_process_has_the_name_of_what_was_called(client, name):
    df = dd.from_pandas(pd.DataFrame({"x": range(4)}), npartitions=4)
    with pytest.raises(KilledWorker) as error:
        NAMED[name](df).compute()
    assert error.value.task == name.removesuffix(" beside others")


def test_what_runs_too_long_has_the_name_of_what_was_called(client):
    df = dd.from_pandas(pd.DataFrame({"x": range(2)}), npartitions=2)
    df.map_partitions(lambda part: part, meta=df._meta).compute()  # imports pandas
    with muster.annotate(timeout="1 s"):
        call = delayed(inc)(delayed(slowinc)(delayed(abs)(-1), 10))
        frame = df.map_partitions(lambda part: slowinc(part, 10) if part.x.max() else part, meta=df._meta)
        bag = muster.bag.from_sequence(range(2), npartitions=2).map(slowinc, 10)
    for lazy, name in ((call, "slowinc"), (frame, "<lambda>, partition 1"), (bag, "slowinc")):
        with pytest.raises(TimeoutError, match=f"^{name} ran longer than its timeout of 1 s"):
            lazy.compute()


def test_a_dataframe_survives_a_killed_worker(client, tmp_path):
    pdf = pd.DataFrame({"k": np.arange(200_000) % 5, "x": np.arange(200_000) / 4})
    pdf.to_csv(tmp_path / "t.csv", index=False)
    df = dd.read_csv(str(tmp_path / "t.csv"), blocksize=20_000)
    expected = pdf.groupby("k").x.sum()
    for i in range(4):
        if i:
            os.kill(list(pids(client).values())[i % len(pids(client))], signal.SIGKILL)
        pd.testing.assert_series_equal(df.groupby("k").x.sum().compute(), expected)
        until(lambda: len(client.nthreads()) == 2)
    from_memory = dd.from_pandas(pdf, npartitions=4)
    pd.testing.assert_series_equal(from_memory.groupby("k").x.sum().compute(), expected)


def test_fork_in_a_task(client):
    def forks():
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return "parent"

    assert client.submit(forks).result(timeout=10) == "parent"
    assert client.submit(inc, 1, pure=False).result(timeout=10) == 2


def test_prints_and_threads_in_tasks(client):
    def threads():
        import threading

        out = []
        ts = [threading.Thread(target=lambda i=i: out.append(i)) for i in range(3)]
        [t.start() for t in ts]
        [t.join() for t in ts]
        return sorted(out)

    assert client.submit(threads).result() == [0, 1, 2]


def test_churn():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        total = delayed(sum)([delayed(slowinc)(i, 0.01) for i in range(300)])
        future = client.compute(total)
        for _ in range(3):  # a fourth could hit the same task each time, and give it up
            time.sleep(0.25)
            alive = list(pids(client).values())
            if alive:
                os.kill(alive[0], signal.SIGKILL)
        assert future.result(timeout=60) == sum(range(1, 301))


def test_scale(tmp_path):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        cluster.scale(3)
        client.wait_for_workers(3, timeout=10)
        assert sorted(client.gather(client.map(slowinc, range(9)))) == list(range(1, 10))
        cluster.scale(1)
        until(lambda: len(client.nthreads()) == 1)
        assert client.gather(client.map(inc, range(20))) == list(range(1, 21))
    with pytest.raises(ValueError, match="n_workers"):
        LocalCluster(n_workers=-1)
    with pytest.raises(ValueError, match="host"):
        LocalCluster(host="0.0.0.0")


LEFT = """
import os, time, sys
from muster.distributed import Client
client = Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
client.gather(client.map(lambda i: bytes(3_000_000), range(4)))
busy = [client.submit(time.sleep, 100, pure=False) for _ in range(2)]
time.sleep(0.3)
print(os.getpid(), *[w["pid"] for w in client.scheduler_info()["workers"].values()], flush=True)
"""


@pytest.mark.parametrize("end", ["", "client.close()", "sys.exit(1)", "time.sleep(60)", "os._exit(1)"])
def test_nothing_is_left_behind(end):
    before = set(os.listdir("/dev/shm"))
    with subprocess.Popen([sys.executable, "-c", LEFT + end], stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline().split()
        assert len(line) == 3
        workers = [int(p) for p in line[1:]]
        executors = [c for w in workers for c in children_of(w)]
        if end == "time.sleep(60)":
            assert len(executors) == 2
            process.kill()
        process.wait(timeout=15)
    until(lambda: not any(_runs(p) for p in [*workers, *executors]))
    assert set(os.listdir("/dev/shm")) <= before


def _runs(pid):
    try:
        return "(muster" in pathlib.Path(f"/proc/{pid}/stat").read_text() or "_executor" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_no_main_guard_is_needed(python, tmp_path):
    program = """
from muster.distributed import Client
import muster
class Thing:
    def __init__(self, x): self.x = x
def double(t): return Thing(t.x * 2)
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
out = client.submit(double, Thing(21)).result()
print(type(out) is Thing, out.x)
"""
    assert python(program).stdout.split() == ["True", "42"]
    path = tmp_path / "script.py"
    path.write_text(program)
    assert subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60).stdout.split() == ["True", "42"]
    assert subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, timeout=60).stdout.split() == ["True", "42"]


def test_a_local_module_goes_along(tmp_path):
    (tmp_path / "my_module.py").write_text("K = 5\ndef add_k(x): return x + K\nclass Error(Exception): pass\ndef fail(): raise Error('mine')\n")
    (tmp_path / "script.py").write_text(
        """
import my_module
from muster.distributed import Client
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
print(client.submit(my_module.add_k, 1).result())
try:
    client.submit(my_module.fail).result()
except my_module.Error as error:
    print("caught", error)
"""
    )
    out = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=60)
    assert out.stdout.split() == ["6", "caught", "mine"], out.stderr


def test_processes_without_a_client():
    assert muster.compute(*[delayed(os.getpid)() for _ in range(3)], scheduler="processes", num_workers=1)[0] != os.getpid()
    from muster.multiprocessing import get

    assert get({"x": 1, "y": (inc, "x")}, ["y"]) == (2,)
    df = dd.from_pandas(pd.DataFrame({"x": [1, 2, 3]}), npartitions=2)
    assert df.x.sum().compute(scheduler="processes") == 6


def test_interrupt(python):
    program = """
import os, signal, threading, time
from muster.distributed import Client
signal.signal(signal.SIGINT, signal.default_int_handler)
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.time()
try:
    client.submit(time.sleep, 30).result()
except KeyboardInterrupt:
    print("stopped", time.time() - start < 3)
"""
    assert python(program).stdout.split() == ["stopped", "True"]
