"""What is cancelled: by one client, for itself; partitions to come, in every order; and nothing waits for the garbage collector."""

import gc
import os
import pickle
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.bag
import muster.dataframe as dd
from muster.distributed import Client, as_completed, fire_and_forget, futures_of, get_client, wait
from tests.conftest import same
from tests.distributed.test_persisted import Held
from tests.distributed.test_queries import until


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


@pytest.fixture(params=["here", "by address"])
def other(request, cluster, client):
    """Another client, in this process or connected to the scheduler's address."""
    with Client(cluster if request.param == "here" else cluster.scheduler_address, set_as_default=False) as other:
        yield other


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def passed_on(value, to):
    data = pickle.dumps(value)
    with to.as_current():
        return pickle.loads(data)


def is_idle(client):
    return not any(client.processing().values()) and not client._queries


def test_another_client_keeps_what_it_wants(client, other, held):
    one = client.submit(held, 1, pure=False)
    after = client.submit(lambda x: x + 1, one)
    theirs = passed_on(one, other)
    above = other.submit(lambda x: x + 10, theirs)
    client.cancel(one)
    assert (one.status, after.status, theirs.status, above.status) == ("cancelled", "cancelled", "pending", "pending")
    held.open()
    assert theirs.result(timeout=30) == 1
    assert above.result(timeout=30) == 11
    for future in (one, after):
        with pytest.raises(Exception, match="cancel"):
            future.result(timeout=5)
    client.cancel(one)
    assert theirs.result(timeout=30) == 1
    del one, after, future
    gc.collect()  # what the errors hold
    assert passed_on(theirs, client).result(timeout=30) == 1  # its client may have it again when it has given it up


def test_another_client_keeps_what_it_makes_of_it(client, other, held):
    """Also where it holds no future of the task itself, nor of what stands between."""
    one = client.submit(held, 1, pure=False)
    between = client.submit(lambda x: x + 1, one)
    above = other.submit(lambda x: x + 10, passed_on(between, other))
    client.cancel([one, between])
    assert above.status == "pending"
    held.open()
    assert above.result(timeout=30) == 12


def test_force(client, other, held):
    one = client.submit(held, 1, pure=False)
    theirs = passed_on(one, other)
    above = other.submit(lambda x: x + 10, theirs)
    other.scheduler_info()  # what it said before has been heard
    client.cancel(one, force=True)
    until(lambda: (one.status, theirs.status, above.status) == ("cancelled",) * 3)
    until(lambda: is_idle(client))
    again = client.submit(held, 1, pure=False)
    theirs = passed_on(again, other)
    other.scheduler_info()
    theirs.cancel(force=True)
    until(lambda: again.status == "cancelled")


def test_who_does_not_own_a_task_cancels_it_for_himself(client, other, held):
    one = client.submit(held, 1, pure=False)
    theirs = passed_on(one, other)
    theirs.cancel()
    assert (one.status, theirs.status) == ("pending", "cancelled")
    held.open()
    assert one.result(timeout=30) == 1


def test_a_named_task(client, other, held):
    """Two clients' tasks of one name are two tasks; one client's are one."""
    mine = client.submit(held, 1, key="named")
    theirs = other.submit(held, 1, key="named")
    same_one = client.submit(held, 1, key="named")
    client.cancel(mine)
    assert (mine.status, same_one.status, theirs.status) == ("cancelled", "cancelled", "pending")
    held.open()
    assert theirs.result(timeout=30) == 1
    assert client.submit(held, 1, key="named").result(timeout=30) == 1  # made anew


def test_what_was_told_to_run_on(client, held, tmp_path):
    def mark(x):
        held(x)
        (tmp_path / "ran").touch()

    future = client.submit(mark, 1, pure=False)
    fire_and_forget(future)
    client.cancel(future)
    assert future.status == "cancelled"
    held.open()
    until(lambda: (tmp_path / "ran").exists())


def test_what_only_own_results_mention(client, other, held):
    mine = client.submit(lambda: [get_client().submit(held, 1, pure=False)], pure=False)
    (one,) = mine.result(timeout=30)
    client.cancel(one)
    assert one.status == "cancelled"
    until(lambda: is_idle(client))
    mine = client.submit(lambda: [get_client().submit(held, 2, pure=False)], pure=False)
    theirs = passed_on(mine, other)
    (two,) = mine.result(timeout=30)
    client.cancel([two, mine])
    held.open()
    assert theirs.result(timeout=30)[0].result(timeout=30) == 2


