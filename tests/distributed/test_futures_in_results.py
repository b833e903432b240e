"""Futures that tasks return, or that functions and arguments mention: what they stand for is there as long as somebody may ask for it."""

import gc
import os
import time

import pytest

from muster.delayed import Delayed, delayed
from muster.distributed import Client, KilledWorker, get_client, wait, worker_client


def inc(x):
    return x + 1


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come true"
        time.sleep(0.02)


def starts(x):
    return get_client().submit(inc, x, pure=False)


def starts_many(n):
    client = get_client()
    return {"list": client.map(inc, range(n), pure=False), "one": (client.submit(inc, 41, pure=False),)}


def large(n):
    return b"x" * n


def test_a_future_is_the_result(client):
    outer = client.submit(starts, 1, pure=False)
    inner = outer.result()
    assert inner.client is client and inner.result() == 2
    del outer
    gc.collect()
    assert inner.result() == 2 and client.submit(inc, inner).result() == 3


def test_containers_of_futures(client):
    out = client.submit(starts_many, 5, pure=False).result()
    assert client.gather(out) == {"list": [1, 2, 3, 4, 5], "one": (42,)}


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_result_is_kept_while_a_result_mentions_it(client, size):
    def start():
        return [get_client().submit(large, size, pure=False)]

    outer = client.submit(start, pure=False)
    wait(outer)
    time.sleep(0.3)  # the task's own handle is gone by now
    (inner,) = outer.result()
    assert len(inner.result()) == size


def test_it_is_freed_with_the_last_result_that_mentions_it(client):
    def start():
        return get_client().submit(large, 3_000_000, pure=False)

    def stored():
        return sum(map(len, client.has_what().values()))

    before = stored()
    outer = client.submit(start, pure=False)
    wait(outer)
    until(lambda: stored() == before + 2)
    del outer
    gc.collect()
    until(lambda: stored() == before)


def test_futures_in_futures(client):
    def two():
        return get_client().submit(starts, 10, pure=False)

    assert client.submit(two, pure=False).result().result().result() == 11


def test_another_task_reads_the_future(client):
    def read(future):
        return future.result() + 100

    assert client.submit(read, client.submit(starts, 1, pure=False)).result() == 102


def test_arguments_and_functions_that_mention_futures(client):
    class Holder:
        def __init__(self, future):
            self.future = future

    def of(holder, seconds):
        time.sleep(seconds)
        with worker_client():
            return holder.future.result()

    holder = Holder(client.submit(large, 3_000_000, pure=False))
    out = client.submit(of, holder, 0.5, pure=False)
    del holder
    gc.collect()
    assert len(out.result()) == 3_000_000

    def closure_of(inner):
        def closure(seconds):
            time.sleep(seconds)
            with worker_client():
                return inner.result()

        return closure

    out = client.submit(closure_of(client.submit(inc, 1, pure=False)), 0.5, pure=False)
    gc.collect()
    assert out.result() == 2


def test_a_persisted_delayed_is_the_result(client):
    def start():
        with worker_client():
            return delayed(inc)(1).persist()

    lazy = client.submit(start, pure=False).result()
    assert lazy.compute() == 2


def test_retries_and_executors_that_die(client, tmp_path):
    """What a first attempt started is none of the second's concern."""
    path = str(tmp_path / "died")

    def start(x):
        future = get_client().submit(inc, x, pure=False)
        if not os.path.exists(path):
            open(path, "w").close()
            os._exit(1)
        return future

    assert client.submit(start, 1, pure=False).result().result() == 2

    failed = str(tmp_path / "failed")

    def fails(x):
        future = get_client().submit(inc, x, pure=False)
        if not os.path.exists(failed):
            open(failed, "w").close()
            raise RuntimeError("once")
        return future

    assert client.submit(fails, 5, retries=2, pure=False).result().result() == 6


def test_a_future_outlives_the_process_that_started_it():
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        outer = client.submit(starts, 1, pure=False)
        wait(outer)
        with pytest.raises(KilledWorker):
            client.submit(os._exit, 1, pure=False).result()
        assert outer.result().result() == 2


def test_delayed_of_a_future(client):
    """It is a call like others: it has operators, methods and items, and computes wherever calls do."""
    eight, words = client.submit(pow, 2, 3), client.submit(str.split, "a b")
    assert isinstance(delayed(eight), Delayed)
    assert (delayed(eight) + 1).compute() == 9
    assert delayed(eight).bit_length().compute() == 4
    assert delayed(words)[1].compute() == "b"
    assert delayed(eight, nout=0).compute() == delayed(eight).persist().compute() == client.compute(delayed(eight)).result() == 8
    for scheduler in ("threads", "synchronous"):
        assert (delayed(eight) + 1).compute(scheduler=scheduler) == 9
    with pytest.raises(ValueError, match="invalid literal"):
        (delayed(client.submit(int, "x")) + 1).compute()
