"""Groups by time span: by bins that the engine finds, or by pieces of time, and these in pandas' bins. pandas on all rows is the judge."""

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

FUNCTIONS = "sum count min max mean".split()
OF_BINS = [*FUNCTIONS, *"first last std var median size nunique prod".split()]
ROWS = 120
DRAW = np.random.default_rng(11)
FRAME = pd.DataFrame({"f": DRAW.normal(size=ROWS), "i": DRAW.integers(-9, 9, ROWS)})
FRAME.loc[::4, "f"] = np.nan
RULES = "D 2D 7D W W-WED ME MS QE QS YE YS 2ME 3MS 2W QE-FEB QS-FEB YE-MAR YS-APR".split()
SPANS = "h 15min 7h 36h 24h".split()


def grouped(collection):
    plan = _core.explain([collection._expr])
    return "group_by" in plan or "distinct_in_groups" in plan


@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples * 2)
@given(
    st.sampled_from(OF_BINS), st.sampled_from(RULES + SPANS), st.sampled_from(PARTITIONS), st.booleans(), st.sampled_from([None, "left", "right"]),
    st.sampled_from([None, "left", "right"]), st.sampled_from(["s", "us", "ns"]), st.integers(0, 2**31), st.sampled_from([1, 3600, 86400])
)
def test_bins(function, rule, npartitions, holes, closed, label, unit, begin, whole):
    """Times on the edges of bins and beside them, in bins of which many are empty."""
    days = 20 if rule in SPANS else 900
    times = (np.sort(DRAW.integers(0, days * 86400, ROWS)) + begin) // whole * whole
    pdf = FRAME.set_axis(pd.to_datetime(times, unit="s").as_unit(unit))
    df = dd.from_pandas(pdf, npartitions=npartitions)
    if holes:
        df, pdf = df[df.i > 3], pdf[pdf.i > 3]
    ours = getattr(df.resample(rule, closed=closed, label=label), function)()
    whole = rule in ("h", "15min", "24h")
    known = whole or closed != "right" and rule in ("7h", "36h", "D", "2D", "7D") or closed is None and rule in RULES and rule not in ("2ME", "3MS", "2W")
    assert grouped(ours) == (known or function in FUNCTIONS and rule in RULES and closed is None)
    same(ours, getattr(pdf.resample(rule, closed=closed, label=label), function)(), check_freq=False, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["D", "W", "36h", "QE-FEB"])
@pytest.mark.parametrize("npartitions", (1, 6))
def test_several_aggregates(rule, npartitions):
    pdf = FRAME.set_axis(pd.date_range("2020-01-30 07:00", periods=ROWS, freq="17h", name="when"))
    pdf = pdf[(pdf.i != 3) & ((pdf.index.day_of_year < 60) | (pdf.index.day_of_year > 75))]
    df = dd.from_pandas(pdf, npartitions=npartitions)
    for call in (
        lambda d: d.f.ohlc(), lambda d: d.i.ohlc(), lambda d: d.agg(["sum", "mean", "count"]), lambda d: d.f.agg(["max", "first", "nunique"]),
        lambda d: d.agg({"f": "sum", "i": ["min", "std"]}), lambda d: d.agg({"i": "sum", "f": "min"}), lambda d: d.agg({"i": "count"}),
        lambda d: d.f.std(ddof=0),
        lambda d: d[["i"]].agg(["median"]), lambda d: d.size(), lambda d: d.f.size(), lambda d: d.f.agg("nunique"), lambda d: d[["f", "i"]].nunique()
    ):  # fmt: skip
        ours = call(df.resample(rule))
        assert grouped(ours)
        same(ours, call(pdf.resample(rule)), check_freq=False, rtol=1e-9)
    for call in (
        lambda d: d.ohlc(), lambda d: d.f.quantile(0.3), lambda d: d.f.agg(lambda x: x.sum()), lambda d: d.f.agg(["sum", "size"]), lambda d: d.f.sem(),
        lambda d: d.f.sum(min_count=2), lambda d: d.agg({"f": "quantile"})
    ):  # fmt: skip
        same(call(df.resample(rule)), call(pdf.resample(rule)), check_freq=False, rtol=1e-9)


def test_order_of_rows():
    """What is first is that by time."""
    pdf = FRAME.set_axis(DRAW.permutation(pd.date_range("2020", periods=ROWS, freq="7h")))
    df = dd.from_pandas(pdf, npartitions=5, sort=False)
    for function in OF_BINS:
        same(getattr(df.resample("2D"), function)(), getattr(pdf.resample("2D"), function)(), check_freq=False, rtol=1e-9)


