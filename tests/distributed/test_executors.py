"""Executor processes that are interrupted, do not start, or die; what they hold and what is held for them."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same
from muster.distributed import CancelledError, Client, KilledWorker, LocalCluster, as_completed, get_client, get_worker, wait
from muster.distributed._errors import ClosedClientError

_PATIENCE = 30


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.02)


@pytest.fixture
def one():
    """A client of one worker with one thread."""
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


# ---- interrupted


def test_an_import_is_not_interrupted(one, tmp_path):
    # A module that can be begun only once in a process, as those that register something do.
    (tmp_path / "only_once.py").write_text(
        "import builtins, time\nassert not hasattr(builtins, 'begun')\nbuiltins.begun = True\n"
        "end = time.time() + 1\nwhile time.time() < end: pass\nvalue = 42\n"
    )

    def load(folder):
        import sys

        if folder not in sys.path:
            sys.path.insert(0, folder)
        import only_once

        return only_once.value

    one.submit(int, 1).result(timeout=_PATIENCE)
    first = one.submit(load, str(tmp_path), pure=False)
    time.sleep(0.3)
    first.cancel()
    assert first.cancelled()
    assert one.submit(load, str(tmp_path), pure=False).result(timeout=_PATIENCE) == 42


def test_what_was_interrupted_is_replaced(one):
    def pid():
        return os.getpid()

    before = one.submit(pid, pure=False).result(timeout=_PATIENCE)
    for what in (lambda: time.sleep(60), _swallows, _cleans_up):
        task = one.submit(what, pure=False)
        time.sleep(0.2)
        task.cancel()
        after = one.submit(pid, pure=False).result(timeout=_PATIENCE)
        assert after != before
        before = after


def _swallows():
    try:
        time.sleep(60)
    except BaseException as error:
        return repr(error)


def _cleans_up():
    while True:
        try:
            time.sleep(60)
        finally:
            time.sleep(0.05)


def test_a_finalizer_is_not_interrupted(one, tmp_path):
    log = tmp_path / "log"

    def drops(log):
        class Slow:
            def __del__(self):
                time.sleep(0.15)
                with open(log, "a") as file:
                    file.write("x")

        while True:
            Slow()

    task = one.submit(drops, str(log))
    until(log.exists)
    task.cancel()
    with pytest.raises(Exception, match="cancelled"):
        task.result(timeout=_PATIENCE)
    assert one.submit(int, 3).result(timeout=_PATIENCE) == 3


def test_nobody_sees_how_a_task_is_ended(one):
    def wraps():
        try:
            time.sleep(60)
        except BaseException as error:
            raise ValueError("mine") from error

    for function in (wraps, _swallows, lambda: time.sleep(60)):
        with pytest.raises(TimeoutError) as caught:
            one.submit(function, timeout=0.2, pure=False).result(timeout=_PATIENCE)
        assert "TaskStopped" not in repr(caught.value) and caught.value.__cause__ is None


def test_a_cancelled_pipeline(tmp_path):
    import pandas as pd

    import muster.dataframe as dd

    def one_raises(part):
        if part.x.iloc[0] == 2:
            (tmp_path / "begun").touch()
            end = time.time() + 60
            while time.time() < end:
                pass
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        raise ValueError("the other one")

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster, Client(cluster) as client:
        df = dd.from_pandas(pd.DataFrame({"x": [1, 2]}), npartitions=2)
        with pytest.raises(ValueError, match="the other one"):
            df.map_partitions(one_raises, meta={"x": "int64"}).compute()
        start = time.monotonic()
        meet = [client.submit(_meets, str(tmp_path), me, other) for me, other in (("a", "b"), ("b", "a"))]
        assert client.gather(meet) == ["b", "a"]
        assert time.monotonic() - start < 10


def _meets(folder, me, other):
    pathlib.Path(folder, me).touch()
    end = time.time() + 20
    while not pathlib.Path(folder, other).exists() and time.time() < end:
        time.sleep(0.01)
    return other if pathlib.Path(folder, other).exists() else None


# ---- that do not start


BROKEN = """
import sys, time
from muster.distributed import Client
open("pickle.py", "w").write("raise RuntimeError('this is not the pickle you are looking for')")
client = Client(n_workers=1, threads_per_worker=2, dashboard_address=None)
start = time.time()
futures = client.map(int, range(20))
for future in futures:
    try:
        future.result(timeout=40)
    except OSError as error:
        assert "not the pickle" in str(error), error
        assert "tried" in str(error), error
    else:
        raise SystemExit("it ran")
