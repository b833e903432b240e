"""Queries that are cancelled, released, asked again and left alone at bad moments: the right answer or a clear error, at once, and nothing is left behind."""

import concurrent.futures
import gc
import pickle
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from muster.distributed import Client, LocalCluster, futures_of, get_client, wait
from tests.conftest import same
from tests.distributed.test_persisted import Held
from tests.distributed.test_queries import kill_one, stored, until


@pytest.fixture
def held(tmp_path):
    gate = Held(tmp_path)
    yield gate
    gate.open()


@pytest.fixture
def pdf():
    return pd.DataFrame({"x": np.arange(40), "s": [f"text {i % 7}" for i in range(40)]}, index=np.arange(100, 140))


@pytest.fixture
def df(pdf):
    return dd.from_pandas(pdf, npartitions=8)


@pytest.fixture(autouse=True)
def nothing_is_left(client):
    yield
    gc.collect()
    until(lambda: not client._queries and not client._unsettled)
    until(lambda: not any(client.processing().values()))
    until(lambda: not client._to_come and not client._came)


def at_once(call, seconds=10):
    """Return what a call raises, before so many seconds have passed."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(call).exception(timeout=seconds)


def test_released_while_it_runs(client, df, held):
    kept = held.of(df).persist()
    future = client.compute(held.of(df).x.sum())
    later = (kept.x + 1).persist()
    until(lambda: any(client.processing().values()))
    del kept, future, later
    gc.collect()
    until(lambda: not any(client.processing().values()))
    assert client.submit(pow, 2, 5).result(timeout=30) == 32


def test_persisted_twice(client, df, pdf, held):
    slow = held.of(df)
    one, two = slow.persist(), slow.persist()
    again = one.persist()
    parts = [futures_of(f) for f in (one, two, again)]
    assert len({f.key for p in parts for f in p}) == 24
    del one
    gc.collect()
    held.open()
    for p in parts:
        pd.testing.assert_frame_equal(pd.concat([f.result(timeout=30) for f in p]), pdf)
    same(two, pdf)
    same(again, pdf)
    same(again.persist().persist().x.sum(), pdf.x.sum())


def test_what_depends_on_a_cancelled_query(client, df, held):
    kept = held.of(df).persist()
    chain = (kept.x + 1).persist()
    result = client.compute(chain.sum())
    length = client.submit(len, futures_of(kept)[0])
    waiting = concurrent.futures.ThreadPoolExecutor(1).submit(lambda: kept.x.max().compute())
    time.sleep(0.2)
    client.cancel(kept)
    for call in (lambda: kept.compute(), lambda: chain.compute(), result.result, length.result, waiting.result):
        assert "cancel" in str(at_once(call))
    assert client.submit(pow, 2, 5).result(timeout=30) == 32


def test_what_depends_on_a_query_that_fails(client, df):
    def broken(part):
        raise ZeroDivisionError("no good")

    kept = df.map_partitions(broken, meta=df._meta).persist()
    chain = (kept.x + 1).persist()
    result = client.compute(chain.sum())
    length = client.submit(len, futures_of(kept)[0])
    for call in (lambda: kept.compute(), lambda: chain.compute(), result.result, length.result, futures_of(chain)[3].result):
        assert isinstance(at_once(call), ZeroDivisionError)


def test_cancelled_while_others_wait_for_it(client, df, pdf, held):
    future = client.compute(held.of(df))
    same_future = client.compute(held.of(df))
    after = client.submit(len, future)
    ended = []
    threads = [threading.Thread(target=lambda f: ended.append(at_once(f.result)), args=(f,)) for f in (future, same_future, after)]
    for t in threads:
        t.start()
    time.sleep(0.2)
    future.cancel()
    for t in threads:
        t.join(15)
    assert len(ended) == 3
    assert all("cancel" in str(e) for e in ended)
    held.open()
    same(held.of(df), pdf)
    assert client.compute(held.of(df)).result(timeout=30).equals(pdf)  # the same key, made anew


def test_a_client_is_closed_with_queries_that_run(cluster, client, df, pdf, held):
    before = stored(client)
    other = Client(cluster, set_as_default=False)
    with other.as_current():
        done = df.persist()
        wait(done)
        kept, future = held.of(df).persist(), other.compute(held.of(df).x.sum())
        parts = futures_of(kept)
        task = other.submit(len, parts[0])
    until(lambda: any(client.processing().values()))
    begun = time.monotonic()
    other.close()
    assert time.monotonic() - begun < 5
    calls = {
        "future": future.result,
        "partition": parts[0].result,
        "task": task.result,
        "pending": lambda: kept.compute(),
        "persisted": lambda: done.compute().equals(pdf) or 1 / 0,
        "pending, elsewhere": lambda: kept.x.sum().compute(scheduler=client),
        "persisted, elsewhere": lambda: done.x.sum().compute(scheduler=client) == pdf.x.sum() or 1 / 0,
        "persisted, on threads": lambda: done.compute(scheduler="threads").equals(pdf) or 1 / 0,
        "futures": lambda: futures_of(done)[0].result(),
        "futures of pending": lambda: futures_of(kept)[0].result(),
        "pickle": lambda: pickle.loads(pickle.dumps(done)).compute().equals(pdf) or 1 / 0,
    }
    for what, call in calls.items():
        error = at_once(call)  # what is still in this process may be had
        assert any(word in str(error) for word in ("clos", "cancel", "lost")) or (error is None and what.startswith(("persisted", "pickle"))), (what, error)
    until(lambda: not any(client.processing().values()))
    until(lambda: stored(client) <= before)
    same(df.x.sum(), pdf.x.sum())


def test_two_clients(cluster, client, df, pdf, held):
    with Client(cluster, set_as_default=False) as other:
        with other.as_current():
            kept = held.of(df).persist()
        mine = client.compute(kept.x.sum())
        parts = futures_of(kept)
        total = client.submit(lambda frames: sum(len(f) for f in frames), parts)
        threading.Timer(0.5, held.open).start()
        assert kept.x.sum().compute(scheduler=client) == pdf.x.sum()
        assert mine.result(timeout=30) == pdf.x.sum()
        assert total.result(timeout=30) == 40
        same((kept.x + 1).persist(scheduler=client), pdf.x + 1)
        for f, (_, part) in zip(futures_of(kept), pdf.groupby(np.arange(40) // 5), strict=True):
            assert f.result().equals(part)
        mine = (kept.x + 1).persist(scheduler=client)
        wait(mine)
    same(mine, pdf.x + 1)
    kill_one(client)
    same(mine, pdf.x + 1)  # what it was made of is made again


def test_a_worker_dies_between_persist_and_the_next_query(client, df, pdf, held):
    done = df.groupby("s").x.sum().persist()
    wait(done)
    slow = held.of(df).persist()
    kill_one(client)
    later = client.compute(slow.x.sum())
    held.open()
    kill_one(client, 1)
    same(done, pdf.groupby("s").x.sum())
    assert later.result(timeout=60) == pdf.x.sum()
    same(slow, pdf)


def test_the_cluster_ends_with_queries_that_run(pdf, held):
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with Client(cluster, set_as_default=False) as client, client.as_current():
        df = dd.from_pandas(pdf, npartitions=8)
        done = df.persist()
        wait(done)
        kept, future = held.of(df).persist(), client.compute(held.of(df).x.sum())
        waiting = concurrent.futures.ThreadPoolExecutor(1).submit(lambda: kept.x.max().compute(scheduler=client))
        time.sleep(0.3)
        cluster.close()
        calls = {
            "future": future.result,
            "partition": lambda: futures_of(kept)[0].result(),
            "waiting": waiting.result,
            "pending": lambda: kept.compute(scheduler=client),
            "persisted": lambda: done.x.sum().compute(scheduler=client),
            "again": lambda: client.compute(done).result(),
        }
        for what, call in calls.items():
            error = at_once(call)
            assert any(word in str(error) for word in ("clos", "cancel", "connection", "scheduler")), (what, error)


def test_queries_inside_of_tasks(client, df, pdf):
    kept = df.persist()

    def inside(frame):
        with get_client().as_current():
            return asked(frame)

    def asked(frame):
        own = (frame.x + 1).persist()
        parts = futures_of(own)
        return own.sum().compute(), len(parts), parts[0].result().tolist(), len(frame.compute())

    data = pickle.dumps(kept)
    assert client.submit(lambda: inside(pickle.loads(data))).result(timeout=60) == (pdf.x.sum() + 40, 8, [1, 2, 3, 4, 5], 40)


def test_nobody_can_run_it(client, df):
    """Whoever waits is told why within moments, and goes on waiting."""
    nobody = {
        "is one of nobody;": {"workers": ["nobody"]},
        "has 2 GPU;": {"resources": {"GPU": 2}},
        "is one of nobody and has 2 GPU, 1 TPU;": {"workers": ["nobody"], "resources": {"GPU": 2, "TPU": 1}},
    }
    futures = []
    for n, how in enumerate(nobody.values()):
        with muster.annotate(**how):
            part = df.map_partitions(lambda part, n: part, n, meta=df._meta)
        futures += [client.compute((df.x + n).sum(), **how), client.compute(part.x.sum()), client.submit(len, futures_of((df.x - n).persist(**how))[0])]
    begun = time.monotonic()
    with pytest.warns(UserWarning) as told:
        for f in futures:
            with pytest.raises(TimeoutError, match="has not ended after"):
                f.result(timeout=max(begun + 4 - time.monotonic(), 0))
    for why in nobody:
        assert sum(why in str(w.message) for w in told) >= 3
    client.cancel(futures)


def test_a_computation_that_nobody_can_run_goes_on_when_somebody_can(pdf, nothing_is_left):
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster):
        df = dd.from_pandas(pdf, npartitions=4)
        grown = threading.Timer(3, cluster.scale, (1,))
        grown.start()
        with pytest.warns(UserWarning, match="there is no worker"):
            assert df.x.sum().compute() == pdf.x.sum()
        grown.join()
        kept = df.persist()
        with pytest.raises(TimeoutError), pytest.warns(UserWarning, match="has 1 GPU"):
            wait(df.persist(resources={"GPU": 1}), timeout=3)
        same(kept, pdf)


def test_many_at_once(client, df, pdf, tmp_path):
    """Persisted, asked, cancelled and dropped from several threads."""
    errors = []

    def run(seed):
        random = np.random.default_rng(seed)
        try:
            for _ in range(6):
                kept = (df.x + seed).persist()
                kind = random.integers(0, 5)
                if kind == 0:
                    del kept
                    continue
                if kind == 1:
                    client.cancel(futures_of(kept)[int(random.integers(0, 8))])
                if kind == 2:
                    assert client.gather(client.map(len, futures_of(kept))) == [5] * 8
                if kind == 3:
                    assert sum(f.result().sum() for f in futures_of(kept)) == (pdf.x + seed).sum()
                assert kept.sum().compute() == (pdf.x + seed).sum()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not errors
    assert not any(t.is_alive() for t in threads)
