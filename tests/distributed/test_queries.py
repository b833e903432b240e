"""DataFrames on a cluster: where partitions stay, what annotations say of them, futures of their results."""

import decimal
import fractions
import gc
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from muster.distributed import Client, LocalCluster, futures_of, get_worker, wait
from tests.conftest import same


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.02)


def stored(client):
    """Bytes of results that the scheduler knows of."""
    return dict(client._core.ask("counts", None))["bytes"]


def kill_one(client, number=0):
    pids = [w["pid"] for w in client.scheduler_info()["workers"].values()]
    os.kill(pids[number % len(pids)], signal.SIGKILL)
    until(lambda: sorted(w["pid"] for w in client.scheduler_info()["workers"].values()) != sorted(pids) and len(client.nthreads()) == len(pids))


@pytest.fixture
def csv(tmp_path):
    """A file whose column `late` gets its only missing value in the last partition, read in about seven."""
    pdf = pd.DataFrame({"k": np.arange(7000) % 5, "x": np.arange(7000) / 4, "s": [f"text {i % 13}" for i in range(7000)]})
    pdf["late"] = [*map(float, range(6999)), None]
    pdf.late = pdf.late.astype("Int64")
    pdf.to_csv(tmp_path / "t.csv", index=False)
    return str(tmp_path / "t.csv"), pd.read_csv(tmp_path / "t.csv")


def read(path):
    return dd.read_csv(path, blocksize=os.path.getsize(path) // 7 + 1, sample=2000)


# ---- persist


def test_persisted_partitions_stay_on_the_workers(client, csv):
    path, pdf = csv
    kept = read(path).persist()
    wait(kept)
    parts = futures_of(kept)
    assert len(parts) == kept.npartitions > 4
    assert all(len(where) >= 1 for where in client.who_has(parts).values())
    assert {f.status for f in parts} == {"finished"}
    same(kept, pdf)
    same(kept.late, pdf.late)
    same(kept[kept.k == 3].x.sum(), pdf[pdf.k == 3].x.sum())
    same(kept.groupby("s").late.sum(), pdf.groupby("s").late.sum())
    same(kept.partitions[2], read(path).partitions[2].compute())
    same(kept.index.to_series(), pdf.index.to_series())
    same(kept.head(3), pdf.head(3))
    pd.testing.assert_frame_equal(pd.concat([f.result() for f in parts]), pdf)


def test_persisted_frames_are_persisted_again(client, csv):
    path, pdf = csv
    df = read(path)
    x, late = muster.persist(df.x, df.late)
    both = (x + 1).persist()
    del x
    gc.collect()
    same(both, pdf.x + 1)
    same(late.persist(), pdf.late)
    alone = df.groupby("k").x.sum().persist()
    same(alone, pdf.groupby("k").x.sum())
    same((alone * 2).persist(), pdf.groupby("k").x.sum() * 2)


def test_what_was_persisted_is_freed_with_the_last_handle(client, csv):
    path, pdf = csv
    before = stored(client)
    kept = read(path).persist()
    same(kept.x.sum(), pdf.x.sum())
    parts = futures_of(kept)
    assert stored(client) > before + 7000 * 8
    del kept
    gc.collect()
    time.sleep(0.3)
    assert stored(client) > before + 7000 * 8
    del parts
    gc.collect()
    until(lambda: stored(client) <= before)


def test_persisted_partitions_of_a_killed_worker_are_made_again(client, csv):
    path, pdf = csv
    kept = read(path).persist()
    again = (dd.from_pandas(pdf, npartitions=5).x * 2).persist()  # what it is made of lies in this process, if the frame does
    same(again, pdf.x * 2)
    for n in range(3):
        kill_one(client, n)
        same(kept, pdf)
        same(again, pdf.x * 2)


def test_rows_of_this_process_are_sent_again(client):
    pdf = pd.DataFrame({"x": np.arange(1000), "s": [str(i) for i in range(1000)]})
    df = dd.from_pandas(pdf, npartitions=6)
    slow = df.map_partitions(lambda part: time.sleep(0.3) or part)
    for n in range(2):
        same(df.x.sum(), pdf.x.sum())
        kill_one(client, n)
        same(df, pdf)
    import threading

    killed = threading.Timer(0.5, kill_one, (client,))
    killed.start()
    same(slow, pdf)  # while it runs
    killed.join()


def test_a_persisted_frame_is_computed_elsewhere(client, csv):
    path, pdf = csv
    kept = read(path)[["x", "late"]].persist()
    expected = pdf[["x", "late"]]
    pd.testing.assert_frame_equal(kept.compute(scheduler="threads"), expected)
    pd.testing.assert_series_equal((kept.x + 1).compute(scheduler="synchronous"), expected.x + 1)
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None, set_as_default=False) as other:
        pd.testing.assert_frame_equal(kept.compute(scheduler=other), expected)