def test_origins():
    pdf = FRAME.set_axis(pd.date_range("2020-01-30 07:00", periods=ROWS, freq="53min"))
    df = dd.from_pandas(pdf, npartitions=3)
    for options in (
        {"origin": "epoch"}, {"origin": "start"}, {"origin": "start_day"}, {"offset": "25min"}, {"offset": "-5h", "label": "right"}, {"origin": "end_day"},
        {"origin": "epoch", "offset": "1h", "closed": "right"}, {"origin": pd.Timestamp("2020-01-01 01:00")}
    ):  # fmt: skip
        for rule in ("2h", "7h", "36h"):
            for function in ("sum", "median", "last"):
                same(getattr(df.resample(rule, **options), function)(), getattr(pdf.resample(rule, **options), function)(), check_freq=False, rtol=1e-9)


def test_columns_and_dtypes():
    pdf = FRAME.assign(b=FRAME.i > 0, h=FRAME.f.astype("f4"), t="a").set_axis(pd.date_range("2020-01-30 07:00", periods=ROWS, freq="7h", name="when"))
    df = dd.from_pandas(pdf, npartitions=6)
    for function in FUNCTIONS:
        for select in ("i", ["f", "i"], ["b"]):
            ours = getattr(df.resample("D")[select], function)()
            assert grouped(ours)
            same(ours, getattr(pdf.resample("D")[select], function)(), rtol=1e-9)
        same(getattr(df.h.resample("ME"), function)(), getattr(pdf.h.resample("ME"), function)(), rtol=1e-6, check_dtype=False)
    for function in ("count", "nunique", "size"):
        same(getattr(df.resample("ME"), function)(), getattr(pdf.resample("ME"), function)())
        assert grouped(getattr(df.resample("ME"), function)())
    same(df[["i"]].resample("D", origin="end").sum(), pdf[["i"]].resample("D", origin="end").sum())
    same(df.i.resample("12h", offset="5h").sum(), pdf.i.resample("12h", offset="5h").sum())
    same(df.i.resample("ME").agg("sum"), pdf.i.resample("ME").agg("sum"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_rows(function):
    """They keep the dtypes that were promised; pandas leaves those of the columns."""
    pdf = FRAME.assign(b=True).set_axis(pd.date_range("2020", periods=ROWS, freq="h"))
    df = dd.from_pandas(pdf, npartitions=3)
    same(getattr(df[df.i > 100].resample("D"), function)(), getattr(pdf[pdf.i > 100].resample("D"), function)(), check_freq=False, check_dtype=False)


def test_large_integers():
    pdf = pd.DataFrame({"i": [2**62, 2**62, 2**62, 1]}, index=pd.date_range("2020", periods=4, freq="h"))
    df = dd.from_pandas(pdf, npartitions=2)
    same(df.resample("D").mean(), pdf.resample("D").mean())
    same(df.resample("2h").max(), pdf.resample("2h").max())


@pytest.mark.this_process("memory-limit of this process")
def test_rows_are_not_gathered(tmp_path):
    """48 MB of values in days."""
    n = 100_000
    for k in range(30):
        times = pd.date_range("2020", periods=30 * n, freq="s")[k * n : (k + 1) * n]
        pd.DataFrame({"x": np.arange(n) * 0.5 + k}, index=times.rename("t")).to_parquet(tmp_path / f"{k:02}.parquet")
    whole = pd.concat([pd.read_parquet(tmp_path / f"{k:02}.parquet") for k in range(30)])
    with muster.config.set({"memory-limit": "16 MB", "num-workers": 2}):
        df = dd.read_parquet(str(tmp_path), calculate_divisions=True)
        same(df.resample("W").mean(), whole.resample("W").mean(), check_freq=False, rtol=1e-9)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "US/Central", "Australia/Lord_Howe"])
@pytest.mark.parametrize("npartitions", (1, 5))
def test_times_of_a_zone(zone, npartitions):
    """Integers stay where no bin is empty, also over nights that are longer or shorter, and are floats where one is."""
    for begin in ("2020-10-24 12:00", "2020-03-28 12:00", "2020-11-01", "2020-04-04 20:00"):
        pdf = FRAME.assign(u=FRAME.i.astype("int8")).set_axis(pd.date_range(begin, periods=ROWS, freq="29min", tz=zone, unit="s"))
        df = dd.from_pandas(pdf, npartitions=npartitions)
        for rule in ("30min", "2h", "D", "20min"):
            for function in ("max", "first", "sum", "count", "median"):
                same(getattr(df.resample(rule), function)(), getattr(pdf.resample(rule), function)(), check_freq=False)
