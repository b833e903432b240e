"""Frames that are persisted on a cluster: futures of their partitions, before, while and after they are made."""

import contextlib
import gc
import io
import os
import pickle
import threading
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from muster.distributed import Future, as_completed, fire_and_forget, futures_of, progress, wait
from tests.conftest import same
from tests.distributed.test_queries import kill_one, stored, until


class Held:
    """Gives rows on when a file is there."""

    def __init__(self, folder):
        self.gate = str(folder / "open")

    def __call__(self, part):
        until(lambda: os.path.exists(self.gate), 60)
        return part

    def open(self):
        open(self.gate, "w").close()

    def of(self, frame):
        return frame.map_partitions(self, meta=frame._meta)


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


def rows(pdf, i):
    return pdf.iloc[i * 5 : i * 5 + 5]


def test_there_is_a_future_of_each_partition_from_the_beginning(client, df, pdf, held):
    kept = held.of(df).persist()
    parts = futures_of(kept)
    assert len(parts) == 8
    assert len({f.key for f in parts}) == 8
    assert {f.status for f in parts} == {"pending"}
    assert futures_of(kept) == parts
    assert set(client.who_has(parts).values()) == {()}
    assert set(client.who_has(kept)) == {f.key for f in parts}
    assert client.nbytes(parts, summary=False) == {}
    with pytest.raises(TimeoutError):
        wait(kept, timeout=0.2)
    with pytest.raises(TimeoutError):
        parts[3].result(timeout=0.2)
    told, ended = [], []
    parts[0].add_done_callback(told.append)
    waiting = threading.Thread(target=lambda: ended.extend(f.result() for f in as_completed(parts)))
    waiting.start()
    bar = io.StringIO()
    with contextlib.redirect_stdout(bar):
        drawing = threading.Thread(target=progress, args=(kept,))
        drawing.start()
        held.open()
        drawing.join(20)
    waiting.join(20)
    assert wait(kept).done == set(parts)
    assert "100%" in bar.getvalue()
    assert {f.status for f in parts} == {"finished"}
    assert futures_of(kept) == parts
    until(lambda: told == [parts[0]])
    pd.testing.assert_frame_equal(pd.concat(ended).sort_index(), pdf)
    for i, f in enumerate(parts):
        pd.testing.assert_frame_equal(f.result(), rows(pdf, i))
    assert all(len(where) == 1 for where in client.who_has(parts).values())
    assert len(client.who_has(kept)) == 8
    assert min(client.nbytes(parts, summary=False).values()) > 0
    assert client.gather(parts)[7].equals(rows(pdf, 7))


def test_partitions_to_come_are_inputs_of_tasks(client, df, pdf, held):
    kept = held.of(df).persist()
    parts = futures_of(kept)
    lengths = client.map(len, parts)
    total = client.submit(lambda frames: sum(f.x.sum() for f in frames), parts)
    delayed = muster.delayed(lambda part: part.x.max())(parts[4])
    result = client.compute(delayed)
    sent = pickle.dumps(parts[1])
    again = client.submit(lambda data: pickle.loads(data).result().x.tolist(), sent)
    del parts
    gc.collect()
    held.open()
    assert client.gather(lengths) == [5] * 8
    assert total.result(timeout=30) == pdf.x.sum()
    assert result.result(timeout=30) == 24
    assert again.result(timeout=30) == list(range(5, 10))
    assert client.submit(lambda part: part.x.sum(), futures_of(kept)[2]).result(timeout=30) == rows(pdf, 2).x.sum()
    assert pickle.loads(pickle.dumps(futures_of(kept)[2])).result().equals(rows(pdf, 2))
    same(kept, pdf)


def test_results_of_one_task_are_told_apart(client, df, pdf):
    """Partitions of two frames that one task makes."""
    x, s, both = muster.persist(df.x, df.s, df)
    wait([x, s, both])
    for i in range(8):
        assert futures_of(x)[i].result().equals(rows(pdf, i).x)
        assert futures_of(s)[i].result().equals(rows(pdf, i).s)
        assert futures_of(both)[i].result().equals(rows(pdf, i))
    held = [*futures_of(x), *futures_of(s)]
    assert len(client.who_has(held)) == 16
    del x
    gc.collect()
    del held[:8]
    gc.collect()
    assert held[0].result().equals(rows(pdf, 0).s)
    assert client.submit(lambda s: s.tolist(), held[1]).result(timeout=30) == rows(pdf, 1).s.tolist()