def test_persisted_frames_without_rows(client):
    pdf = pd.DataFrame({"x": [1.5, 2.5, 3.5], "s": ["a", "b", "c"]})
    df = dd.from_pandas(pdf, npartitions=3)
    same(df[df.x > 2].persist(), pdf[pdf.x > 2])
    same(df[df.x > 9].persist().x.sum(), 0.0)


# ---- annotations


class Fails:
    """Raises the first `times` times that a partition is given to it; files in a folder count."""

    def __init__(self, folder, times):
        self.folder, self.times, self.__name__ = str(folder), times, "fails"

    def __call__(self, part):
        if len(part) and part.x.iloc[0] >= 0:
            name = os.path.join(self.folder, f"{int(part.x.iloc[0])}-")
            for n in range(self.times + 1):
                try:
                    os.close(os.open(name + str(n), os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    continue
                if n < self.times:
                    raise ValueError("not yet")
                break
        return part


@pytest.fixture
def small():
    return dd.from_pandas(pd.DataFrame({"x": np.arange(40)}), npartitions=4)


@pytest.mark.parametrize("say", ["keyword", "around compute", "around the call", "client.compute", "persist"])
def test_retries(client, small, tmp_path, say):
    function = Fails(tmp_path, 2)
    meta = small._meta
    if say == "around the call":
        with muster.annotate(retries=2):
            frame = small.map_partitions(function, meta=meta)
    else:
        frame = small.map_partitions(function, meta=meta)
    if say == "keyword":
        result = frame.compute(retries=2)
    elif say == "around compute":
        with muster.annotate(retries=2):
            result = frame.compute()
    elif say == "client.compute":
        result = client.compute(frame, retries=2).result()
    elif say == "persist":
        result = client.persist(frame, retries=2).compute()
    else:
        result = frame.compute()
    assert result.x.tolist() == list(range(40))


def test_too_few_retries(client, small, tmp_path):
    with pytest.raises(ValueError, match="not yet"):
        small.map_partitions(Fails(tmp_path, 2), meta=small._meta).compute(retries=1)


def where(part):
    return pd.Series([get_worker().address])


@pytest.mark.parametrize("around", [False, True])
def test_workers(client, small, around):
    for address in client.scheduler_info()["workers"]:
        if around:
            with muster.annotate(workers=[address]):
                frame = small.map_partitions(where, meta=(None, str))
            found = frame.compute()
        else:
            found = small.map_partitions(where, meta=(None, str)).compute(workers=[address])
        assert set(found) == {address}
        assert len(found) == 4
    assert len(small.map_partitions(where, meta=(None, str)).compute(workers=["nobody"], allow_other_workers=True)) == 4


def test_resources(small):
    with LocalCluster(n_workers=1, threads_per_worker=2, resources={"GPU": 1}, dashboard_address=None) as cluster, Client(cluster) as client:
        begun = []
        frame = small.map_partitions(lambda part: (time.sleep(0.1), pd.Series([time.time()]))[1], meta=(None, float))
        begun = sorted(frame.compute(resources={"GPU": 1}))
        assert min(b - a for a, b in zip(begun, begun[1:], strict=False)) > 0.08  # one after the other
        future = client.compute(small.x.sum(), resources={"TPU": 1})
        with pytest.raises(TimeoutError), pytest.warns(UserWarning, match="TPU"):
            future.result(timeout=3)
        future.cancel()


def test_priority(small):
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        begins = small.map_partitions(lambda part: pd.Series([time.time()]), meta=(None, float))
        busy = client.submit(time.sleep, 1.0)
        low = client.compute(begins, priority=-5)
        high = client.compute(begins + 0.0, priority=5)
        assert high.result().max() < low.result().min()
        busy.result()


@pytest.mark.parametrize("says", ["submit", "map", "annotate", "compute", "persist", "frame"])
def test_any_number_is_a_priority(says):
    """In the order of their values, far from each other and near."""
    ascending = [
        -math.inf, -(10**30), -2000, -1999.0, -1.5, -1, 0, 0.25, np.float32(0.5), decimal.Decimal("1.25"), fractions.Fraction(3, 2), np.int8(2), 299, 300, 1e6,
        10**400
    ]
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        busy = client.map(time.sleep, [1.0, 0.0, 0.0], priority=True, pure=False)  # the worker is handed some beforehand
        time.sleep(0.2)
        futures = []
        for priority in ascending:
            if says == "submit":
                future = client.submit(time.monotonic, pure=False, priority=priority)
            elif says == "map":
                (future,) = client.map(lambda _: time.monotonic(), [1], pure=False, priority=priority)
            elif says == "annotate":
                with muster.annotate(priority=priority):
                    future = client.submit(time.monotonic, pure=False)
            elif says == "frame":
                begun = dd.from_pandas(pd.DataFrame({"x": [1.0]}), npartitions=1).map_partitions(lambda part: pd.Series([time.monotonic()]), meta=(None, float))
                future = client.compute(begun, priority=priority)
            elif says == "compute":
                future = client.compute(muster.delayed(time.monotonic, pure=False)(), priority=priority)
            else:
                (future,) = futures_of(client.persist(muster.delayed(time.monotonic, pure=False)(), priority=priority))
            futures.append(future)
        client.gather(busy)
        ended = [f.result(timeout=60) for f in futures]
        ended = [e.iloc[0] for e in ended] if says == "frame" else ended
        assert ended[1:] == sorted(ended[1:], reverse=True)
        assert ended[0] > ended[2]  # beyond eight million all are one


def test_a_timeout(client, small):
    with muster.annotate(timeout="200 ms"):
        frame = small.map_partitions(lambda part: time.sleep(20) or part, meta=small._meta)
    with pytest.raises(TimeoutError, match="timeout of 0.2"):
        frame.compute()


def test_bad_annotations(client, small):
    with pytest.raises(TypeError, match="retries"):
        small.compute(retries="2")


# ---- futures of frames


def slowly(part):
    time.sleep(0.3)
    return part


def test_compute_returns_at_once(client, csv):
    path, pdf = csv
    df = read(path)
    slow = df.map_partitions(slowly, meta=df._meta)
    for make in (lambda: client.compute(slow), lambda: client.compute([slow.late.sum(), slow.index]), lambda: client.persist(slow), slow.persist):
        begun = time.perf_counter()
        made = make()
        assert time.perf_counter() - begun < 0.2  # of 2 s
        del made
    future = client.compute(slow)
    assert future.status == "pending"
    assert client.submit(pow, 2, 5).result(timeout=60) == 32  # beside it
    same(future.result(), pdf)
    total, labels = client.compute([df.late.sum(), df.index])
    assert total.result() == pdf.late.sum()
    pd.testing.assert_index_equal(labels.result(), pdf.index)
    assert client.compute(df.x.sum(), sync=True) == pdf.x.sum()


def test_futures_of_frames_are_futures(client, csv):
    path, pdf = csv
    df = read(path)
    from muster.distributed import as_completed, progress

    futures = [client.compute(df.x.sum()), client.compute(df.late.max()), client.compute(df.groupby("s").x.mean())]
    progress(futures)
    assert set(as_completed(futures)) == set(futures)
    assert wait(futures).done == set(futures)
    assert client.gather(futures[:2]) == [pdf.x.sum(), pdf.late.max()]
    same(futures[2].result(), pdf.groupby("s").x.mean())
    assert client.submit(lambda x: x + 1, client.compute(df.x.sum())).result() == pdf.x.sum() + 1
    assert len(client.who_has(futures[2])) == 1
    told = []
    futures[0].add_done_callback(told.append)
    until(lambda: told == [futures[0]])
    assert client.compute(df.x.sum()).key == futures[0].key


def test_a_frame_that_fails_in_the_background(client, small):
    def broken(part):
        raise ZeroDivisionError("no good")

    future = client.compute(small.map_partitions(broken, meta=small._meta))
    wait(future)
    assert future.status == "error"
    assert isinstance(future.exception(), ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="no good"):
        future.result()
    kept = small.map_partitions(broken, meta=small._meta).persist()
    with pytest.raises(ZeroDivisionError, match="no good"):
        kept.x.sum().compute()
    wait(kept)
    assert [f.status for f in futures_of(kept)] == ["error"] * kept.npartitions
    with pytest.raises(ZeroDivisionError, match="no good"):
        client.compute(kept.x.sum()).result()
    assert client.submit(pow, 2, 5).result(timeout=60) == 32


def test_retry_of_a_frame(client, small, tmp_path):
    future = client.compute(small.map_partitions(Fails(tmp_path, 1), meta=small._meta))
    for _ in range(4):  # each run ends with the first partition that fails
        wait(future)
        if future.status == "error":
            future.retry()
    assert future.result().x.tolist() == list(range(40))


def test_a_cancelled_frame(client, small):
    ends = small.map_partitions(lambda part: time.sleep(60) or part, meta=small._meta)
    future = client.compute(ends)
    kept = ends.persist()
    time.sleep(0.2)
    future.cancel()
    client.cancel(kept)
    assert future.status == "cancelled"
    assert client.submit(pow, 2, 5).result(timeout=60) == 32
    with pytest.raises(Exception, match="cancel"):
        kept.compute()
    dropped = [client.compute(ends), ends.persist()]
    time.sleep(0.2)
    del dropped
    gc.collect()
    assert client.submit(pow, 2, 6).result(timeout=60) == 64  # what nobody waits for is not run
    until(lambda: not client._queries)


def test_a_closed_client_ends_what_runs():
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        client = Client(cluster)
        df = dd.from_pandas(pd.DataFrame({"x": np.arange(4)}), npartitions=2)
        slow = df.map_partitions(lambda part: time.sleep(60) or part, meta=df._meta)
        future, kept = client.compute(slow), slow.persist()
        time.sleep(0.3)
        begun = time.monotonic()
        client.close()
        assert time.monotonic() - begun < 5
        assert future.status == "cancelled"
        with Client(cluster) as other, pytest.raises(Exception, match="clos|connection|cancel"):
            kept.compute(scheduler=other)


def test_a_frame_that_is_computed_while_its_client_closes_says_so():
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        client = Client(cluster)
        df = dd.from_pandas(pd.DataFrame({"x": np.arange(4)}), npartitions=2)
        slow = df.map_partitions(lambda part: time.sleep(60) or part, meta=df._meta)
        closes = threading.Timer(0.5, client.close)
        closes.start()
        with pytest.raises((OSError, CancelledError), match="the client was closed"):
            slow.compute()
        closes.join()


def test_a_persisted_frame_is_asked_while_it_is_made(client, csv):
    path, pdf = csv
    df = read(path)
    kept = df.map_partitions(slowly, meta=df._meta).persist()
    same(kept.late.sum(), pdf.late.sum())
    same(kept, pdf)
    assert kept._expr.op == "from_tasks"
    both = (df.map_partitions(slowly, meta=df._meta).persist().x + 1).persist()
    same(both, pdf.x + 1)


def test_partitions_are_inputs_of_tasks(client, csv):
    path, pdf = csv
    kept = read(path).persist()
    wait(kept)
    parts = futures_of(kept)
    assert sum(client.gather(client.map(len, parts))) == len(pdf)
    assert client.submit(lambda frames: sum(f.x.sum() for f in frames), parts).result() == pdf.x.sum()


# ---- one graph


def test_frames_and_tasks_run_beside_each_other(client, small):
    @muster.delayed
    def stamp(seconds):
        begun = time.time()
        time.sleep(seconds)
        return begun, time.time()

    def mark(part):
        begun = time.time()
        time.sleep(0.3)
        return pd.DataFrame({"begun": [begun], "ended": [time.time()]})

    frame = small.map_partitions(mark, meta=pd.DataFrame({"begun": [0.0], "ended": [0.0]}))
    frame.compute()  # every executor is up
    first, (begun, ended) = muster.compute(frame, stamp(1.0))
    assert first.begun.min() < ended
    assert begun < first.ended.max()


def test_a_query_that_is_planned_again_brings_nothing_of_the_first_plan(client, tmp_path):
    """Its results are given up, though all of them may be there already when the last report says that a column is wider."""
    (tmp_path / "a.csv").write_text("k,x\n" + "".join(f"{i % 7},{i}\n" for i in range(30_000)) + "100,\n")
    theirs = pd.read_csv(tmp_path / "a.csv")
    for blocksize in (20_000, 50_000, 100_000):
        df = dd.read_csv(str(tmp_path / "a.csv"), blocksize=blocksize)
        same(df[df.k < 3], theirs[theirs.k < 3])


def test_values_that_functions_need_are_made_once(client, tmp_path):
    """Not inside the tasks that need them, and not by way of this process, where their rows may be."""
    pdf = pd.DataFrame({"x": np.arange(60), "y": np.arange(60) % 7})
    counted = tmp_path / "counted"
    counted.mkdir()

    def count(part):
        if len(part) and part.x.iloc[0] >= 0:
            (counted / f"{part.x.iloc[0]}-{os.getpid()}-{time.time_ns()}").touch()
        return part

    for df in (dd.from_pandas(pdf, npartitions=6), dd.from_pandas(pdf, npartitions=6).persist()):
        table = df.map_partitions(count, meta=pdf.iloc[:0])
        table = table[table.x < 7].set_index("x").y
        mapped = df.y.map(table, meta=("y", float))
        same(mapped, pdf.y.map(pdf[pdf.x < 7].set_index("x").y), check_dtype=False)
        assert len(os.listdir(counted)) <= 12  # six partitions, at most twice: once for meta
        for name in os.listdir(counted):
            os.remove(counted / name)
    parts = [muster.delayed(lambda i: pd.DataFrame({"x": [i, i + 1]}))(i) for i in range(5)]
    frame = dd.from_delayed(parts)
    assert frame.x.sum().compute() == 25
    assert frame.persist().x.sum().compute() == 25
    broken = dd.from_delayed([parts[0], muster.delayed(lambda: 1 / 0)()])
    with pytest.raises(ZeroDivisionError):
        broken.compute()
    with pytest.raises(ZeroDivisionError):
        client.compute(broken).result()


def test_tasks_over_frames(client, csv):
    path, pdf = csv
    df = read(path)
    total = muster.delayed(lambda whole, x: (len(whole), x))(df, df.x.sum())
    assert total.compute() == (len(pdf), pdf.x.sum())
    assert client.compute(total).result() == (len(pdf), pdf.x.sum())
    sizes = [muster.delayed(len)(part) for part in df.to_delayed()]
    assert sum(muster.compute(*sizes)) == len(pdf)
    again = dd.from_delayed(df.to_delayed())
    same(again, pdf)
    same(dd.from_delayed(df.to_delayed()[2:4]), pd.concat([df.partitions[i].compute() for i in (2, 3)]))
    same(dd.from_delayed(df.x.to_delayed(), meta=df.x._meta), pdf.x)
    same(dd.from_delayed([muster.delayed(lambda part: part + 1)(part) for part in df[["x"]].to_delayed()]), pdf[["x"]] + 1)


def test_tasks_over_partitions_begin_as_soon_as_theirs_are_there(client, tmp_path):
    pdf = pd.DataFrame({"x": np.arange(40)})

    def wait_for_the_first(part):
        if len(part) and part.x.iloc[0] == 38:  # the last
            until(lambda: (tmp_path / "used").exists())
        return part

    @muster.delayed
    def use(part):
        (tmp_path / "used").touch()
        return len(part)

    parts = dd.from_pandas(pdf, npartitions=20).map_partitions(wait_for_the_first, meta=pdf.iloc[:0]).to_delayed()
    assert list(muster.compute(*map(use, parts))) == [2] * 20


def test_partitions_that_fail_or_turn_out_wider_are_no_matter_of_others(client, csv, tmp_path):
    path, pdf = csv
    df = read(path)

    def broken(part):
        if len(part) and part.k.index[0] > 3000:
            raise ZeroDivisionError("no good")
        return part

    futures = client.compute([df[["k"]].map_partitions(broken, meta=pdf[["k"]].iloc[:0]).partitions[i] for i in range(df.npartitions)])
    wait(futures)
    ends = [f.status for f in futures]
    assert ends == sorted(ends, reverse=True)  # finished, then error
    assert set(ends) == {"finished", "error"}
    same(futures[0].result(), pdf[["k"]].iloc[: len(futures[0].result())])
    (tmp_path / "w.csv").write_text("a,b\n" + "".join(f"{i if i != 50_077 else 'text'},{i}\n" for i in range(100_000)))
    parts = muster.compute(*dd.read_csv(str(tmp_path / "w.csv"), blocksize=180_000, sample=500).to_delayed())
    assert [p.a.dtype for p in parts].count(np.int64) == len(parts) - 1
    whole = pd.concat(parts)
    assert whole.a.astype(str).tolist() == [str(i if i != 50_077 else "text") for i in range(100_000)]
    assert whole.index.tolist() == list(range(100_000))


def test_queries_begun_at_once_teach_later_ones(client, csv):
    path, pdf = csv
    df = read(path)
    assert df.late.dtype == np.int64
    client.gather(client.compute([df.partitions[i].late for i in range(df.npartitions)]))
    assert read(path).late.dtype == np.float64
    same(df.partitions[0].late, df.late.compute().iloc[: len(df.partitions[0])])


def test_what_delayed_calls_make_is_read_where_it_lies(client, tmp_path):
    """A query begins while they still run, each of them runs once, and nothing of them comes to this process."""
    (tmp_path / "ran").mkdir()

    @muster.delayed
    def base():
        (tmp_path / "ran" / f"base-{time.time_ns()}").touch()
        return 1

    @muster.delayed
    def part(i, one):
        if i == 11:  # the last waits until the first was read
            until(lambda: (tmp_path / "read").exists())
        (tmp_path / "ran" / f"{i}-{time.time_ns()}").touch()
        return pd.DataFrame({"x": np.arange(i * 1000, i * 1000 + 1000) + one, "s": f"part {i}"})

    def look(frame):
        if len(frame) and frame.x.iloc[0] == 1:
            (tmp_path / "read").touch()
        return frame

    one = base()
    meta = pd.DataFrame({"x": [1], "s": ["a"]})
    df = dd.from_delayed([part(i, one) for i in range(12)], meta=meta).map_partitions(look, meta=meta)
    expected = pd.concat([pd.DataFrame({"x": np.arange(i * 1000, i * 1000 + 1000) + 1, "s": f"part {i}"}) for i in range(12)])
    kept = df.persist()
    same(kept, expected)
    same(kept.groupby("s").x.sum(), expected.groupby("s").x.sum())
    assert len(os.listdir(tmp_path / "ran")) == 13
    same(df.x - df.x.mean(), expected.x - expected.x.mean())


def test_frames_of_futures(client):
    futures = client.map(lambda i: pd.DataFrame({"x": [i, i + 0.5 if i else 1]}), range(4))
    df = dd.from_delayed(futures)
    assert df.x.compute().tolist() == [0, 1, 1, 1.5, 2, 2.5, 3, 3.5]
    broken = dd.from_delayed([*futures[:2], client.submit(lambda: 1 / 0)], meta={"x": float})
    with pytest.raises(ZeroDivisionError):
        broken.compute()
    with pytest.raises(ZeroDivisionError):
        broken.persist().compute()


def test_persisted_frames_are_pickled(client, csv, tmp_path):
    """They stay where they are: another process with a client of the cluster reads them there."""
    path, pdf = csv
    df = read(path)
    kept = df.map_partitions(slowly, meta=df._meta).persist()
    data = pickle.dumps(kept[kept.k == 3])  # waits until it is made
    (tmp_path / "kept").write_bytes(data)
    expected = pdf[pdf.k == 3]
    again = pickle.loads(data)
    del kept
    gc.collect()
    same(again.late.sum(), expected.late.sum())
    same(pickle.loads(pickle.dumps(again)), expected)
    assert client.submit(lambda data: pickle.loads(data).x.sum().compute(), data).result(timeout=60) == expected.x.sum()
    code = f"""if True:
        import pickle
        from muster.distributed import Client

        if __name__ == "__main__":
            try:
                pickle.load(open({str(tmp_path / "kept")!r}, "rb"))
            except ValueError as error:
                assert "while a client of that is active" in str(error)
            with Client({client.scheduler_address!r}):
                print(len(pickle.load(open({str(tmp_path / "kept")!r}, "rb")).compute()))
    """
    assert int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout) == len(expected)
    with (
        Client(n_workers=1, threads_per_worker=1, dashboard_address=None, set_as_default=False) as other,
        other.as_current(),
        pytest.raises(ValueError, match="the active client is of"),
    ):
        pickle.loads(data)


def replaced(path, write):
    """Put another file of the same size and time in a file's place, as `cp -p` and `mv` do."""
    facts, other = os.stat(path), path.with_name("other")
    write(other)
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert other.stat().st_size == facts.st_size
    os.replace(other, path)


READERS = {
    "csv": (lambda f, p: f.to_csv(p, index=False), dd.read_csv),
    "pandas": (lambda f, p: f.to_csv(p, index=False), lambda p: dd.read_csv(p, converters={"a": int})),
    "parquet": (lambda f, p: f.to_parquet(p, compression=None), dd.read_parquet),
    "nested": (lambda f, p: f.assign(l=[[1]] * 3).to_parquet(p, compression=None), dd.read_parquet),
    "json": (lambda f, p: f.to_json(p, orient="records", lines=True), lambda p: dd.read_json(p, lines=True)),
}


@pytest.mark.parametrize("reader", list(READERS))
def test_a_file_in_the_place_of_another_of_the_same_size_and_time(client, tmp_path, reader):
    write, read = READERS[reader]
    path = tmp_path / "file"
    write(pd.DataFrame({"a": [1, 2, 3]}), path)
    first = client.compute(read(str(path)).a.sum())
    assert first.result() == 6
    replaced(path, lambda other: write(pd.DataFrame({"a": [7, 8, 9]}), other))
    assert client.compute(read(str(path)).a.sum()).result() == 24
    assert first.result() == 6


@pytest.mark.parametrize("bad", [{"priority": "2"}, {"resources": {"GPU": "x"}}, {"retries": -1}])
def test_what_is_refused_of_a_query_does_not_hold_for_others(client, bad):
    df = dd.from_pandas(pd.DataFrame({"a": [1, 2, 3]}), npartitions=2)
    with pytest.raises((TypeError, ValueError), match=f"'{next(iter(bad))}'"):
        client.compute(df, **bad)
    assert client.compute(df.a.sum()).result() == df.a.sum().compute() == client.submit(sum, [1, 2, 3]).result() == 6
