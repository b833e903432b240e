"""sort_values and set_index of unsorted rows against pandas: dtypes, missing values, several keys, directions, partition counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same

N = 40
FRAME = pd.DataFrame(
    {
        "i": np.arange(N) * 7 % 11,
        "f": [1.5, np.nan, -0.0, np.inf] * 10,
        "s": pd.Series(["b", None, "a", "", "ü"] * 8, dtype="str"),
        "t": pd.to_datetime(["2020-01-01", None, "1969-05-05", "2021-01-01"] * 10),
        "c": pd.Categorical(["x", "z", None, "y"] * 10, categories=["z", "y", "x"], ordered=True),
        "n": pd.Series([3, None, 1, 2] * 10, dtype="Int64"),
        "x": np.arange(N),
    }
)


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_partitions(npartitions):
    ours = dd.from_pandas(FRAME, npartitions=npartitions)
    same(ours.sort_values("i"), FRAME.sort_values("i", kind="stable"))
    same(ours.sort_values(["s", "f"], ascending=[False, True]), FRAME.sort_values(["s", "f"], ascending=[False, True], kind="stable"))


@pytest.mark.parametrize("na_position", ["first", "last"])
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("by", ["i", "f", "s", "t", "c", "n", ["i", "s"], ["c", "t", "n"]], ids=str)
def test_keys(by, ascending, na_position):
    ours = dd.from_pandas(FRAME, npartitions=3)
    kwargs = {"ascending": ascending, "na_position": na_position}
    same(ours.sort_values(by, **kwargs), FRAME.sort_values(by, kind="stable", **kwargs))
    same(ours.sort_values(by, ignore_index=True, **kwargs), FRAME.sort_values(by, kind="stable", ignore_index=True, **kwargs))


def test_series_and_what_is_behind():
    ours = dd.from_pandas(FRAME, npartitions=3)
    same(ours.f.sort_values(ascending=False), FRAME.f.sort_values(ascending=False, kind="stable"))
    same(ours.sort_values("x", ascending=False).head(3), FRAME.sort_values("x", ascending=False).head(3))
    same(ours.sort_values("i").x.cumsum(), FRAME.sort_values("i", kind="stable").x.cumsum())
    same(ours.sort_values("s", key=lambda s: s.str.len()), FRAME.sort_values("s", key=lambda s: s.str.len(), kind="stable"))
    largest = ours.sort_values("x", sort_function=lambda part, by, ascending, na_position, n: part.nlargest(n, by), sort_function_kwargs={"n": 2})
    same(largest, FRAME.nlargest(2, "x"))


def test_errors():
    ours = dd.from_pandas(FRAME, npartitions=3)
    with pytest.raises(KeyError, match="nowhere"):
        ours.sort_values("nowhere")
    with pytest.raises(ValueError, match="na_position"):
        ours.sort_values("x", na_position="middle")
    with pytest.raises(ValueError, match="Length of ascending"):
        ours.sort_values(["x", "i"], ascending=[True])


@pytest.mark.parametrize("key", ["i", "f", "s", "t", "n"])
def test_set_index_of_unsorted_rows(key):
    for npartitions in (1, 3):
        ours = dd.from_pandas(FRAME, npartitions=npartitions)
        theirs = FRAME.set_index(key).sort_index(kind="stable")
        same(ours.set_index(key), theirs)
        same(ours.set_index(key, drop=False), FRAME.set_index(key, drop=False).sort_index(kind="stable"))
    same(dd.from_pandas(FRAME, npartitions=3).set_index("i").loc[2:5], FRAME.set_index("i").sort_index(kind="stable").loc[2:5])


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([None, "", "a", "b"])), max_size=30),
    ascending=st.booleans(), na_position=st.sampled_from(["first", "last"]), npartitions=st.sampled_from([1, 2, 7]),
)  # fmt: skip
def test_any_order(rows, ascending, na_position, npartitions):
    pdf = pd.DataFrame({"i": pd.Series([r[0] for r in rows], dtype="int64"), "s": pd.Series([r[1] for r in rows], dtype="str")})
    ours = dd.from_pandas(pdf, npartitions=npartitions)
    for by in ("s", ["i", "s"]):
        kwargs = {"ascending": ascending, "na_position": na_position}
        same(ours.sort_values(by, **kwargs), pdf.sort_values(by, kind="stable", **kwargs))


def random_frame(rows):
    """Rows whose keys are of every kind: ranges that need all bits, ties, texts with much in common, zero bytes, missing values."""
    random = np.random.default_rng(3)

    def some_missing(values, dtype=None):
        s = pd.Series(values, dtype=dtype)
        return s.mask(random.random(rows) < 0.1)

    return pd.DataFrame(
        {
            "few": random.integers(-5, 5, rows),
            "full": np.where(random.random(rows) < 0.01, np.iinfo("int64").max, random.integers(np.iinfo("int64").min, np.iinfo("int64").max, rows)),
            "unsigned": random.integers(0, 2**63, rows).astype("uint64") * 2,
            "int8": random.integers(-128, 127, rows).astype("int8"),
            "bool": random.random(rows) < 0.5,
            "float": some_missing(random.normal(size=rows)),
            "float32": some_missing(random.normal(size=rows).astype("float32")),
            "infinite": random.choice([np.inf, -np.inf, 0.0, -0.0, np.nan, 1.0], rows),
            "short": some_missing(random.choice(["b", "a", "", "ü", "zz"], rows), "str"),
            "long": pd.Series([f"prefix-prefix-{x:09d}" for x in random.integers(0, rows, rows)], dtype="str"),
            "zero bytes": pd.Series(random.choice(["a", "a\0", "a\0b", "", "\0"], rows), dtype="str"),
            "alike": some_missing([f"the same beginning of all {x % 97}" + "y" * (x % 5) for x in random.integers(0, rows, rows)], "str"),
            "time": some_missing(pd.to_datetime(random.integers(-(10**15), 10**18, rows))),
            "span": some_missing(pd.to_timedelta(random.integers(-(10**15), 10**15, rows))),
            "missing": np.full(rows, np.nan),
            "constant": np.full(rows, 7),
        }
    )


@pytest.fixture(scope="module")
def many():
    return random_frame(70_000)


KEYS = [*random_frame(1).columns, ["few", "short"], ["short", "int8", "float"], ["bool", "alike", "time"], ["constant", "short", "zero bytes"],
        ["long", "float"], ["full", "few"], ["missing", "few"]]  # fmt: skip


@pytest.mark.parametrize("by", KEYS, ids=str)
def test_many_rows(many, by):
    ours = dd.from_pandas(many, npartitions=3)
    kwargs = {"ascending": [True, False, True][: len(by)] if isinstance(by, list) else False, "na_position": "first"}
    sorted_rows = ours.sort_values(by, **kwargs)
    assert "python" not in sorted_rows._expr.op and sorted_rows.npartitions == 3
    same(sorted_rows, many.sort_values(by, kind="stable", **kwargs))


def test_partitions_of_the_result(many):
    ours = dd.from_pandas(many, npartitions=5).sort_values("float", npartitions=4)
    assert ours.npartitions == 4 and not ours.known_divisions
    expected = many.sort_values("float", kind="stable")
    parts = [ours.partitions[p].compute() for p in range(4)]
    same(pd.concat(parts), expected)
    assert max(map(len, parts)) < len(many) / 3
    same(ours.partitions[[3, 1]], pd.concat([parts[3], parts[1]]))
    same(ours.get_partition(2).few + 1, parts[2].few + 1)


def test_equal_keys_lie_in_all_partitions():
    frame = pd.DataFrame({"k": np.zeros(5000, dtype="int64"), "x": np.arange(5000)})
    ours = dd.from_pandas(frame, npartitions=7).sort_values("k")
    same(ours, frame)
    assert min(ours.map_partitions(len).compute()) > 300


def within_divisions(frame):
    """Compute each partition; its index values lie within its divisions, and ascend."""
    parts = [frame.partitions[p].compute() for p in range(frame.npartitions)]
    divisions = frame.divisions
    assert frame.known_divisions and list(divisions) == sorted(divisions)
    for p, part in enumerate(parts):
        index = part.index.dropna()
        assert part.index.is_monotonic_increasing or part.index.hasnans and index.is_monotonic_increasing
        if len(index):
            assert index[0] >= divisions[p] and (index[-1] < divisions[p + 1] or p == len(parts) - 1 and index[-1] == divisions[-1]), (p, index, divisions)
    return pd.concat(parts)


@pytest.mark.parametrize("npartitions", [1, 2, 7])
@pytest.mark.parametrize("by", ["few", "full", "unsigned", "int8", "float", "infinite", "short", "long", "alike", "time", "span"])
def test_divisions_of_set_index(by, npartitions):
    frame = random_frame(2000)
    ours = dd.from_pandas(frame, npartitions=npartitions).set_index(by)
    expected = frame.set_index(by).sort_index(kind="stable")
    same(ours, expected)
    if npartitions > 1 and by != "span":  # whose divisions are not known
        assert 1 <= ours.npartitions <= npartitions
        same(within_divisions(ours), expected)


def test_given_divisions():
    frame = random_frame(2000)
    ours = dd.from_pandas(frame, npartitions=3).set_index("int8", divisions=[-128, -50, 0, 3, 127])
    assert ours.divisions == (-128, -50, 0, 3, 127)
    same(within_divisions(ours), frame.set_index("int8").sort_index(kind="stable"))
    texts = dd.from_pandas(frame[["long", "few"]], npartitions=3).set_index("long", divisions=["prefix", "prefix-prefix-000001000", "q"], drop=False)
    same(within_divisions(texts), frame[["long", "few"]].set_index("long", drop=False).sort_index(kind="stable"))
    outside = dd.from_pandas(frame, npartitions=3).set_index("few", divisions=[-1, 0, 2])
    same(outside, frame.set_index("few").sort_index(kind="stable"))
    for wrong in ([3, 1], [1], [1, 1, 2], [1, None, 2]):
        with pytest.raises(ValueError, match="divisions"):
            dd.from_pandas(frame, npartitions=3).set_index("few", divisions=wrong)


def test_sorted_index_keeps_divisions():
    frame = random_frame(2000)
    ours = dd.from_pandas(frame, npartitions=4).set_index("long")
    reversed_rows = ours.map_overlap(lambda part: part[::-1], 0, 0)
    again = ours.sort_index()
    assert again.divisions == ours.divisions
    same(within_divisions(again), frame.set_index("long").sort_index(kind="stable"))
    assert reversed_rows.sort_index().compute().index.is_monotonic_increasing
    located = dd.from_pandas(random_frame(2000), npartitions=5).set_index("few").loc[-2:1]
    same(located, random_frame(2000).set_index("few").sort_index(kind="stable").loc[-2:1])


def test_divisions_are_where_rows_are():
    frame = pd.DataFrame({"k": [7, 7, 7, 1, 0, 1, 0, 1, 0, 1, 0], "x": range(11)})
    ours = dd.from_pandas(frame, npartitions=2).set_index("k")
    expected = frame.set_index("k").sort_index(kind="stable")
    same(ours.loc[1:1], expected.loc[1:1])
    same(within_divisions(ours), expected)
    moved = dd.from_pandas(pd.DataFrame({"x": range(10)}), npartitions=2).repartition(divisions=[0, 8, 9]).sort_index()
    assert moved.loc[6:7].compute().x.tolist() == [6, 7]


def test_what_is_no_order():
    ours = dd.from_pandas(FRAME, npartitions=3)
    with pytest.raises(TypeError, match="divisions"):
        ours.set_index("i", divisions=["a", "b", "c"])
    for call in (ours.set_index, ours.sort_values):
        for npartitions in (0, -1, "3", 2.5, True):
            with pytest.raises(ValueError, match="npartitions"):
                call("i", npartitions=npartitions)
    with pytest.raises(ValueError, match="ascending"):
        ours.sort_values("i", ascending="yes")
    same(ours.set_index(ours.index), FRAME.set_index(FRAME.index))


@pytest.mark.parametrize("by", ["zone", "span", "unordered", "n"])
def test_set_index_of_what_has_no_divisions(by):
    frame = FRAME.assign(
        zone=pd.date_range("2020-01-01", periods=N, tz="Europe/Berlin")[::-1], span=pd.to_timedelta(np.arange(N)[::-1], unit="s"),
        unordered=pd.Categorical(["b", "a"] * (N // 2)),
    )  # fmt: skip
    same(dd.from_pandas(frame, npartitions=3).set_index(by), frame.set_index(by).sort_index(kind="stable"))


def test_as_many_partitions_as_bytes_fill():
    df = dd.from_pandas(FRAME[["i", "x"]], npartitions=4)
    for made in (df.sort_values("i", npartitions="auto", partition_size="400 B"), df.set_index("i", npartitions="auto", partition_size=400)):
        assert made.npartitions == 3
        same(made.reset_index(drop=True), FRAME[["i", "x"]].sort_values("i", kind="stable", ignore_index=True)[list(made.columns)])
    assert df.sort_values("i", npartitions="auto").npartitions == 1
    assert df.set_index("i", npartitions="auto", partition_size=1).npartitions <= 4
    with pytest.raises(ValueError, match="npartitions must be a positive integer, got 'all'"):
        df.set_index("i", npartitions="all")


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_one_more_level(npartitions):
    df = dd.from_pandas(FRAME[["i", "s", "x"]], npartitions=npartitions)
    for drop in (True, False):
        same(df.set_index("s", append=True, sort=False, drop=drop), df.compute().set_index("s", append=True, drop=drop))
    with pytest.raises(NotImplementedError, match="append=True puts no rows in order; say sort=False"):
        df.set_index("s", append=True)
    with pytest.raises(NotImplementedError, match="make it a column first"):
        df.set_index(df.s, append=True, sort=False)


ARGUMENTS = {
    "a kind": lambda d: d.sort_values(["A", "C"], kind="mergesort"),
    "an unknown kind": lambda d: d.sort_values("A", kind="bogus"),
    "an unknown kind of a Series": lambda d: d.A.sort_values(kind="bogus"),
    "rows": lambda d: d.sort_values("Bee", axis=0),
    "an unknown axis": lambda d: d.sort_values("A", axis="x"),
    "too many directions": lambda d: d.sort_values("A", ascending=[True, False]),
    "too few directions": lambda d: d.sort_values(["A", "Bee"], ascending=[True]),
    "a tuple of directions": lambda d: d.sort_values(["A", "Bee"], ascending=(True, False)),
    "directions of a Series": lambda d: d.A.sort_values(ascending=[True, False]),
    "a direction of a Series": lambda d: d.Bee.sort_values(ascending=[False]),
    "no direction": lambda d: d.sort_values("A", ascending="yes"),
    "no such column": lambda d: d.sort_values(["A", "Be"]),
    "nothing to sort by": lambda d: d.sort_values(),
    "no column": lambda d: d.sort_values([]),
    "no place for what is missing": lambda d: d.sort_values("A", na_position="middle"),
    "a Series": lambda d: d.sort_values(d.A),
    "a list of Series": lambda d: d.sort_values([d.A]),
    "an unknown keyword": lambda d: d.sort_values("A", bogus=1),
    "a pandas Series as index": lambda d: d.set_index(pd.Series(range(12, 0, -1), index=range(5, 17), name="k")).sort_index(),
    "an array as index": lambda d: d.set_index(np.arange(12)[::-1]).sort_index(),
    "a list of a pandas Series as index": lambda d: d.set_index([pd.Series(range(12, 0, -1))]).sort_index(),
    "a list of a Series as index": lambda d: d.set_index([d.Bee * -1]).sort_index(),
    "too few values as index": lambda d: d.set_index(np.arange(11)),
}


@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments(arguments, npartitions):
    frame, call = pd.DataFrame({"A": np.arange(12) * 7 % 5, "Bee": range(12), "C": list("abcd") * 3}), ARGUMENTS[arguments]
    ours = dd.from_pandas(frame, npartitions=npartitions)
    if (error := raised(lambda: call(frame))) is None:
        same(call(ours), call(frame))
    else:
        with pytest.raises(type(error)):
            call(ours).compute()


def test_what_is_refused_is_named():
    ours = dd.from_pandas(pd.DataFrame({"A": [1, 2], "Bee": [1, 2]}), npartitions=2)
    with pytest.raises(KeyError, match="sort_values: column 'Be' not found; did you mean Bee"):
        ours.sort_values("Be")
    for call in (lambda: ours.sort_values("A", inplace=True), lambda: ours.sort_index(inplace=True), lambda: ours.A.sort_values(inplace=True)):
        with pytest.raises(NotImplementedError, match="inplace=True"):
            call()
    with pytest.raises(NotImplementedError, match="axis=1"):
        ours.sort_values(0, axis=1)


@pytest.mark.parametrize("ascending", [[True], [False], (False,), [], [True, False], np.bool_(False), 0, None, "x", np.array([False])])
def test_directions_of_an_index(ascending):
    for pdf in (pd.DataFrame({"x": [1, 2, 3]}, index=[3, 1, 2]), pd.DataFrame({"x": [1, 2, 3]}, index=pd.MultiIndex.from_tuples([(1, 2), (2, 1), (1, 3)]))):
        ddf = dd.from_pandas(pdf, npartitions=2, sort=False)
        if (error := raised(lambda pdf=pdf: pdf.sort_index(ascending=ascending))) is not None:
            refused = raised(lambda ddf=ddf: ddf.sort_index(ascending=ascending).compute())
            assert type(refused) is type(error) or "is not reversible" in str(error)  # of a level pandas takes a number for no list
        else:
            same(ddf.sort_index(ascending=ascending), pdf.sort_index(ascending=ascending))
            same(ddf.x.sort_index(ascending=ascending), pdf.x.sort_index(ascending=ascending))