print("told", time.time() - start < 25)
"""


def test_an_executor_that_cannot_start_is_named(python):
    done = python(BROKEN)
    assert done.stdout.split() == ["told", "True"]
    assert done.stderr.count("Traceback") < 3


FEW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from muster.distributed import Client
with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
    print(client.submit(sum, [1, 2], pure=False).result(timeout=30), len(client.gather(client.map(bytes, range(50)))))
"""


def test_few_descriptors(python):
    assert python(FEW).stdout.split() == ["3", "50"]


# ---- that die


def made(i, size):
    return bytes([i % 251]) * size


@pytest.mark.parametrize("size", [10, 5000, 100_000])
def test_many_inputs_of_one_task(one, size):
    """A few bytes go into the request, many into one memory file."""

    def wrong(values):
        return [i for i, value in enumerate(values) if value != bytes([i % 251]) * size]

    assert one.submit(wrong, one.map(made, range(200), [size] * 200)).result() == []



@pytest.mark.parametrize("how", ["exit", "kill", "close"])
def test_a_death_is_noticed_though_a_child_lives(one, how):
    def dies(how):
        if how != "close" and os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        if how == "exit":
            os._exit(3)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os.closerange(3, 20)
        time.sleep(60)

    start = time.monotonic()
    with pytest.raises(KilledWorker, match="status 3" if how == "exit" else "signal 9"):
        one.submit(dies, how, pure=False).result(timeout=_PATIENCE)
    assert time.monotonic() - start < 20
    assert one.submit(int, 1).result(timeout=_PATIENCE) == 1


def test_children_of_a_dead_executor_end(one, tmp_path):
    def forks(path):
        import subprocess

        pathlib.Path(path).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
        time.sleep(60)

    task = one.submit(forks, str(tmp_path / "pid"))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    task.cancel()
    child = int((tmp_path / "pid").read_text())
    until(lambda: not pathlib.Path(f"/proc/{child}").exists() or ") Z" in pathlib.Path(f"/proc/{child}/stat").read_text())


# ---- that say what cannot be read


OTHER = """
import os, sys, time
from muster.distributed import Client
executor = os.path.abspath("executor")
open(executor, "w").write("#!/bin/sh\\n" + os.environ["SAYS"] + " >&4; exec sleep 60\\n")
os.chmod(executor, 0o700)
sys.executable = executor
client = Client(n_workers=1, threads_per_worker=1, dashboard_address=None)
try:
    client.submit(int).result(timeout=40)
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("says", ["printf 0123456789abcdef", "head -c 4000 /dev/zero", "echo usage: python"])
def test_a_program_that_is_no_executor_is_named(python, says):
    assert "what it said is no reply" in python(OTHER, SAYS=says).stdout


@pytest.mark.parametrize("said", [b"x" * 100, b"\0" * 16, b"\xff" * 3000])
def test_an_executor_that_says_what_is_no_reply(one, tmp_path, said):
    def damages(mark, said):
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.write(4, said)
            time.sleep(60)
        return "well"

    others = one.map(lambda x: x + 1, range(50))
    assert one.submit(damages, str(tmp_path / "mark"), said).result(timeout=_PATIENCE) == "well"
    assert one.gather(others) == list(range(1, 51))


def test_an_executor_that_never_says_what_can_be_read(one):
    with pytest.raises(KilledWorker, match="what it said is no reply"):
        one.submit(lambda: os.write(4, b"?" * 100) and time.sleep(60), pure=False).result(timeout=_PATIENCE)
    assert one.submit(int, 1).result(timeout=_PATIENCE) == 1


def test_an_executor_that_ends_in_the_middle_of_a_reply(one, tmp_path):
    def breaks_off(mark):
        if not os.path.exists(mark):
            open(mark, "w").close()
            os.write(4, b"\1\0\0")
            os.kill(os.getpid(), signal.SIGKILL)
        return "well"

    assert one.submit(breaks_off, str(tmp_path / "mark")).result(timeout=_PATIENCE) == "well"


# ---- descriptors


MANY = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from muster.distributed import Client, wait
with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
    made = client.map(lambda i: bytes([i % 251]) * 1_200_000, range(160))
    wait(made, timeout=50)
    print(client.submit(lambda all: sum(a[7] for a in all), made).result(timeout=40) == sum(i % 251 for i in range(160)))
    print([a[-1] for a in client.gather(made)] == [i % 251 for i in range(160)])
    print([a[0] for a in client.gather(client.map(lambda a, b: a[:2] + b[:2], made[:-1], made[1:]))] == [i % 251 for i in range(159)])
"""


