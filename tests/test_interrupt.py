"""Ctrl-C and the end of the process while the pool's threads are inside Python: no abort, no wait for what does not end, nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

SETTING = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs behind without it
import pandas as pd
import muster
import muster.bag, muster.dataframe as dd
frame = dd.from_pandas(pd.DataFrame({"a": range(200_000), "s": [f"text {i}" for i in range(200_000)]}), npartitions=8)
def begun(x=None):
    print("begun", flush=True)
    return x
def busy(x):
    begun()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass
    return x
def stubborn(x):
    begun()
    while True:
        try:
            time.sleep(0.05)
        except BaseException:
            pass
def asleep(x, seconds=60):
    begun()
    time.sleep(seconds)
    return x
def soon(x):
    return asleep(x, 1.0)
meta = {"a": "int64", "s": "str"}
slowly = lambda part: (begun(), time.sleep(0.2), part)[2]
"""

RUNS = 8 if os.environ.get("MUSTER_EXAMPLES") == "long" else 1

CALLS = {
    "busy": "frame.map_partitions(busy, meta=meta).compute()",
    "asleep": "frame.map_partitions(asleep, meta=meta).compute()",
    "wakes while the interpreter ends": "frame.map_partitions(soon, meta=meta).compute()",
    "stubborn": "frame.map_partitions(stubborn, meta=meta).compute()",
    "delayed": "muster.compute(*[muster.delayed(busy)(i) for i in range(20)])",
    "bag": "muster.bag.from_sequence(range(40), npartitions=8).map(busy).compute()",
    "one thread": "frame.map_partitions(busy, meta=meta).compute(scheduler='synchronous')",
    "a call over a frame": "muster.delayed(len)(frame.map_partitions(busy, meta=meta)).compute()",
    "calls over partitions": "muster.compute(*[muster.delayed(busy)(p) for p in frame.to_delayed()])",
    "a call over a frame on one thread": "muster.delayed(len)(frame.map_partitions(busy, meta=meta)).compute(scheduler='synchronous')",
    "a later to_csv": "frame.map_partitions(slowly, meta=meta).to_csv('out/x-*.csv', compute=False).compute()",
    "a later to_parquet": "frame.map_partitions(slowly, meta=meta).to_parquet('out', compute=False).compute()",
    "to_csv": "frame.map_partitions(slowly, meta=meta).to_csv('out/x-*.csv')",
    "to_parquet": "frame.map_partitions(slowly, meta=meta).to_parquet('out')",
}


def _start(tmp_path, program):
    return subprocess.Popen([sys.executable, "-c", SETTING + program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", CALLS)
def test_ctrl_c_ends_the_process(kind, tmp_path):
    (tmp_path / "out").mkdir()
    runs = [_start(tmp_path, CALLS[kind]) for _ in range(RUNS)]
    for run in runs:
        assert run.stdout.readline().startswith("begun")
    time.sleep(0.1)
    for run in runs:
        run.send_signal(signal.SIGINT)
    for run in runs:
        _, errors = run.communicate(timeout=30)
        assert run.returncode in (130, -signal.SIGINT), errors
        assert errors.rstrip().endswith("KeyboardInterrupt"), errors
        assert "Fatal Python error" not in errors
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert os.listdir(tmp_path) in (["out"], [])


@pytest.mark.parametrize("kind", ["busy", "asleep", "delayed"])
def test_the_end_does_not_wait_for_a_daemon_thread(kind, tmp_path):
    run = _start(tmp_path, f"threading.Thread(target=lambda: {CALLS[kind]}, daemon=True).start()\ntime.sleep(1.5)\nprint('end')")
    out, errors = run.communicate(timeout=30)
    assert run.returncode == 0, errors
    assert out.endswith("end\n")
    assert errors == ""


ON_A_CLUSTER = """
import gc, os, pathlib, signal, threading, time
gc.disable()  # nothing may wait for the collector
signal.signal(signal.SIGINT, signal.default_int_handler)
import pandas as pd
import muster, muster.dataframe as dd
from muster.distributed import Client, as_completed, futures_of, wait
begun = pathlib.Path("begun").absolute()
def asleep(x, path=str(begun)):
    open(path, "w").close()
    time.sleep(60)
    return x
frame = dd.from_pandas(pd.DataFrame({"a": range(200)}), npartitions=8)
sleeping = frame.map_partitions(asleep, meta={"a": "int64"})
calls = {
    "compute": lambda: muster.compute(*[muster.delayed(asleep)(i) for i in range(6)]),
    "compute of a frame": lambda: sleeping.a.sum().compute(),
    "compute of both": lambda: muster.compute(sleeping.a.sum(), muster.delayed(asleep)(1)),
    "calls over partitions": lambda: muster.compute(*[muster.delayed(asleep)(p) for p in frame.to_delayed()]),
    "a later write": lambda: sleeping.to_csv("out/x-*.csv", compute=False).compute(),
    "gather": lambda: client.gather(client.map(asleep, range(6), pure=False)),
    "persist": lambda: wait(sleeping.persist()),
    "as_completed": lambda: list(as_completed(futures_of(sleeping.persist()))),
    "result": lambda: client.submit(asleep, 1, pure=False).result(),
}
with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
    for kind, call in calls.items():
        begun.unlink(missing_ok=True)
        struck = []
        def strike():
            while not begun.exists():
                time.sleep(0.01)
            time.sleep(0.1)
            struck.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=strike, daemon=True).start()
        try:
            call()
        except KeyboardInterrupt:
            late = time.monotonic() - struck[0]
        else:
            raise AssertionError(kind)
        assert late < LATE, (kind, late)
        # Both workers are free again, and the client goes on.
        assert client.gather(client.map(abs, [-1, -2, -3], pure=False)) == [1, 2, 3], kind
        assert frame.a.sum().compute() == 19900
        assert not os.path.exists("out") or not os.listdir("out"), kind
        print(kind, flush=True)
"""


def test_ctrl_c_on_a_cluster(python):
    """What was waited for is given up within a second, also where it runs, and the client is as before."""
    out = python(ON_A_CLUSTER.replace("LATE", "2"), timeout=100)
    assert out.stdout.splitlines()[-1] == "result"
