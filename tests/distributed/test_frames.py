"""Frames on a cluster: columns of Python objects, categories and other dtypes of pandas cross processes."""

import collections
import datetime
import decimal
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import muster.bag as db
import muster.dataframe as dd
from muster import delayed
from muster.dataframe._through_pandas import through
from muster.distributed import futures_of, wait

ROWS = 300


class Point:
    """A class of a module that workers do not have."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return self.x == other.x

    def __hash__(self):
        return hash(self.x)


def some(values):
    """A column of these values over and over, one in seven missing."""
    column = [values[i % len(values)] if i % 7 else None for i in range(ROWS)]
    held = np.empty(ROWS, dtype=object)
    held[:] = column
    return held


COLUMNS = {
    "lists": some([[1, 2], [], ["a", None]]),
    "dates": some([datetime.date(2020, 1, 1), datetime.date(2021, 2, 3)]),
    "decimals": some([decimal.Decimal("1.5"), decimal.Decimal(2)]),
    "mixed": some([1, "a", 2.5, (1, "b"), np.nan, pd.NaT, True]),
    "points": some([Point(1), Point(2)]),
    "category": pd.Categorical(some(["b", "a", "c"]), categories=["c", "b", "a", "unused"]),
    "ordered": pd.Categorical(some([3, 1, 2]), categories=[1, 2, 3], ordered=True),
    "zoned": pd.array(pd.to_datetime(some(["2020-01-01", "2020-06-01"])).tz_localize("Europe/Berlin")),
    "utc": pd.array(pd.to_datetime(some(["2020-01-01", "2020-06-01"]), utc=True)),
    "period": pd.array(some([pd.Period("2020-01", "M"), pd.Period("2021-05", "M")]), dtype="period[M]"),
    "interval": pd.array(some([pd.Interval(0, 1), pd.Interval(1, 2)]), dtype="interval[float64]"),
    "Int64": pd.array(some([1, 2**60 + 1]), dtype="Int64"),
    "boolean": pd.array(some([True, False]), dtype="boolean"),
    "string": pd.array(some(["x", "y"]), dtype="string"),
    "arrow": pd.array(some([1, 2]), dtype="int64[pyarrow]"),
    "arrow_lists": pd.array(some([[1], [2, 3]]), dtype=pd.ArrowDtype(__import__("pyarrow").list_(__import__("pyarrow").int64()))),
    "sparse": pd.arrays.SparseArray([0.0 if i % 3 else float(i) for i in range(ROWS)], fill_value=0.0),
    "float16": np.arange(ROWS).astype("float16"),
    "complex": np.arange(ROWS) * 1j,
}


def frame(column):
    return pd.DataFrame({"k": np.arange(ROWS) % 5, "v": COLUMNS[column]})


def same(got, expected):
    (pd.testing.assert_frame_equal if isinstance(expected, pd.DataFrame) else pd.testing.assert_series_equal)(got, expected)


@pytest.mark.parametrize("column", COLUMNS)
def test_values_cross_processes(client, column):
    theirs = frame(column)
    ours = dd.from_pandas(theirs, npartitions=3)
    same(ours.compute(), theirs)
    same(ours[ours.k == 2].compute(), theirs[theirs.k == 2])  # on native workers, which do not open them
    same(ours[ours.k > 7].compute(), theirs[theirs.k > 7])
    same(ours.map_partitions(lambda part: part.iloc[::-1]).compute(), pd.concat([ours.partitions[i].compute(scheduler="threads").iloc[::-1] for i in range(3)]))
    same(dd.concat([ours, ours]).compute(), pd.concat([theirs, theirs]))
    same(ours.nlargest(3, "k").compute(), theirs.nlargest(3, "k"))
    same(ours.v.isna().compute(), ours.v.isna().compute(scheduler="threads"))
    same(ours.persist().v.compute(), theirs.v)


@pytest.mark.parametrize("column", COLUMNS)
def test_values_made_on_workers(client, column):
    """A worker's function makes the dtype, which the client has not seen before."""
    values = COLUMNS[column]

    def made(part):
        return part.assign(v=pd.Series(values)[part.k].set_axis(part.index))

    numbers = pd.DataFrame({"k": np.arange(ROWS)})
    ours = dd.from_pandas(numbers, npartitions=4).map_partitions(made)
    same(ours.compute(), pd.concat([made(numbers.iloc[i : i + ROWS // 4]) for i in range(0, ROWS, ROWS // 4)]))
    same(ours[ours.k % 50 == 1].v.compute(), made(numbers)[numbers.k % 50 == 1].v)


def test_categories_that_only_workers_know(client):
    """Each partition has categories of its own; they are united, also those of partitions of which no row is left."""
    ours = dd.from_pandas(pd.DataFrame({"x": range(8)}), npartitions=4)
    made = ours.map_partitions(lambda part: pd.DataFrame({"x": part.x, "c": pd.Categorical([f"v{i}" for i in part.x])}))
    got = made[made.x > 5].compute()
    assert list(got.c.astype(str)) == ["v6", "v7"]
    assert sorted(got.c.cat.categories) == [f"v{i}" for i in range(8)]


def test_many_objects_in_pieces(client):
    """More objects than one piece holds; few of many rows are left."""
    theirs = pd.DataFrame({"n": range(70_000), "o": [(i, str(i)) for i in range(70_000)]})
    ours = dd.from_pandas(theirs, npartitions=2)
    same(ours[ours.n % 10_000 == 77].compute(), theirs[theirs.n % 10_000 == 77])
    same(ours.tail(5, compute=False).compute(), theirs.tail(5))
    same(ours.o[ours.n > 60_000].compute(), theirs.o[theirs.n > 60_000])


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_cannot_travel_is_named(client, partitions):
    lock = threading.Lock()
    theirs = pd.DataFrame({"n": range(10), "here": [lock if i == 6 else i for i in range(10)]})
    with pytest.raises(TypeError, match=r"column 'here' cannot go to another process: its value <unlocked _thread.lock.*is a _thread.lock"):
        dd.from_pandas(theirs, npartitions=partitions).compute()
    ours = dd.from_pandas(theirs[["n"]], npartitions=partitions)
    with pytest.raises(TypeError, match="column 'made' cannot go to another process: its value .*is a _thread.lock"):
        ours.map_partitions(lambda part: part.assign(made=[threading.Lock() for _ in part.n]), meta={"n": "int64", "made": object}).compute()
    assert ours.n.sum().compute() == 45


def test_neighbours_cross_processes(client):
    theirs = pd.DataFrame({"x": np.arange(40.0), "o": [(i,) for i in range(40)]})
    ours = dd.from_pandas(theirs, npartitions=5)
    same(ours.x.rolling(3).sum().compute(), theirs.x.rolling(3).sum())
    same(ours.map_overlap(lambda part: part.shift(1), 1, 0).compute(), theirs.shift(1))
    ranks = through("ranks", lambda d: d.assign(r=d.x.rank()), (ours,), {}, shape="beside")
    same(ranks.compute(), theirs.assign(r=theirs.x.rank()))


NAN = {"missing": np.nan, "table": {np.nan: 1, "a": 2}}


def named(x, table={np.nan: "missing"}):  # noqa: B006
    return table.get(x, NAN["table"].get(x, x))


NAN_QUESTIONS = {
    "map a dict": lambda d: d.c.map({"a": "x", np.nan: "none"}),
    "map a default": lambda d: d.o.map(collections.defaultdict(lambda: "other", {np.nan: "missing", "a": "first"})),
    "map a function": lambda d: d.o.map(named),
    "map a series": lambda d: d.o.map(pd.Series([1.0, 2.0], index=[np.nan, "a"])),
    "apply with arguments": lambda d: d.o.apply(lambda x, table: table.get(x, 0), args=({np.nan: 1, "a": 2},)),
    "replace a dict": lambda d: d.replace({"o": {np.nan: "missing"}, "c": {"a": "b"}})[["o"]],
    "replace a value": lambda d: d.o.replace(np.nan, "missing"),
    "isin": lambda d: d.o.isin([np.nan, "a"]),
    "isin a set": lambda d: d.o.isin({np.nan}),
    "isin of categories": lambda d: d.c.isin([np.nan, "b"]),
    "fillna": lambda d: d.fillna({"o": "missing", "f": -1.0})[["o", "f"]],
    "where": lambda d: d.f.where(d.k > 2, np.nan),
    "groups": lambda d: d.groupby("k").o.agg(lambda s: sum(x is np.nan for x in s)),
}


@pytest.mark.parametrize("question", NAN_QUESTIONS)
def test_nan_in_values_of_python(client, question):
    values = np.array(["a", np.nan, "b", np.nan] * 20, dtype=object)
    theirs = pd.DataFrame({"k": np.arange(80) % 5, "o": values, "c": pd.Categorical(values), "f": [1.5, np.nan, np.inf, 0.0] * 20})
    ours = dd.from_pandas(theirs, npartitions=3)
    got = NAN_QUESTIONS[question](ours).compute()
    same(got, NAN_QUESTIONS[question](theirs))
    if got.ndim == 1 and got.dtype == object:
        assert all(x is np.nan for x in got if isinstance(x, float))


def test_nan_in_tasks(client):
    assert client.submit(lambda table, key: table[key], {np.nan: 1}, client.submit(lambda: np.nan)).result() == 1
    assert client.gather(client.map(NAN["table"].get, [np.nan, "a"])) == [1, 2]
    assert client.scatter([{np.nan: 1}])[0].result()[np.nan] == 1
    assert db.from_sequence([np.nan, 1.0, np.nan], npartitions=2).map({np.nan: 0}.get).compute() == [0, None, 0]


def wait_for(persisted):
    wait(persisted)
    return persisted


ASKS = {
    "argument": lambda client, ours: dd.from_pandas(pd.Series(range(6), name="v"), npartitions=2).map(ours.v).compute(),
    "task": lambda client, ours: delayed(lambda part: part.v)(ours).compute(),
    "future": lambda client, ours: client.submit(lambda part: part.v, client.compute(ours)).result(),
    "persisted": lambda client, ours: client.submit(lambda *parts: pd.concat(parts).v, *futures_of(wait_for(ours.persist()))).result(),
}
DTYPES = {
    "category": [pd.CategoricalDtype([1, 2, 3, 100 + i]) for i in range(len(ASKS))],
    "nullable": ["Int8", "Int16", "UInt8", "UInt16"],
    "arrow": [pd.ArrowDtype(pa.decimal128(21 + i, 1)) for i in range(len(ASKS))],
    "period": [f"period[{unit}]" for unit in ("Y", "Q", "M", "D")],
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", DTYPES)
def test_dtypes_go_with_results(client, kind, ask):
    """Each is asked for once, so that no process of the cluster has seen it."""
    dtype = DTYPES[kind][list(ASKS).index(ask)]
    periods = kind == "period"
    values = pd.Series(pd.period_range("2020", periods=6, freq=dtype[7:-1]) if periods else pd.array([1, 2, 3] * 2))
    theirs = pd.DataFrame({"k": range(6), "v": values if periods else values.astype(dtype)})
    same(ASKS[ask](client, dd.from_pandas(theirs, npartitions=2)), theirs.v)


def test_a_future_is_no_value(client):
    df = dd.from_pandas(pd.DataFrame({"x": range(8)}), npartitions=3)
    future = client.submit(pow, 2, 3)
    takers = (
        lambda: df.assign(z=future), lambda: df.x == future, lambda: future == df.x, lambda: df.x.where(df.x > 2, future), lambda: df.x.isin([future])
    )  # fmt: skip
    for _ in ("pending", "done"):
        for takes in takers:
            with pytest.raises(TypeError, match=r"<Future: .*> is not a value yet: give what its \.result\(\) returns"):
                takes()
        wait(future)
    assert df.assign(z=future.result()).compute().equals(df.compute().assign(z=8))
    assert df.map_partitions(lambda part, given: part + given["a"], {"a": future}).compute().equals(df.compute() + 8)