def test_more_large_results_than_descriptors(python):
    assert python(MANY).stdout.split() == ["True"] * 3


def test_a_task_that_leaves_files_open(one):
    def keeps_files():
        import builtins
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        builtins.kept = []
        try:
            while True:
                builtins.kept.append(open("/dev/null"))
        except OSError:
            return len(builtins.kept)

    assert one.submit(keeps_files).result(timeout=_PATIENCE) > 10
    with pytest.raises(OSError, match="descriptor|open files"):
        one.submit(len, one.scatter(bytes(2_000_000)), pure=False).result(timeout=_PATIENCE)


# ---- what is never used again


DROPPED = """
import os, time
from muster.distributed import Client

def memory_of(pid):
    size, resident, shared = map(int, open(f"/proc/{pid}/statm").read().split()[:3])
    return (resident - shared) * 4096

def big(n):
    ballast = os.urandom(2_000_000)
    return lambda: len(ballast) + n

with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
    executor = client.submit(os.getpid, pure=False).result()
    (worker,) = [w["pid"] for w in client.scheduler_info()["workers"].values()]
    everybody = (os.getpid(), worker, executor)
    assert [client.submit(big(n)).result() for n in range(3)] == [2_000_000 + n for n in range(3)]
    before = [memory_of(p) for p in everybody]
    assert [client.submit(big(n)).result() for n in range(40)] == [2_000_000 + n for n in range(40)]
    assert client.submit(os.getpid, pure=False).result() == executor
    time.sleep(0.3)
    print(*[memory_of(p) - b for p, b in zip(everybody, before)])
"""


def test_functions_are_dropped(python):
    grown = [int(b) for b in python(DROPPED).stdout.split()]
    assert len(grown) == 3 and max(grown) < 20_000_000, grown


def test_a_function_is_there_while_a_task_may_need_it(one):
    ballast = os.urandom(3_000_000)
    first = one.submit(lambda: len(ballast), pure=False)
    assert first.result(timeout=_PATIENCE) == 3_000_000
    for _ in range(3):
        more = os.urandom(3_000_000)
        assert one.submit(lambda x, more=more: x + len(more), first).result(timeout=_PATIENCE) == 6_000_000
    for worker in one.scheduler_info()["workers"].values():
        os.kill(worker["pid"], signal.SIGKILL)
    assert one.submit(lambda x: x + 1, first).result(timeout=_PATIENCE) == 3_000_001


CLOSED = """
import gc, os
from muster.distributed import Client, LocalCluster
gc.disable()
fds = lambda: len(os.listdir("/proc/self/fd"))
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
options = dict(n_workers=1, threads_per_worker=1, dashboard_address=None)
Client(**options).close()
before, memory = fds(), resident()
kept = []
for _ in range(10):
    client = Client(**options)
    client.submit(int, 1)
    client.close()
    cluster = LocalCluster(**options)
    cluster.close()
    kept.append((client, cluster))
print(fds() - before, (resident() - memory) // 2**20)
del kept, client, cluster
from muster.distributed._client import Client
print(sum(type(o) is Client for o in gc.get_objects()))
"""