@pytest.mark.parametrize("when", ["begun", "done"])
def test_frames_of_two_clients(client, other, df, pdf, held, when):
    kept = held.of(df).persist()
    if when == "done":
        held.open()
        wait(kept)
    part = passed_on(futures_of(kept)[3], other)
    frame = passed_on(kept, other) if when == "done" else None
    lengths = other.submit(len, part)
    future = client.compute(held.of(df).x.sum())
    theirs = passed_on(future, other)
    client.cancel([kept, future])
    if when == "begun":
        assert part.status == lengths.status == theirs.status == "pending"
    held.open()
    pd.testing.assert_frame_equal(part.result(timeout=30), pdf.iloc[15:20])
    assert lengths.result(timeout=30) == 5
    assert theirs.result(timeout=30) == pdf.x.sum()
    if frame is not None:
        same(frame.compute(scheduler=other), pdf)
    del part, lengths, theirs, frame
    until(lambda: is_idle(client))


# ---- partitions to come


@pytest.mark.parametrize("keeps", [True, False], ids=["held", "dropped"])
@pytest.mark.parametrize("when", ["at once", "asked before", "running"])
def test_all_of_a_frame(client, df, held, no_collector, when, keeps):
    kept = held.of(df).persist()
    parts = futures_of(kept) if keeps or when == "asked before" else None
    if when == "running":
        until(lambda: any(client.processing().values()))
    if not keeps:
        del parts
    client.cancel(kept)
    for _ in range(2):
        with pytest.raises(Exception, match="cancel"):
            futures_of(kept)
        with pytest.raises(Exception, match="cancel"):
            kept.x.sum().compute()
        until(lambda: is_idle(client))
    assert client.submit(pow, 2, 5).result(timeout=30) == 32
    assert not client._unsettled
    assert not client._to_come


@pytest.mark.parametrize("keeps", [True, False], ids=["held", "dropped"])
def test_one_after_the_other(client, df, held, no_collector, keeps):
    """As long as one is left the query runs."""
    kept = held.of(df).persist()
    parts = futures_of(kept)
    for i in range(7):
        client.cancel(parts[i])
        if not keeps:
            parts[i] = None
    time.sleep(0.5)
    assert client._queries
    with pytest.raises(Exception, match="cancel"):
        futures_of(kept)
    client.cancel(parts.pop())
    until(lambda: is_idle(client))
    with pytest.raises(Exception, match="cancel"):
        kept.compute()


@pytest.mark.parametrize("keeps", [True, False], ids=["held", "dropped"])
def test_one_alone(client, df, pdf, held, no_collector, keeps):
    kept = held.of(df).persist()
    parts = futures_of(kept)
    after = client.submit(len, parts[2])
    client.cancel(parts[2])
    assert after.status == "cancelled"
    if not keeps:
        del parts
    time.sleep(0.5)
    held.open()
    same(kept, pdf)
    if keeps:
        pd.testing.assert_frame_equal(parts[3].result(timeout=30), pdf.iloc[15:20])
        with pytest.raises(Exception, match="cancel"):
            parts[2].result(timeout=5)
        del parts
    del after
    until(lambda: is_idle(client))
    assert not client._to_come


def test_one_of_two_frames(client, df, pdf, held):
    """The other one, of the same query, is made."""
    x, both = muster.persist(held.of(df).x, held.of(df))
    client.cancel(x)
    for _ in range(2):
        with pytest.raises(Exception, match="cancel"):
            x.compute()
        held.open()
        same(both, pdf)


def test_after_they_are_there(client, df, pdf):
    kept = df.persist()
    wait(kept)
    parts = futures_of(kept)
    client.cancel(parts[2])
    assert parts[2].status == "cancelled"
    pd.testing.assert_frame_equal(parts[3].result(), pdf.iloc[15:20])
    same(kept, pdf)


