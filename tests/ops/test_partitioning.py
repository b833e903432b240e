"""concat, repartition, sample and what else moves the borders between partitions."""

import numpy as np
import pandas as pd
import pytest

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


def test_partition_size(frames):
    pdf, df = frames
    assert df.repartition(partition_size="4kB").npartitions > 2
    same(df.repartition(partition_size="1MB"), pdf)


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
    for text in ["`a b` > @limit", "c == 'x' | c == 'z'", "c in ['x', 'y'] & `a b` == 2", "not c == 'x'", "1 < `a b` <= 3", "c == ['x']", "d >= '2021-01-01'", "c.str.startswith('x')", "index > 0"]:
        same(df.query(text), pdf.query(text))
    for bad, error in [("__import__('os')", Exception), ("a +", SyntaxError), ("nope > 1", NameError), ("", ValueError), ("c.__class__", NotImplementedError)]:
        with pytest.raises(error):
            df.query(bad)
