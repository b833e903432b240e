"""Moving windows in the engine: every dtype, missing values, any number of partitions, some of them empty. pandas on the whole is the judge."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, same
from muster import _core

FUNCTIONS = "sum mean count min max var std".split()
ROWS = 150
DRAW = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "f": DRAW.normal(size=ROWS), "h": DRAW.normal(size=ROWS).astype("f4"), "i": DRAW.integers(-99, 99, ROWS), "u": DRAW.integers(0, 9, ROWS).astype("u1"),
        "b": DRAW.random(ROWS) < 0.5, "z": np.repeat(DRAW.normal(size=ROWS // 10), 10)
    }
)
FRAME.loc[3::5, "f"] = np.nan
FRAME.loc[40:70, "h"] = np.nan
FRAME.loc[100, "f"] = np.inf
TIMES = pd.to_datetime(np.sort(DRAW.integers(0, 200, ROWS)), unit="h")  # with equal ones


def native(collection):
    return "python:" not in _core.explain([collection._expr])


def lazily(pdf, npartitions, holes, **how):
    df = dd.from_pandas(pdf, npartitions=npartitions, **how)
    return (df[df.i % 3 == 0], pdf[pdf.i % 3 == 0]) if holes else (df, pdf)


def check(df, pdf, function, window, select=None, ddof=None, **options):
    """Compare an aggregate of windows, which the engine has made."""
    ours, theirs = df.rolling(window, **options), pdf.rolling(window, **options)
    if select is not None:
        ours, theirs = ours[select], theirs[select]
    arguments = {} if ddof is None else {"ddof": ddof}
    lazy = getattr(ours, function)(**arguments)
    assert native(lazy)
    same(lazy, getattr(theirs, function)(**arguments), check_freq=False, rtol=1e-9, atol=1e-9)


@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples * 2)
@given(
    st.sampled_from(FUNCTIONS), st.sampled_from([1, 2, 3, 10, 60, 149, 150, 1000]), st.sampled_from(PARTITIONS), st.booleans(), st.booleans(),
    st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, "right", "left", "both", "neither"]), st.sampled_from([None, 0, 3])
)
def test_rows(function, window, npartitions, holes, center, min_periods, closed, ddof):
    df, pdf = lazily(FRAME, npartitions, holes)
    least = None if min_periods is None else min(min_periods, window)
    check(df, pdf, function, window, center=center, min_periods=least, closed=closed, ddof=ddof if function in ("var", "std") else None)


@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples * 2)
@given(
    st.sampled_from(FUNCTIONS), st.sampled_from(["1h", "5h", pd.Timedelta("31h"), pd.offsets.Day(200)]), st.sampled_from(PARTITIONS), st.booleans(),
    st.booleans(), st.sampled_from([None, 0, 1, 4]), st.sampled_from([None, "right", "left", "both", "neither"]), st.sampled_from(["s", "us", "ns"])
)
def test_spans_of_time(function, window, npartitions, holes, descending, min_periods, closed, unit):
    times = TIMES.as_unit(unit)
    df, pdf = lazily(FRAME.assign(t=times[::-1] if descending else times), npartitions, holes)
    check(df, pdf, function, window, on="t", min_periods=min_periods, closed=closed)
    df, pdf = lazily(FRAME.set_axis(times), npartitions, holes)
    check(df, pdf, function, window, min_periods=min_periods, closed=closed)
    check(df.f, pdf.f, function, window, min_periods=min_periods, closed=closed)


@pytest.mark.parametrize("window", [4, "9h"])
def test_columns_beside_their_times(window):
    """The column of times stays where it is, or stands behind those selected; an integer window leaves it alone."""
    pdf = FRAME[["i"]].assign(t=TIMES, f=FRAME.f)
    df = dd.from_pandas(pdf, npartitions=5)
    for select in (None, "f", ["f"], ["t", "i"], ["i", "f"]):
        check(df, pdf, "mean", window, select=select, on="t")
    check(df, pdf, "sum", 3, select="i")
    check(df, pdf, "sum", 3, select=["f", "i"], center=True)
    same(df.rolling(window, on="t").f.max(), pdf.rolling(window, on="t").f.max())


def test_other_indexes():
    spans = FRAME.set_axis(pd.to_timedelta(TIMES - TIMES[0]))
    check(dd.from_pandas(spans, npartitions=4), spans, "sum", "5h")
    down = FRAME.set_axis(TIMES)[::-1]
    check(dd.from_pandas(down, npartitions=1, sort=False), down, "min", "7h")
    texts = FRAME.set_axis([f"{i:03}" for i in range(ROWS)])
    check(dd.from_pandas(texts, npartitions=3), texts, "max", 6)


def test_what_is_counted():
    """Rows that are not missing, of any dtype, infinite ones too; as many rows as `min_periods`, missing or not, are enough."""
    pdf = pd.DataFrame(
        {
            "t": ["a", None, "b"] * 5, "d": pd.to_datetime(["2020", None, "2021"] * 5), "o": [None, 1, "x"] * 5, "f": [np.inf, np.nan, 1] * 5,
            "c": pd.Categorical(list("pqr") * 5)
        }
    )
    df = dd.from_pandas(pdf, npartitions=4)
    for options in ({}, {"min_periods": 1}, {"min_periods": 0, "closed": "left"}):
        check(df, pdf, "count", 3, **options)


def test_no_rows_and_constants():
    pdf = FRAME[:0]
    for function in FUNCTIONS:
        check(dd.from_pandas(pdf, npartitions=1), pdf, function, 3)
    pdf, df = FRAME.assign(c=2), dd.from_pandas(FRAME, npartitions=6).assign(c=2)
    for center in (False, True):
        check(df[["c"]], pdf[["c"]], "sum", 5, min_periods=1, center=center)
        check(df[df.i > 1000], pdf[pdf.i > 1000], "var", 5, center=center)


def test_large_values_leave_nothing_behind():
    """What has left the window does not count, whatever it was; pandas keeps what it rounded."""
    values = pd.Series([1.0, 1e16, 1.0, 2.0, 3.0, 4.0, 1e-8, 2e-8, 3e-8, 4e-8])
    s = dd.from_pandas(values, npartitions=1)
    for function in FUNCTIONS:
        right = [getattr(values[max(0, i - 2) : i + 1].reset_index(drop=True), function)() for i in range(len(values))]
        assert getattr(s.rolling(3, min_periods=1), function)().compute().tolist() == pytest.approx(right, rel=1e-12, nan_ok=True)


def test_small_spreads_of_large_values():
    values = pd.Series(1e7 + DRAW.normal(size=1000) * 1e-2)
    exact = [np.var((values[i - 9 : i + 1] - 1e7).to_numpy(), ddof=1) for i in range(9, 1000)]
    assert dd.from_pandas(values, npartitions=3).rolling(10).var().compute()[9:].tolist() == pytest.approx(exact, rel=1e-9)


def test_times_that_are_not_in_order():
    pdf = FRAME.assign(t=TIMES)
    for npartitions in (1, 3):
        for t in (TIMES[DRAW.permutation(ROWS)], TIMES.where(np.arange(ROWS) != 77)):
            with pytest.raises(ValueError, match="t values must"):
                dd.from_pandas(pdf.assign(t=t), npartitions=npartitions).rolling("3h", on="t").sum().compute()


def test_what_is_left_to_pandas():
    pdf = FRAME.assign(t=TIMES, n=FRAME.i.astype("Int64"))
    df = dd.from_pandas(pdf, npartitions=4)
    for lazy, right in (
        (df.rolling(3, on="t").f.median(), pdf.rolling(3, on="t").f.median()),
        (df.f.rolling(4).skew(), pdf.f.rolling(4).skew()),
        (df.rolling("5h", on="t", center=True).f.sum(), pdf.rolling("5h", on="t", center=True).f.sum()),
        (df.n.rolling(3).sum(), pdf.n.rolling(3).sum()),
        (df.f.rolling(10**7, min_periods=1).sum(), pdf.f.rolling(10**7, min_periods=1).sum()),
        (df.f.rolling(0).sum(), pdf.f.rolling(0).sum()),
        (df[["f", "t"]].rolling(3).sum(numeric_only=True), pdf[["f", "t"]].rolling(3).sum(numeric_only=True))
    ):
        assert not native(lazy)
        same(lazy, right, rtol=1e-9, atol=1e-9)
    with pytest.raises(pd.errors.DataError):
        df.assign(s="a")[["s"]].rolling(3).sum().compute()


def test_columns_of_files(tmp_path):
    """Integers that turn out to have missing values; batches of a file that are smaller than a window, and partitions that are."""
    n = 60_000
    pdf = pd.DataFrame({"i": np.arange(n) % 1013, "x": np.arange(n) * 0.25})
    text = pdf.astype(object)
    text.loc[n - 7, "i"] = None
    text.to_csv(tmp_path / "rows.csv", index=False)
    df = dd.read_csv(str(tmp_path / "rows.csv"), blocksize=100_000, sample=1000)
    pdf.loc[n - 7, "i"] = np.nan
    for window in (3, 5000, 50_000):
        for function in ("sum", "max", "count"):
            check(df, pdf, function, window, min_periods=1)


def test_chains_and_choices():
    pdf, df = FRAME, dd.from_pandas(FRAME, npartitions=7)
    check(df.rolling(3).sum(), pdf.rolling(3).sum(), "mean", 4)
    same(df.assign(r=df.f.rolling(9).mean(), s=df.i.cumsum())[["r", "s"]], pdf.assign(r=pdf.f.rolling(9).mean(), s=pdf.i.cumsum())[["r", "s"]])
    same(df.f.rolling(30).max().partitions[3], pdf.f.rolling(30).max()[df.partitions[3].compute().index])
    same(df.f.rolling(30).max().tail(4), pdf.f.rolling(30).max().tail(4))
    same(df.rolling(5).agg("sum"), pdf.rolling(5).agg("sum"), rtol=1e-9)
    assert native(df.rolling(5).agg("sum"))


@pytest.mark.this_process("memory-limit of this process")
def test_within_a_memory_limit(tmp_path):
    """48 MB of values, of which a fifth travels between partitions."""
    n = 100_000
    for k in range(30):
        pd.DataFrame({"x": np.arange(n) * 0.5 + k, "y": np.arange(n)}).to_parquet(tmp_path / f"{k:02}.parquet", index=False)
    whole = pd.concat([pd.read_parquet(tmp_path / f"{k:02}.parquet") for k in range(30)], ignore_index=True)
    df = dd.read_parquet(str(tmp_path))
    with muster.config.set({"memory-limit": "24 MB", "num-workers": 2}):
        for window in (5, 20_000):
            assert df.x.rolling(window).mean().sum().compute() == pytest.approx(whole.x.rolling(window).mean().sum(), rel=1e-9)
        assert df.y.rolling(5, center=True).max().sum().compute() == pytest.approx(whole.y.rolling(5, center=True).max().sum())