@pytest.mark.parametrize("kind", ["frame", "number", "bag", "call", "future"])
@pytest.mark.parametrize("when", ["running", "done"])
def test_again(client, df, held, kind, when):
    """Nothing comes of cancelling what was cancelled, in every kind of container."""
    frame = held.of(df)
    lazy = {"frame": frame, "number": frame.x.sum(), "bag": muster.bag.from_sequence(range(8), npartitions=4).map(held), "call": muster.delayed(held)(1)}
    kept = client.submit(held, 1, pure=False) if kind == "future" else lazy[kind].persist()
    if when == "done":
        held.open()
        wait(kept)
    for again in (kept, kept, [kept], {"a": (kept, kept)}):
        client.cancel(again)
        until(lambda: is_idle(client))
    held.open()
    for ask in (wait, futures_of, client.gather if kind == "future" else lambda kept: kept.compute()):
        with pytest.raises(Exception, match="cancel"):
            ask(kept)
    assert client.submit(pow, 2, 5).result(timeout=30) == 32


def test_dropped_frames_end_without_the_collector(client, df, held, no_collector):
    kept = held.of(df).persist()
    later = (kept.x + 1).persist()
    parts = futures_of([kept, {"a": later}])
    assert len(parts) == 16
    total = client.compute(kept.x.sum())
    until(lambda: any(client.processing().values()))
    del kept, later, parts, total
    until(lambda: is_idle(client))


def test_what_an_iterator_waits_for_ends_with_it(client, held, no_collector):
    futures = client.map(held, range(4), pure=False)
    ending = as_completed([*futures, futures[0]])
    until(lambda: any(client.processing().values()))
    del ending
    time.sleep(0.3)
    assert any(client.processing().values())  # they are held here too
    ending = as_completed(futures)
    del futures
    held.open()
    assert sorted(f.result() for f in ending) == [0, 1, 2, 3]
    os.unlink(held.gate)
    ending = as_completed(client.map(held, range(4), pure=False))
    until(lambda: any(client.processing().values()))
    del ending
    until(lambda: is_idle(client))


def test_futures_of_persisted_calls_and_bags(client, held):
    call = muster.delayed(held)(1).persist()
    bag = muster.bag.from_sequence(range(8), npartitions=4).map(held).persist()
    assert [len(futures_of(lazy)) for lazy in (call, bag, [call, {"a": bag}])] == [1, 4, 5]
    with pytest.raises(TimeoutError):
        wait([call, bag], timeout=0.1)
    client.cancel(call)
    with pytest.raises(Exception, match="cancel"):
        wait(call)
    held.open()
    assert len(wait(bag).done) == 4
    assert bag.sum().compute() == 28


# ---- which partitions


@pytest.mark.parametrize("when", ["begun", "done"])
def test_futures_of_some_partitions(client, df, pdf, held, when):
    kept = held.of(df).persist()
    if when == "done":
        held.open()
        wait(kept)
    parts = futures_of(kept)
    assert futures_of(kept.partitions[2]) == [parts[2]]
    assert futures_of((kept.x + 1).partitions[2]) == [parts[2]]
    assert futures_of(kept.partitions[3:6]) == parts[3:6]
    assert futures_of(kept.partitions[[5, 1]]) == [parts[5], parts[1]]
    assert futures_of(kept.partitions[1:].partitions[[0, 3]]) == [parts[1], parts[4]]
    assert futures_of(kept.get_partition(7)) == [parts[7]]
    assert futures_of(kept.head(2, compute=False)) == [parts[0]]
    assert futures_of(kept.tail(2, compute=False)) == [parts[7]]
    assert set(futures_of(dd.concat([kept.partitions[0], kept.partitions[4]]))) == {parts[0], parts[4]}
    assert set(futures_of([kept.partitions[0], kept.partitions[4].x])) == {parts[0], parts[4]}
    assert set(futures_of(kept.x.sum())) == set(futures_of(kept[kept.x > 3])) == set(futures_of(kept.x - kept.x.mean())) == set(parts)
    assert set(futures_of(kept.partitions[2].x - kept.x.mean())) == set(parts)
    held.open()
    wait(kept.partitions[2])
    (future,) = futures_of(kept.partitions[2])
    assert future.result(timeout=30).equals(pdf.iloc[10:15])
    assert set(client.who_has(kept.partitions[2])) == {future.key}


def test_futures_of_some_partitions_alone(client, df, pdf, held):
    """Asked for before those of the whole; the rest does not end with it."""
    kept = held.of(df).persist()
    one = kept.partitions[2]
    (future,) = futures_of(one)
    client.cancel(one)
    assert future.cancelled()
    time.sleep(0.5)
    held.open()
    same(kept, pdf)
    assert os.path.exists(held.gate)