def test_futures_keep_partitions(client, df, pdf, held):
    same(df.x.sum(), pdf.x.sum())
    before = stored(client)  # the rows of this process
    kept = held.of(df).persist()
    parts = futures_of(kept)
    del kept
    gc.collect()
    time.sleep(0.3)
    held.open()
    assert parts[5].result(timeout=30).equals(rows(pdf, 5))
    del parts
    gc.collect()
    until(lambda: stored(client) <= before)
    until(lambda: not client._queries)
    assert not client._partition_of
    assert not client._to_come
    assert not client._came
    assert not client._unsettled


def test_cancelled_partitions(client, df, pdf, held):
    kept = held.of(df).persist()
    parts = futures_of(kept)
    client.cancel(parts[2])
    assert parts[2].status == "cancelled"
    assert parts[3].status == "pending"
    held.open()
    assert parts[3].result(timeout=30).equals(rows(pdf, 3))
    with pytest.raises(Exception, match="cancel"):
        parts[2].result()
    with pytest.raises(Exception, match="cancel"):
        client.submit(len, parts[2])
    same(kept, pdf)


def test_all_partitions_cancelled(client, df, held):
    kept = held.of(df).persist()
    client.cancel(kept)
    with pytest.raises(Exception, match="cancel"):
        kept.compute()
    until(lambda: not client._queries)
    assert client.submit(pow, 2, 5).result(timeout=30) == 32


def test_partitions_that_fail(client, df):
    def broken(part):
        raise ZeroDivisionError("no good")

    for when in ("before", "after"):
        kept = df.map_partitions(broken, meta=df._meta).persist()
        if when == "after":
            until(lambda: not client._queries)
        parts = futures_of(kept)
        assert len(parts) == 8
        wait(parts)
        assert {f.status for f in parts} == {"error"}
        with pytest.raises(ZeroDivisionError, match="no good"):
            parts[1].result()
        with pytest.raises(ZeroDivisionError, match="no good"):
            client.submit(len, parts[1]).result(timeout=30)
        assert isinstance(pickle.loads(pickle.dumps(parts[0])).exception(timeout=10), ZeroDivisionError)
        client.retry(parts)  # a frame that failed has failed
        with pytest.raises(ZeroDivisionError, match="no good"):
            parts[1].result(timeout=10)


def test_futures_of_many_partitions(client, monkeypatch):
    """None is compared with all others."""
    kept = dd.from_pandas(pd.DataFrame({"x": np.arange(300)}), npartitions=300).persist()
    compared = []
    equal = Future.__eq__
    monkeypatch.setattr(Future, "__eq__", lambda self, other: compared.append(1) or equal(self, other))
    parts = futures_of(kept)
    assert len(parts) == 300
    assert len(futures_of([kept, *parts])) == 300
    assert len(compared) < 3000
    wait(parts)


def test_fire_and_forget(client, df, tmp_path, held):
    def mark(part):
        if len(part) and part.x.iloc[0] >= 0:
            (tmp_path / f"ran-{part.x.iloc[0]}").touch()
        return part

    kept = held.of(df).map_partitions(mark, meta=df._meta).persist()
    fire_and_forget(kept)
    del kept
    gc.collect()
    held.open()
    until(lambda: len(list(tmp_path.glob("ran-*"))) == 8)
    until(lambda: not client._queries)


def test_partitions_to_come_outlive_a_worker(client, df, pdf, held):
    kept = held.of(df).persist()
    parts = futures_of(kept)
    kill_one(client)
    held.open()
    pd.testing.assert_frame_equal(pd.concat([f.result(timeout=60) for f in parts]), pdf)
    kill_one(client, 1)
    pd.testing.assert_frame_equal(pd.concat([f.result(timeout=60) for f in parts]), pdf)
    same(kept, pdf)
