"""corr and cov against pandas: pairs without missing values, with some, and with none at all; far from zero; few rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, same

pytestmark = pytest.mark.filterwarnings("ignore")


def _gap(a, b):
    return (a - b).sum()


def frame(n=2000):
    random = np.random.default_rng(0)
    x = random.normal(1e6, 3, n)
    d = pd.DataFrame(
        {
            "x": x, "y": 2 * x + random.normal(0, 1, n), "f": random.random(n).astype("float32"), "i": random.integers(-5, 5, n),
            "u": random.integers(0, 200, n).astype("uint8"), "b": random.random(n) < 0.4, "c": 0.1
        }
    )
    return d


@pytest.mark.parametrize("npartitions", PARTITIONS)
@pytest.mark.parametrize("missing", ["none", "some", "all", "infinite"])
def test_tables_of_pairs(npartitions, missing):
    d = frame()
    if missing == "some":
        d.loc[::7, "x"] = np.nan
        d.loc[3::11, "f"] = np.nan
    if missing == "all":
        d["x"] = np.nan
    if missing == "infinite":
        d.loc[5, "x"], d.loc[9, "f"] = np.inf, -np.inf
    ours = dd.from_pandas(d, npartitions=npartitions)
    for call in (
        lambda x: x.corr(), lambda x: x.cov(), lambda x: x.corr(min_periods=1990), lambda x: x.cov(min_periods=1990), lambda x: x.cov(ddof=0),
        lambda x: x[["x"]].corr(), lambda x: x[["y", "i"]].cov(ddof=3)
    ):
        same(call(ours), call(d), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("npartitions", [1, 2, 7])
def test_of_two_series(npartitions):
    d = frame(300)
    d.loc[::5, "x"] = np.nan
    d["late"] = d.i.where(d.index > 250).astype("float64")
    ours = dd.from_pandas(d, npartitions=npartitions)
    for a, b in (("x", "y"), ("y", "x"), ("i", "b"), ("x", "x"), ("late", "f")):
        for call in (
            lambda p, q: p.corr(q), lambda p, q: p.cov(q), lambda p, q: p.cov(q, ddof=0), lambda p, q: p.corr(q, min_periods=260), lambda p,
            q: p.corr(q, method=_gap)
        ):
            assert call(ours[a], ours[b]).compute() == pytest.approx(call(d[a], d[b]), rel=1e-7, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_few_rows(rows):
    d = frame(2000).iloc[:rows]
    for n in (1, 2):
        ours = dd.from_pandas(d, npartitions=n)
        same(ours.corr(), d.corr(), atol=1e-9)
        same(ours.cov(), d.cov(), atol=1e-9)


def test_arguments_and_columns():
    d = frame(100).assign(s="text")
    ours = dd.from_pandas(d, npartitions=3)
    same(ours.corr(numeric_only=True), d.corr(numeric_only=True), rtol=1e-7)
    same(ours[["x", "y"]].corr(method=_gap), d[["x", "y"]].corr(method=_gap))
    with pytest.raises(ValueError, match="could not convert"):
        ours.corr().compute()
    d = frame(50)[["x", "y"]].set_axis([3, ("a", 1)], axis=1)
    assert np.allclose(dd.from_pandas(d, npartitions=2).corr().compute(), d.corr())
    with pytest.raises(TypeError, match="minperiods"):
        ours.cov(minperiods=3)
    same(ours[["x", "y"]].corr(split_every=8), ours[["x", "y"]].corr().compute())
    nullable = frame(50)[["i", "u"]].astype("Int64")
    same(dd.from_pandas(nullable, npartitions=2).corr(), nullable.corr())


def test_no_sum_of_a_csv_column_with_missing_values(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n,3\n4,9\n7,1\n")
    same(dd.read_csv(tmp_path / "a.csv").corr(), pd.read_csv(tmp_path / "a.csv").corr())


@given(st.lists(st.tuples(*[st.sampled_from([np.nan, 0.0, -0.0, 1.0, 1.5, -3.0, 1e6, np.inf])] * 3), max_size=20), st.sampled_from([1, 3]))
def test_any_values(rows, npartitions):
    d = pd.DataFrame(rows, columns=list("abc"), dtype="float64")
    ours = dd.from_pandas(d, npartitions=npartitions)
    same(ours.corr(), d.corr(), rtol=1e-6, atol=1e-9)
    same(ours.cov(), d.cov(), rtol=1e-6, atol=1e-6)


def test_a_constant_has_no_correlation():
    d = frame(3000)
    ours = dd.from_pandas(d, npartitions=7)
    assert np.isnan(ours.c.corr(ours.x).compute()) and ours.c.cov(ours.x).compute() == 0


@pytest.mark.parametrize("options", [{}, {"min_periods": 30}])
def test_correlation_of_ranks(options):
    d = frame(40)[["x", "y", "i"]]
    ours = dd.from_pandas(d, npartitions=3)
    same(ours.corr(method="spearman", **options), d.corr(method="spearman", **options))
