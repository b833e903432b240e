"""concat, repartition, sample and what else moves the borders between partitions."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same


def test_concat(frames):
    pdf, df = frames
    same(dd.concat([df, df]), pd.concat([pdf, pdf]))
    same(dd.concat([df.i, df.f]), pd.concat([pdf.i, pdf.f]))
    same(dd.concat([df[["i", "s"]], df[["f", "s"]]]), pd.concat([pdf[["i", "s"]], pdf[["f", "s"]]]))
    same(dd.concat([df[["i", "s"]], df[["f", "s"]]], join="inner"), pd.concat([pdf[["i", "s"]], pdf[["f", "s"]]], join="inner"))
    same(dd.concat([df[["i"]], df[["f"]]], axis=1), pd.concat([pdf[["i"]], pdf[["f"]]], axis=1))
    same(dd.concat([df[["b"]], df[["i"]].rename(columns={"i": "b"})]), pd.concat([pdf[["b"]], pdf[["i"]].rename(columns={"i": "b"})]))
    both, theirs = dd.concat([df[df.i > 0], df[df.i <= 0]]), pd.concat([pdf[pdf.i > 0], pdf[pdf.i <= 0]])
    same(both.f - both.f.mean(), theirs.f - theirs.f.mean())
    same(both.groupby("s").i.sum(), theirs.groupby("s").i.sum())
    same(both.partitions[df.npartitions - 1 :], pd.concat([df.partitions[df.npartitions - 1].compute().query("i > 0"), pdf[pdf.i <= 0]]))


def test_concat_of_files(tmp_path):
    for name, start in [("a", 0), ("b", 100)]:
        pd.DataFrame({"x": range(start, start + 50)}).to_csv(tmp_path / f"{name}.csv", index=False)
    one, two = (dd.read_csv(tmp_path / f"{name}.csv", blocksize=40) for name in "ab")
    same(dd.concat([two, one, two]), pd.concat([two.compute(), one.compute(), two.compute()]))


def test_concat_refuses():
    with pytest.raises(TypeError, match="list"):
        dd.concat(dd.from_dict({"x": [1]}, npartitions=1))
    with pytest.raises(ValueError, match="No objects"):
        dd.concat([])


@pytest.mark.parametrize("n", [1, 2, 3, 10, 300])
def test_repartition(frames, n):
    pdf, df = frames
    changed = df.repartition(npartitions=n)
    assert changed.npartitions == n
    same(changed, pdf)
    same(changed.f.cumsum(), pdf.f.cumsum())
    same(changed.partitions[n - 1 :], changed.compute().iloc[sum(len(p.compute()) for p in changed.partitions) - len(changed.partitions[n - 1].compute()) :])


def test_repartition_by_divisions(frames):
    pdf, df = frames
    changed = df.repartition(divisions=[0, 100, 200, 259])
    assert changed.divisions == (0, 100, 200, 259)
    same(changed.partitions[1], pdf.loc[100:199])
    same(changed.partitions[2], pdf.loc[200:])
    with pytest.raises(ValueError, match="exactly one"):
        df.repartition()
    times = pd.DataFrame({"x": range(100)}, index=pd.date_range("2020", periods=100, freq="h"))
    by_day = dd.from_pandas(times, npartitions=3).repartition(freq="1D")
    assert by_day.npartitions == 5
    same(by_day.partitions[1], times.loc["2020-01-02"], check_freq=False)


@pytest.mark.parametrize("divisions", [[5, 10], [5, 10, 10], [-3, 0, 40], ["b", "c"]], ids=str)
def test_no_row_outside_of_divisions_is_lost(divisions):
    values = list(range(30)) if divisions[0] != "b" else sorted("abcdefabc")
    pdf = pd.DataFrame({"x": range(len(values))}, index=values)
    df = dd.from_pandas(pdf, npartitions=3)
    for moved in (df.clear_divisions().repartition(divisions=divisions), df.repartition(divisions=divisions, force=True)):
        same(moved, pdf)
        for p, (low, high) in enumerate(itertools.pairwise(divisions)):
            index = moved.partitions[p].compute().index
            assert (index < high).all() or p == moved.npartitions - 1
            assert (index >= low).all() or p == 0


@pytest.mark.parametrize("divisions", [[10, 5], [0], [], [0, 5, 5, 9], [0, None, 9], [0, float("nan")]], ids=str)
def test_what_is_no_divisions(divisions):
    df = dd.from_pandas(pd.Series(range(10)), npartitions=2)
    with pytest.raises(ValueError, match="divisions must ascend"):
        df.repartition(divisions=divisions, force=True)
    with pytest.raises(TypeError, match="divisions: 'a' is no value of an index of dtype int64"):
        df.repartition(divisions=["a", "b"])
    for wrong in (0, -1, 2.5, "3"):
        with pytest.raises(ValueError, match="npartitions must be a positive integer, got"):
            df.repartition(npartitions=wrong)


def test_partition_size(frames):
    pdf, df = frames
    assert df.repartition(partition_size="4kB").npartitions > 2
    same(df.repartition(partition_size="1MB"), pdf)
    for wrong in (0, -5, "0 B"):
        with pytest.raises(ValueError, match="partition_size must be at least 1 byte, got"):
            df.repartition(partition_size=wrong)


def test_sample(frames):
    pdf, df = frames
    some = df.sample(frac=0.5, random_state=3).compute()
    pd.testing.assert_frame_equal(some, df.sample(frac=0.5, random_state=3).compute())
    same(some, pdf.loc[some.index])
    with pytest.raises(ValueError, match="frac"):
        df.sample(n=3)
    a, b = df.random_split([0.3, 0.7], random_state=1)
    same(pd.concat([a.compute(), b.compute()]).sort_index(), pdf)


def test_map_overlap(frames):
    pdf, df = frames
    same(df.map_overlap(lambda part: part[["i"]].rolling(3).sum(), 2, 0), pdf[["i"]].rolling(3).sum())


def shifted_sum(frame, before, after, other=0):
    return frame + frame.shift(before) + frame.shift(-after) + other


@pytest.mark.parametrize("before, after", [(0, 3), (3, 0), (3, 3), (0, 0)])
def test_map_overlap_of_several(frames, before, after):
    pdf, df = frames[0][["i", "f"]], frames[1][["i", "f"]]
    expected = shifted_sum(pdf, before, after, pdf * 2)
    for other in (df * 2, dd.from_pandas(pdf * 2, npartitions=3), pdf * 2):
        same(dd.map_overlap(shifted_sum, df, before, after, before, after, other, align_dataframes=True), expected)
    same(dd.map_overlap(shifted_sum, pdf, before, after, before, after, pdf * 2), expected)


def test_map_overlap_sees_a_partition_and_its_neighbours():
    s = pd.Series(range(12), index=pd.date_range("2020", periods=12, freq="h"))
    lazy = dd.from_pandas(s, npartitions=3)

    def seen(part):
        return part * 0 + len(part)

    assert lazy.map_overlap(seen, 2, 0).compute().tolist() == [4] * 4 + [6] * 8
    assert lazy.map_overlap(seen, 1, 3).compute().tolist() == [7] * 4 + [8] * 4 + [5] * 4
    assert lazy.map_overlap(seen, "90min", pd.Timedelta("2h")).compute().tolist() == [5] * 4 + [6] * 4 + [5] * 4
    same(lazy.map_overlap(lambda part: part.rolling("3h").sum(), "4h", 0), s.rolling("3h").sum(), check_freq=False)
    for wrong in (-1, 0.5):
        with pytest.raises(ValueError, match="positive"):
            lazy.map_overlap(seen, wrong, 0)
    with pytest.raises(TypeError, match="DatetimeIndex"):
        dd.from_pandas(s.reset_index(drop=True), npartitions=2).map_overlap(seen, "1h", 0)


@pytest.mark.parametrize("values, dtype", [([10, 20], "int16"), ([10.5, 20.5], "float32"), (["a", "b"], "str"), ([True, False], "bool"), ([10, 20], "Int16")])
def test_map_by_a_lazy_series(values, dtype):
    mapper = pd.Series(values, index=[2, 1], dtype=dtype)
    for keys in ([1, 2, 1, 2], [1, 3, 2]):
        s = pd.Series(keys)
        same(dd.from_pandas(s, npartitions=2).map(dd.from_pandas(mapper, npartitions=2)), s.map(mapper))
    table = pd.Series([1, 0, 3, 2])
    same(dd.from_pandas(table, npartitions=2).map(dd.from_pandas(table, npartitions=2)), table.map(table))


def test_index_maps_to_an_index():
    index = dd.from_pandas(pd.Series(range(6), index=list("aabbcc")), npartitions=2).index
    pd.testing.assert_index_equal(index.map(str.upper).compute(), pd.Index(list("AABBCC")))
    pd.testing.assert_index_equal(index.unique().compute(), pd.Index(list("abc")))
    ascending = dd.from_pandas(pd.Series(range(6), index=[0, 2, 4, 6, 8, 10]), npartitions=2).index
    assert not ascending.map(lambda x: x * 10).known_divisions
    assert ascending.map(lambda x: x * 10, is_monotonic=True).divisions == tuple(d * 10 for d in ascending.divisions)


@pytest.mark.parametrize("options", [{}, {"closed": "right"}, {"label": "right"}, {"closed": "right", "label": "right"}])
@pytest.mark.parametrize("rule", ["30min", "D", "W", "ME"])
def test_resample_knows_its_divisions(rule, options):
    s = pd.Series(range(200), index=pd.date_range("2000-01-01 05:00", periods=200, freq="7h"))
    for n in (1, 3):
        for ours, theirs in ((dd.from_pandas(s, npartitions=n), s), (dd.from_pandas(s.to_frame("x"), npartitions=n), s.to_frame("x"))):
            result, expected = ours.resample(rule, **options).count(), theirs.resample(rule, **options).count()
            same(result, expected, check_freq=False)
            assert result.divisions == (expected.index[0], expected.index[-1])


def test_divmod():
    s = pd.Series([1.5, 7.0, -3.0])
    for ours, theirs in zip(
        divmod(dd.from_pandas(s, npartitions=2), 2.0) + divmod(9.0, dd.from_pandas(s, npartitions=2)), divmod(s, 2.0) + divmod(9.0, s), strict=True
    ):
        same(ours, theirs)


def test_series_beside_columns_is_refused():
    pdf = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, 1.5, 2.5]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (lambda: df.add(df.x), lambda: df.rmul(df.x, axis="columns"), lambda: df - df.x):
        with pytest.raises(ValueError, match="with axis=1.*axis=0"):
            operation()
    same(df.add(df.x, axis=0), pdf.add(pdf.x, axis=0))
    same(df - df.mean(), pdf - pdf.mean())
    for operation in (lambda: df.add(df, level=0), lambda: df.x.rsub(1, level=0)):
        with pytest.raises(NotImplementedError, match="level must be None"):
            operation()
    same(+df, +pdf)


def test_index_as_values():
    pdf = pd.DataFrame({"x": range(6)}, index=[3, 4, 5, 7, 8, 9])
    index = dd.from_pandas(pdf, npartitions=2).index
    pd.testing.assert_index_equal(index.astype("float64").compute(), pdf.index.astype("float64"))
    pd.testing.assert_index_equal(index.head(2), pdf.index[:2], exact="equiv")
    pd.testing.assert_index_equal(index.tail(2), pdf.index[-2:], exact="equiv")
    assert index.quantile(0.5).compute() == 6


def test_conversions_of_what_is_in_memory():
    texts = pd.Series(["2018-10-26 12:00:00", "2018-10-26 13:00:15"])
    same(dd.to_datetime(texts), pd.to_datetime(texts))
    assert dd.to_numeric("5 ").compute() == 5
    with pytest.raises(NotImplementedError, match="non-index-able"):
        dd.to_datetime(1490195805)
    with pytest.raises(TypeError, match="arg must be a Series"):
        dd.to_timedelta("1.0")
    with pytest.raises(TypeError, match="arg must be a list"):
        dd.to_numeric(dd.from_pandas(texts.to_frame("a"), npartitions=1))


def test_scalar_to_series():
    total = dd.from_pandas(pd.Series([1, 2]), npartitions=2).sum()
    same(total.to_series(), pd.Series([3]))
    same(total.to_series("n"), pd.Series([3], index=["n"]))
    assert isinstance(dd.concat([dd.from_pandas(pd.Series([1], name="x"), npartitions=1)], axis=1), dd.DataFrame)


def test_pandas_objects_are_repartitioned():
    s = pd.Series(range(6), index=[0, 2, 4, 6, 8, 10])
    lazy = dd.repartition(s, divisions=[0, 4, 10])
    assert lazy.divisions == (0, 4, 10)
    same(lazy, s)


def test_aggregation_and_reduction(frames):
    pdf, df = frames
    spread = dd.Aggregation("spread", lambda s: (s.max(), s.min()), lambda a, b: (a.max(), b.min()), lambda a, b: a - b)
    same(df.groupby("s").i.agg(spread), pdf.groupby("s").i.agg(lambda g: g.max() - g.min()))
    same(df.groupby("s").agg({"i": spread, "f": "mean"}), pdf.groupby("s").agg({"i": lambda g: g.max() - g.min(), "f": "mean"}))
    assert df.i.reduction(lambda part: part.sum(), lambda sums: sums.sum()).compute() == pdf.i.sum()


def test_results_that_are_otherwise_than_the_first_rows():
    s = pd.Series(np.arange(40))
    lazy = dd.from_pandas(s, npartitions=8)
    same(lazy.map(lambda x: x if x < 30 else x + 0.5), s.map(lambda x: x if x < 30 else x + 0.5))
    same(lazy.map(lambda x: x if x < 30 else None), s.map(lambda x: x if x < 30 else None))
    same(lazy.map(lambda x: x if x < 30 else "text"), s.map(lambda x: x if x < 30 else "text"))
    same(lazy.map({0: "a"}), s.map({0: "a"}))


def test_query():
    pdf = pd.DataFrame({"a b": [1, 2, 3], "c": ["x", "y", "z"], "d": pd.to_datetime(["2020", "2021", "2022"])})
    df = dd.from_pandas(pdf, npartitions=2)
    limit = 1  # noqa: F841 (queries name it)
    for text in [
        "`a b` > @limit", "c == 'x' | c == 'z'", "c in ['x', 'y'] & `a b` == 2", "not c == 'x'", "1 < `a b` <= 3", "c == ['x']", "d >= '2021-01-01'",
        "c.str.startswith('x')", "index > 0"
    ]:
        same(df.query(text), pdf.query(text))
    for bad, error in [("__import__('os')", Exception), ("a +", SyntaxError), ("nope > 1", NameError), ("", ValueError), ("c.__class__", NotImplementedError)]:
        with pytest.raises(error):
            df.query(bad)


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_parts_of_what_has_one_partition(partitions):
    frame = pd.DataFrame({"x": range(20), "s": list("abcd") * 5})
    df = dd.from_pandas(frame, npartitions=partitions)
    first = df.head(12, npartitions=-1, compute=False)
    same(first.partitions[0], frame.head(12))
    same(first.get_partition(0).x.sum(), frame.head(12).x.sum())
    assert list(first.itertuples(name=None)) == list(frame.head(12).itertuples(name=None))
    same(first.tail(2), frame.head(12).tail(2))
    for lazy, whole in (
        (df.drop_duplicates("s"), frame.drop_duplicates("s")), (df.nlargest(8, "x"), frame.nlargest(8, "x")),
        (df.groupby("s").x.sum().reset_index(), frame.groupby("s").x.sum().reset_index())
    ):
        same(lazy.partitions[0], whole)
        same(lazy.tail(2), whole.tail(2))


def test_set_index_names_what_is_not_there():
    df = dd.from_pandas(pd.DataFrame({"amount": [1, 2], "b": [3, 4]}), npartitions=2)
    for wrong in ("amonut", ["amonut"], ["b", "amonut"]):
        with pytest.raises(KeyError, match=r"set_index: column 'amonut' not found; did you mean amount"):
            df.set_index(wrong)
    with pytest.raises(NotImplementedError, match="multi-indexes, here of 2 columns"):
        df.set_index(["amount", "b"])
    with pytest.raises(NotImplementedError, match="other is a DataFrame; say which of its columns"):
        df.set_index(df)
    same(df.set_index(["amount"]), pd.DataFrame({"b": [3, 4]}, index=pd.Index([1, 2], name="amount")))


def test_functions_that_are_told_their_place():
    def place(part, add=0, partition_info=None):
        return part.x * 0 + add + (partition_info["number"] if partition_info else 0)

    def begin(part, partition_info=None):
        return part.x * 0 + (partition_info["division"] if partition_info else 0)

    df = dd.from_pandas(pd.DataFrame({"x": range(12)}), npartitions=3)
    expected = [0] * 4 + [1] * 4 + [2] * 4
    for scheduler in ("threads", "synchronous"):
        assert df.map_partitions(place).compute(scheduler=scheduler).tolist() == expected
    assert df.map_partitions(place, meta=("x", "int64")).compute().tolist() == expected
    assert df.map_partitions(place, df.x).compute().tolist() == [i + x for x, i in enumerate(expected)]
    assert df.map_partitions(begin).compute().tolist() == [0] * 4 + [4] * 4 + [8] * 4
    assert df.map_partitions(place, partition_info={"number": 5}).compute().tolist() == [5] * 12
    assert df[df.x > 5].map_partitions(place).compute().tolist() == [1, 1, 2, 2, 2, 2]
    for chosen in (df.partitions[1:], df.partitions[[2, 0]], df.partitions[1:].persist()):
        assert chosen.map_partitions(place).compute().tolist() == [0] * 4 + [1] * 4


def test_tasks_among_the_arguments_of_a_function():
    df = dd.from_pandas(pd.DataFrame({"x": range(6)}), npartitions=2)
    five = muster.delayed(lambda: 5)()
    assert df.map_partitions(lambda part, n: part.x + n, five).compute().tolist() == list(range(5, 11))
    assert df.map_partitions(lambda part, n=0: part.x + n, n=five, meta=("x", "int64")).compute().tolist() == list(range(5, 11))


def test_divisions_of_tasks_are_counted():
    part = muster.delayed(pd.DataFrame)({"x": [1]})
    with pytest.raises(ValueError, match="len\\(dfs\\) \\+ 1, got 2 for 2 tasks"):
        dd.from_delayed([part, part], divisions=[0, 5])


@pytest.mark.parametrize("npartitions", [1, 2, 7])
def test_which_of_equal_rows_stay(npartitions):
    pdf = pd.DataFrame({"x": [1, 1, 2, 2, 3], "y": [1, 1, 2, 3, 3]}, index=[5, 6, 7, 8, 9])
    df = dd.from_pandas(pdf, npartitions=npartitions)
    for kwargs in ({}, {"keep": "last"}, {"keep": False}, {"ignore_index": True}, {"keep": "last", "ignore_index": True}):
        same(df.drop_duplicates(**kwargs, split_out=2), pdf.drop_duplicates(**kwargs))
        same(df.drop_duplicates("x", **kwargs, split_every=4), pdf.drop_duplicates("x", **kwargs))
        same(df.y.drop_duplicates(**kwargs), pdf.y.drop_duplicates(**kwargs))
    assert df.drop_duplicates(keep=False)._expr.op == "drop_duplicates"
    with pytest.raises(ValueError, match="keep must be"):
        df.drop_duplicates(keep="none").compute()


PAIRS = st.tuples(st.sampled_from([None, 0.0, -0.0, 1.5]), st.sampled_from(["", "a", None]))


@hypothesis.given(values=st.lists(PAIRS, max_size=30), npartitions=st.integers(1, 4))
def test_rows_that_have_no_equal(values, npartitions):
    pdf = pd.DataFrame(values, columns=["x", "t"]).astype({"x": "float64", "t": "str"}).assign(n=range(len(values)))
    df = dd.from_pandas(pdf, npartitions=npartitions)
    for subset in ("x", "t", ["x", "t"]):
        same(df.drop_duplicates(subset, keep=False), pdf.drop_duplicates(subset, keep=False))
    same(df.x.drop_duplicates(keep=False), pdf.x.drop_duplicates(keep=False))


def test_duplicates_by_what_is_not_there(frames):
    df = frames[1]
    with pytest.raises(KeyError, match="drop_duplicates: column 'z' not found"):
        df.drop_duplicates(["z"])


def test_clear_divisions():
    pdf = pd.DataFrame({"x": [1, 2, 3]}, index=[10, 20, 30])
    df = dd.from_pandas(pdf, npartitions=3)
    cleared = df.clear_divisions()
    assert df.known_divisions and not cleared.known_divisions and not df.x.clear_divisions().known_divisions
    same(cleared, pdf)
    same(cleared.x + df.x, pdf.x + pdf.x)


REPEATED = {
    "runs": ([1] * 4 + [2] * 3 + [3], {"chunksize": 2}, (1, 2, 3, 3)),
    "runs in large chunks": ([1] * 4 + [2] * 3 + [3], {"chunksize": 3}, (1, 2, 3, 3)),
    "as many as values": ([1] * 8 + [2, 3], {"npartitions": 3}, (1, 2, 3, 3)),
    "more than values": ([1] * 4 + [2] * 4, {"npartitions": 5}, (1, 2, 2)),
    "one value": ([7] * 5, {"npartitions": 3}, (7, 7)),
    "in the middle of a value": ([1, 2, 2, 2, 3, 4], {"npartitions": 2}, (1, 2, 4)),
    "no value twice": (list(range(10)), {"npartitions": 4}, (0, 3, 6, 8, 9)),
    "texts": (list("aabbbc"), {"npartitions": 2}, ("a", "b", "c")),
}


@pytest.mark.parametrize("case", REPEATED)
def test_divisions_where_index_values_repeat(case):
    index, how, divisions = REPEATED[case]
    frame = pd.DataFrame({"x": range(len(index))}, index=index)
    ours = dd.from_pandas(frame, **how)
    assert ours.divisions == divisions
    same(ours, frame)
    parts = [ours.partitions[i].compute() for i in range(ours.npartitions)]
    assert all(a.index[-1] < b.index[0] for a, b in zip(parts, parts[1:], strict=False)) and all(len(p) for p in parts)
    same(ours.loc[index[1] : index[-2]], frame.loc[index[1] : index[-2]])
    same(ours.join(ours.rename(columns={"x": "y"})), frame.join(frame.rename(columns={"x": "y"})))
    assert not dd.from_pandas(frame, sort=False, **how).known_divisions
    same(dd.from_pandas(frame.iloc[::-1], **how), frame.iloc[::-1].sort_index(kind="stable"))


@pytest.mark.parametrize("npartitions", [1, 2, 3, 7, 40])
def test_cuts_between_any_values(npartitions):
    index = np.sort(np.random.default_rng(npartitions).integers(0, 20, 60))
    frame = pd.DataFrame({"x": range(60)}, index=index)
    ours = dd.from_pandas(frame, npartitions=npartitions)
    assert ours.known_divisions and ours.npartitions == min(npartitions, len(set(index.tolist())))
    same(ours, frame)
    same(ours.loc[5:9], frame.loc[5:9])