def test_what_is_closed_is_given_back(python):
    fds, megabytes, clients = map(int, python(CLOSED).stdout.split())
    assert fds <= 0
    assert megabytes <= 10
    assert clients == 0


def test_memory_of_executors_counts(one):
    def holds():
        ballast = bytearray(b"x") * 300_000_000
        time.sleep(3)
        return len(ballast)

    future = one.submit(holds)
    (address,) = one.scheduler_info()["workers"]
    until(lambda: one.scheduler_info()["workers"][address]["metrics"]["memory"] > 300_000_000)
    assert future.result(timeout=_PATIENCE) == 300_000_000
    until(lambda: one.scheduler_info()["workers"][address]["metrics"]["memory"] < 300_000_000)
    kept = one.submit(lambda: b"y" * 200_000_000)
    kept.result(timeout=_PATIENCE)
    until(lambda: one.scheduler_info()["workers"][address]["metrics"]["memory"] > 200_000_000)


# ---- tasks that give their thread back


SECEDED = """
import os, pathlib, threading, time
from muster.distributed import Client, worker_client, secede

def count(pid):
    out = 0
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        out += int(fields[1]) == pid and fields[0] != "Z"
    return out

def waits(i):
    secede()
    time.sleep(3)
    return i

def tree(depth):
    if depth == 0:
        return 1
    with worker_client() as client:
        return sum(client.gather(client.map(tree, [depth - 1] * 2, pure=False)))

with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
    (worker,) = [w["pid"] for w in client.scheduler_info()["workers"].values()]
    most, over = 0, False
    def look():
        global most
        while not over:
            most = max(most, count(worker))
            time.sleep(0.02)
    looks = threading.Thread(target=look)
    looks.start()
    waiting = client.map(waits, range(20))
    print(client.gather(waiting) == list(range(20)))
    over = True
    looks.join()
    print(most < 20, most)
    print(client.submit(tree, 2).result(timeout=50))
"""


def test_seceded_tasks_are_few(python):
    done, few, most, leaves = python(SECEDED, timeout=90).stdout.split()
    assert (done, few, leaves) == ("True", "True", "4"), most


def add(x, y):
    return x + y


def by_gather(c, fs):
    return c.gather(fs)


def by_result(c, fs):
    return [f.result() for f in fs]


def by_as_completed(c, fs):
    return sorted(f.result() for f in as_completed(fs))


def by_wait(c, fs):
    return [f.result() for f in wait(fs).done]


def by_asking(c, fs):
    while not all([f.done() for f in fs]):
        time.sleep(0.01)
    return by_result(c, fs)


@pytest.mark.parametrize("waits", [by_gather, by_result, by_as_completed, by_wait, by_asking])
def test_a_task_that_waits_for_its_own_tasks_gives_way(one, waits):
    # The only thread is the waiting task's; nobody said secede().
    def outer(n):
        c = get_client()
        return sum(waits(c, c.map(add, range(n), range(n), pure=False)))

    assert one.submit(outer, 4, pure=False).result(timeout=_PATIENCE) == 12


def test_tasks_inside_of_tasks_take_free_threads_first():
    def outer():
        return get_client().submit(lambda: get_worker().address, pure=False).result(), get_worker().address

    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        for _ in range(6):
            inner, around = client.submit(outer, pure=False).result(timeout=_PATIENCE)
            assert inner != around


# ---- results after the end


