"""What puts the parts of a result together runs in the client's process: the answers are the same, and so are interrupts, errors and limits."""

import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same
from muster.distributed import Client

ROWS = 40_000


@pytest.fixture(scope="module")
def pdf():
    random = np.random.default_rng(3)
    k = random.integers(0, ROWS // 2, ROWS)
    texts = [f"text number {i}" for i in k]
    return pd.DataFrame({"k": k, "s": texts, "x": random.random(ROWS), "b": random.random(ROWS) < 0.5, "i": random.integers(-9, 9, ROWS)})


QUESTIONS = {
    "many groups": lambda df: df.groupby("k").x.sum(),
    "few groups": lambda df: df.groupby("i").x.sum(),
    "texts": lambda df: df.groupby("s").agg({"x": "max", "i": "first"}),
    "texts and numbers": lambda df: df.groupby(["s", "i"]).x.count(),
    "in order of appearance": lambda df: df.groupby("s", sort=False).i.sum(),
    "with steps behind": lambda df: (df.groupby("k").x.sum() * 2).round(3).reset_index(),
    "renamed": lambda df: df.groupby("k").x.sum().rename("y").to_frame(),
    "a filter behind": lambda df: df.groupby("s").i.sum().loc[lambda s: s > 5],
    "value_counts": lambda df: df.i.value_counts(),
    "drop_duplicates": lambda df: df[["i", "b"]].drop_duplicates(),
    "no rows": lambda df: df[df.x > 2].groupby("s").x.sum(),
    "one of two that are read": lambda df: df.groupby("k").x.sum().max(),
}


@pytest.mark.parametrize("n", [1, 3, 70])
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answers_are_those_of_threads(client, pdf, name, n):
    question = QUESTIONS[name]
    made = question(dd.from_pandas(pdf, npartitions=n)).compute()
    with muster.config.set(scheduler="threads"):
        threads = question(dd.from_pandas(pdf, npartitions=n)).compute()
    if isinstance(threads, (pd.DataFrame, pd.Series)):
        same(made, threads)
    else:
        assert made == threads


def test_several_at_once_and_one_that_others_read(client, pdf):
    df = dd.from_pandas(pdf, npartitions=5)
    sums, counts = df.groupby("k").x.sum(), df.groupby("s").x.count()
    made = muster.compute(sums, counts, sums.max(), df.x.min())
    pd.testing.assert_series_equal(made[0], pdf.groupby("k").x.sum())
    pd.testing.assert_series_equal(made[1], pdf.groupby("s").x.count())
    assert made[2] == pytest.approx(pdf.groupby("k").x.sum().max()) and made[3] == pdf.x.min()


def test_no_worker_joins_what_the_client_wants(client, pdf):
    """What stays is joined by a worker, which holds it; what is brought leaves nothing there."""
    sums = dd.from_pandas(pdf, npartitions=5).groupby("s").x.sum()
    sums.compute()
    assert not client.who_has()
    kept = sums.persist()
    same(kept.compute(), pdf.groupby("s").x.sum())
    same(client.compute(sums).result(), pdf.groupby("s").x.sum())
    with muster.annotate(retries=1):
        same(dd.from_pandas(pdf, npartitions=5).groupby("s").x.sum().compute(), pdf.groupby("s").x.sum())


def test_what_is_brought_may_be_written_to(client, pdf):
    made = dd.from_pandas(pdf, npartitions=3).groupby("s").agg({"x": "sum", "i": "max"}).compute()
    expected = pdf.groupby("s").agg({"x": "sum", "i": "max"})
    made["x"] += 1
    made.iloc[0, 1] = 77
    expected["x"] += 1
    expected.iloc[0, 1] = 77
    pd.testing.assert_frame_equal(made, expected)
    one_group = dd.from_pandas(pdf.assign(k=1), npartitions=3).groupby("k").x.sum().compute()
    one_group.iloc[0] = 5.0
    assert one_group.tolist() == [5.0]


def test_a_worker_that_dies_beside_is_no_matter(pdf):
    sums = dd.from_pandas(pdf, npartitions=9).groupby("s").x.sum()
    expected = pdf.groupby("s").x.sum()
    over = threading.Event()
    with muster.config.set({"distributed.scheduler.allowed-failures": 200}), Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:

        def kill():
            while not over.wait(0.3):
                if workers := list(client.scheduler_info()["workers"].values()):
                    os.kill(workers[0]["pid"], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                pd.testing.assert_series_equal(sums.compute(), expected)
        finally:
            over.set()
            killer.join()


def test_a_limit_of_the_client_is_named(python):
    """As on threads: what does not fit into this process is refused, and the cluster goes on."""
    program = """
import numpy as np, pandas as pd, muster, muster.dataframe as dd
from muster.distributed import Client

def part(i):
    return pd.DataFrame({"k": np.arange(i * 200_000, (i + 1) * 200_000), "x": 1.0})

with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
    df = dd.from_map(part, range(8), meta=part(0)[:0])
    with muster.config.set({"memory-limit": "16MB"}):
        try:
            print(len(df.groupby("k").x.sum().compute()))
        except MemoryError as e:
            print("refused:", e)
    print(len(df.groupby("k").x.sum().compute()))
"""
    first, second = python(program).stdout.splitlines()
    assert first.startswith("refused: ") and "memory" in first, first
    assert second == "1600000"


def test_an_interrupt_ends_it(python):
    program = """
import os, signal, threading, time, numpy as np, pandas as pd, muster.dataframe as dd
from muster.distributed import Client

def part(i):
    return pd.DataFrame({"k": [f"a text of some length {j}" for j in range(i * 60_000, (i + 1) * 60_000)], "x": 1.0})

with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
    kept = dd.from_map(part, range(8), meta=part(0)[:0]).persist()
    start = time.monotonic()
    kept.groupby("k").x.sum().compute()
    took = time.monotonic() - start
    for share in (0.5, 0.7, 0.85, 0.95):
        timer = threading.Timer(took * share, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            kept.groupby("k").x.sum().compute()
            timer.cancel(), timer.join()
        except KeyboardInterrupt:
            pass
    time.sleep(0.1)
    print(len(kept.groupby("k").x.sum().compute()))
"""
    assert python(program, timeout=100).stdout.split()[-1] == "480000"
