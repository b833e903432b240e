"""Random frames, operations and partition counts: pandas on the whole is the judge."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import same

TEXT = st.one_of(st.none(), st.text(alphabet="ab é\u0000,\"", max_size=12))
FLOATS = st.one_of(st.just(np.nan), st.just(-0.0), st.floats(-1e6, 1e6, width=32), st.sampled_from([np.inf, -np.inf]))
TIMES = st.one_of(st.none(), st.datetimes(pd.Timestamp("1800-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime()))


@st.composite
def tables(draw):
    n = draw(st.integers(0, 40))

    def column(values, dtype):
        return pd.Series(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)

    return pd.DataFrame(
        {
            "i": column(st.integers(-(2**40), 2**40), "int64"),
            "k": column(st.integers(0, 3), "int64"),
            "f": column(FLOATS, "float64"),
            "b": column(st.booleans(), "bool"),
            "s": column(TEXT, "str"),
            "d": column(TIMES, "datetime64[us]"),
        }
    )


PARTITIONS = st.sampled_from([1, 2, 7, 128, 129])
OPERATIONS = {
    "mask": lambda d: d[d.k > 1],
    "masks": lambda d: d[(d.f > 0) | d.s.isna()],
    "sum": lambda d: d[["i", "k"]].sum(),
    "count": lambda d: d.count(),
    "nunique": lambda d: d.nunique(),
    "min": lambda d: d[["i", "f"]].min(),
    "groupby": lambda d: d.groupby("k").i.sum(),
    "groupby text": lambda d: d.groupby("s").agg({"i": ["sum", "count"], "k": "max"}),
    "groupby two": lambda d: d.groupby(["b", "s"]).i.max(),
    "groupby time": lambda d: d.groupby("d").k.sum(),
    "groupby with missing": lambda d: d.groupby("s", dropna=False).k.sum(),
    "groupby unsorted": lambda d: d.groupby("f", sort=False).k.count(),
    "value_counts": lambda d: d.s.value_counts(),
    "nlargest": lambda d: d.nlargest(3, "k"),
    "nsmallest": lambda d: d.i.nsmallest(2, keep="last"),
    "dropna": lambda d: d.dropna(),
    "isin": lambda d: d.k.isin([1, 2]),
    "assign": lambda d: d.assign(z=d.i * 2 - d.k),
    "year": lambda d: d.d.dt.year,
    "comparison": lambda d: d.s == "a",
    "broadcast": lambda d: d.k - d.k.max() if len(d.columns) else d,
}


@given(pdf=tables(), npartitions=PARTITIONS, name=st.sampled_from(sorted(OPERATIONS)))
def test_any_operation(pdf, npartitions, name):
    if name == "broadcast" and len(pdf) == 0:
        return  # the maximum of nothing
    if name == "groupby text" and pdf.s.isna().all():
        return
    theirs = OPERATIONS[name](pdf)
    ours = OPERATIONS[name](dd.from_pandas(pdf, npartitions=npartitions))
    same(ours, theirs, check_freq=False)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60), offset=st.sampled_from([0, 1e9, -1e12]), npartitions=PARTITIONS)
def test_variance_far_from_zero(values, offset, npartitions):
    s = pd.Series(values) + offset
    exact = np.var(s.to_numpy().astype(np.longdouble), ddof=1)
    ours = dd.from_pandas(s, npartitions=npartitions).var().compute()
    assert abs(ours - exact) <= 1e-9 * exact + 1e-9


@given(pdf=tables(), npartitions=PARTITIONS)
def test_round_trip(pdf, npartitions):
    same(dd.from_pandas(pdf, npartitions=npartitions), pdf)