@pytest.fixture
def ended_futures():
    """A client of a cluster, with a pending, a small, a large and a failed future."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        futures = [client.submit(time.sleep, 60), client.submit(int, 3), client.submit(bytes, 3_000_000), client.submit(int, "x")]
        until(lambda: all(f.done() for f in futures[1:]), _PATIENCE)
        yield client, cluster, futures


@pytest.mark.parametrize("end", ["client", "cluster", "both"])
def test_a_result_after_the_end(ended_futures, end):
    client, cluster, (pending, small, large, failed) = ended_futures
    why = "the client was closed" if end != "cluster" else "the cluster was closed"
    if end != "cluster":
        client.close()
    if end != "client":
        cluster.close()
    start = time.monotonic()
    assert pending.status == "cancelled" and pending.done()
    for future in (pending, large):
        for ask in (future.result, lambda future=future: client.gather(future)):
            with pytest.raises(CancelledError, match=why) as caught:
                ask()
            assert future.key in str(caught.value)
    assert small.result() == 3 and small.exception() is None
    assert large.exception() is None
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()
    for call in (client.nthreads, client.who_has, lambda: client.submit(int), lambda: client.scatter(1)):
        with pytest.raises((ClosedClientError, OSError), match="closed"):
            call()
    assert time.monotonic() - start < 3


def test_who_waits_while_the_cluster_is_closed_is_told():
    for end in ("client", "cluster"):
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            future = client.submit(time.sleep, 60)
            told = []
            future.add_done_callback(lambda f, told=told: told.append(f.status))
            threading.Timer(0.3, (client if end == "client" else cluster).close).start()
            with pytest.raises(CancelledError, match=f"the {end} was closed"):
                future.result(timeout=_PATIENCE)
            until(lambda told=told: told == ["cancelled"])


def test_a_result_whose_holder_died(one):
    data = one.scatter(bytes(2_000_000))
    for worker in one.scheduler_info()["workers"].values():
        os.kill(worker["pid"], signal.SIGKILL)
    with pytest.raises(CancelledError, match="scattered") as caught:
        data.result(timeout=_PATIENCE)
    assert data.key in str(caught.value)


def test_a_scheduler_that_died():
    program = (
        "from muster.distributed import LocalCluster\nimport time\nc = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
        "print(c.scheduler_address, flush=True)\ntime.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        client = Client(process.stdout.readline().strip())
        pending, large = client.submit(time.sleep, 60), client.submit(bytes, 3_000_000)
        until(large.done, _PATIENCE)
        process.kill()
    until(pending.done)
    for future in (pending, large):
        with pytest.raises(CancelledError, match="the connection to the scheduler was lost"):
            future.result(timeout=_PATIENCE)
    with pytest.raises(OSError, match="the connection to the scheduler was lost"):
        client.submit(int)
    client.close()


def _large(i):
    return bytes([i % 256]) * 1_050_000


def _small(i):
    return bytes([i % 256]) * 1000


def _ends(values):
    return [(len(v), v[0]) for v in values]


def test_many_large_and_many_small_inputs(one):
    """More descriptors than one datagram takes, and a request that lies in memory itself."""
    futures = one.map(_large, range(205), pure=False) + one.map(_small, range(120), pure=False)
    assert one.submit(_ends, futures).result(timeout=60) == [(1_050_000, i % 256) for i in range(205)] + [(1000, i % 256) for i in range(120)]


def test_functions_are_not_broken_off_by_a_new_plan(tmp_path):
    class Noted:
        def __call__(self, part):
            if len(part) != 100:
                return part
            path = tmp_path / f"{part.index[0]}-{os.getpid()}-{time.time_ns()}"
            with open(path, "wb", buffering=0) as file:
                file.write(b"begin ")
                sum(range(3_000_000))  # in C, which no signal ends
                file.write(b"end")
            return part if part.index[0] == 0 else part + 0.5

    frame = pd.DataFrame({"x": range(800)})
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        result = dd.from_pandas(frame, npartitions=8).map_partitions(Noted()).compute()
    same(result, frame + pd.Series([0.0] * 100 + [0.5] * 700).to_frame("x"))
    files = list(tmp_path.iterdir())
    starts, processes = zip(*(path.name.split("-")[:2] for path in files), strict=True)
    assert set(starts) == {str(100 * i) for i in range(8)}
    assert all(path.read_bytes() == b"begin end" for path in files)
    assert len(set(processes)) <= 2
