"""Rows that lie in shared memory are read there: they are right, nobody changes them, and what is kept of them is what counts."""

import gc
import pathlib

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from muster.distributed import Client, LocalCluster, wait
from tests.conftest import same
from tests.distributed.test_shared_memory import children_of, until

ROWS = 20_000  # of a partition: some MB


def part(i, rows=ROWS):
    """Every kind of column, with and without missing values; longer than what is copied anyway."""
    n = np.arange(i * ROWS, i * ROWS + rows)
    text = np.array([f"a text that is number {k % 997}" if k % 11 else "" for k in n], object)
    frame = pd.DataFrame(
        {
            "k": n % 1000,
            "x": n * 0.5,
            "b": n % 3 == 0,
            "i1": (n % 100).astype("int8"),
            "u4": n.astype("uint32"),
            "f4": (n % 77).astype("float32"),
            "t": pd.Timestamp("2020-01-01") + pd.to_timedelta(n, unit="s"),
            "d": pd.to_timedelta(n % 5000, unit="s"),
            "s": pd.Series(text, n, dtype="str"),
            "c": pd.Categorical([f"c{k % 7}" for k in n], categories=[f"c{k}" for k in range(7)]),
            "n": pd.array(n % 50, dtype="Int64"),
            "o": pd.Series([(int(k) % 13, "o") for k in n], n, dtype=object),
        },
        index=n,
    )
    for column in ("x", "t", "d", "s", "n"):
        frame.loc[frame.index % 17 == 3, column] = None
    return frame


@pytest.fixture(scope="module")
def pdf():
    return pd.concat([part(i) for i in range(3)])


@pytest.fixture(scope="module", params=["unix", "tcp"])
def client(request):
    kwargs = {"protocol": "tcp"} if request.param == "tcp" else {}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, **kwargs) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def df(client):
    df = dd.from_map(part, range(3), meta=part(0, 10)).persist()
    wait(df)
    return df


QUESTIONS = {
    "all": lambda df: df,
    "a filter": lambda df: df[df.k % 5 == 1],
    "texts": lambda df: df.s.str.upper(),
    "sums": lambda df: df[["k", "x", "b", "i1", "u4", "f4", "d", "n"]].sum(),
    "last": lambda df: df.t.max(),
    "group-by of a text": lambda df: df.groupby("s").x.sum(),
    "many groups": lambda df: df.groupby("u4").x.sum(),
    "many groups of two": lambda df: df.groupby(["u4", "k"]).i1.max(),
    "a quantile": lambda df: df.groupby("k").x.median(),
    "distinct": lambda df: df.s.nunique(),
    "counts": lambda df: df.c.value_counts(),
    "largest": lambda df: df.nlargest(5000, "u4")[["u4", "t", "s"]],
    "objects": lambda df: df.o,
    "carried": lambda df: df[["k", "f4"]].cumsum(),
    "labels": lambda df: df.reset_index()[["index", "d", "c"]],
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_are_those_that_were_made(df, pdf, question):
    ask = QUESTIONS[question]
    if question == "objects":
        return same(df.o.map(_first, meta=("o", "int64")), pdf.o.map(_first))
    ours, theirs = ask(df), ask(pdf)
    if question.startswith(("group", "many", "counts")):
        ours, theirs = ours.compute().sort_index(), theirs.sort_index()
    same(ours, theirs)


def _first(pair):
    return pair[0]


def spoil(frame):
    """What a user's function may do to its own rows."""
    for column in ("x", "k", "u4", "f4"):
        values = frame[column].to_numpy()
        if values.flags.writeable:
            values[:] = 1
        else:
            frame[column] = 1
    return frame


def test_whoever_writes_into_rows_changes_no_others(df, pdf):
    before = df[["k", "x", "u4", "f4"]].sum().compute()
    for _ in range(3):
        assert df.map_partitions(spoil, meta=part(0, 10)).k.sum().compute() == len(pdf)
    result = df.x.compute()
    result.array[:10] = -1
    frame = df.compute()
    frame["k"] += 1
    same(df[["k", "x", "u4", "f4"]].sum(), before)
    same(df, pdf)


def test_a_result_outlives_its_cluster():
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        one = dd.from_map(part, range(1), meta=part(0, 10)).persist()
        kept, again = one.x.compute(), one[["s", "t"]].compute()
        for i in range(5):  # in the same slabs
            assert dd.from_map(part, [i, i + 1], meta=part(0, 10)).persist().k.sum().compute() > 0
    expected = part(0)
    same(kept, expected.x)
    same(again, expected[["s", "t"]])


def shared(client):
    """Bytes of the memory files that workers and their processes have."""
    size = {}
    for node in [w["pid"] for w in client.scheduler_info()["workers"].values()]:
        for p in [node, *children_of(node)]:
            for f in pathlib.Path(f"/proc/{p}/fd").iterdir():
                try:
                    facts = f.stat()
                    if "memfd:muster-slab-" in str(f.readlink()):
                        size[facts.st_ino] = facts.st_blocks * 512
                except OSError:
                    pass
    return sum(size.values())


def test_a_column_that_stays_does_not_keep_the_others():
    limit = 480_000_000
    with LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=limit, dashboard_address=None) as cluster, Client(cluster) as client:

        def wide(i):
            return pd.DataFrame({f"c{k}": np.full(200_000, k + i) for k in range(20)})  # 32 MB

        df = dd.from_map(wide, range(4), meta=wide(0).iloc[:3]).persist()
        wait(df)
        assert df.c3.sum().compute() == 4 * 200_000 * 3 + 200_000 * 6
        one = df[["c5"]].persist()
        wait(one)
        del df  # 128 MB, of which as much lies in slabs as found room there
        gc.collect()
        until(lambda: shared(client) < 80_000_000)  # what the process keeps to write again
        assert one.c5.sum().compute() == 4 * 200_000 * 5 + 200_000 * 6
