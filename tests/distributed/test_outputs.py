"""Tasks with several outputs: each reader gets its own, from wherever it lies. And inputs of Python tasks that are many bytes in all."""

import resource
import time

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from muster.distributed import Client, LocalCluster

KEYS = [f"k{i}" for i in range(8)]


@pytest.fixture(params=["unix", "tcp"])
def three(request):
    kwargs = {"protocol": "tcp"} if request.param == "tcp" else {}
    with LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None, **kwargs) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(0)
    rows = 60_000
    keys = {k: random.integers(0, 20_000 if i % 2 else 5, rows) for i, k in enumerate(KEYS)}
    return pd.DataFrame({**keys, "x": random.integers(-9, 9, rows), "s": random.choice(["a", "bc", "", None], rows)})


@pytest.mark.parametrize("npartitions", [1, 7])
def test_many_questions_of_one_table(three, frame, npartitions):
    df = dd.from_pandas(frame, npartitions=npartitions)
    asked = [df.groupby(k).x.sum() for k in KEYS]
    answers = muster.compute(*asked, df.x.max(), df.s.value_counts(), df[df.x > 7])
    for key, answer in zip(KEYS, answers, strict=False):
        pd.testing.assert_series_equal(answer.sort_index(), frame.groupby(key).x.sum())
    assert answers[8] == frame.x.max()
    pd.testing.assert_series_equal(answers[9].sort_index(), frame.s.value_counts().sort_index())
    pd.testing.assert_frame_equal(answers[10], frame[frame.x > 7])


def test_many_outputs_that_stay_on_workers(three, frame):
    df = dd.from_pandas(frame, npartitions=5).map_partitions(lambda p: p.assign(y=p.x * 2)).persist()
    kept = muster.persist(*[df.groupby(k).y.mean() for k in KEYS])
    totals = muster.compute(*[k.sum() for k in kept])
    assert totals == pytest.approx([frame.groupby(k).x.mean().sum() * 2 for k in KEYS])


def _fails_to_open():
    raise FileNotFoundError("what it needs is not here")


class Unopenable:
    def __reduce__(self):
        return _fails_to_open, ()


def test_a_result_that_cannot_be_opened_is_an_error_at_once():
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        made = client.submit(Unopenable)
        begun = time.monotonic()
        with pytest.raises(FileNotFoundError, match="what it needs"):
            made.result()
        assert time.monotonic() - begun < 5


def _total(*parts):
    return sum(len(p) for p in parts), {p[:1] for p in parts}


def _bytes(i, size):
    return bytes([i % 250]) * size


@pytest.fixture(scope="module")
def one():
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        yield client


@pytest.mark.parametrize(("count", "size"), [(3, 100), (40, 3_000), (60, 400_000), (300, 60_000)])
def test_many_inputs_that_are_copied(one, count, size):
    """Of these no one is large enough for shared memory."""
    made = one.map(_bytes, range(count), [size] * count, pure=False)
    assert one.submit(_total, *made, pure=False).result() == (count * size, {_bytes(i, 1) for i in range(count)})
    large = bytes(range(256)) * 1000

    def with_a_large_function(*parts):
        return _total(*parts)[0], len(large)

    assert one.submit(with_a_large_function, *made, pure=False).result() == (count * size, len(large))


def test_inputs_for_which_descriptors_are_short():
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        (worker,) = client.scheduler_info()["workers"].values()
        resource.prlimit(worker["pid"], resource.RLIMIT_NOFILE, (96, 96))
        made = client.map(_bytes, range(60), [1_500_000] * 60)
        assert client.submit(_total, *made).result() == (60 * 1_500_000, {_bytes(i, 1) for i in range(60)})
        assert client.gather(client.map(len, made)) == [1_500_000] * 60
