"""nlargest and nsmallest where rows are left out early: ties, missing values, several keys, more rows than are kept at once."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same


def frame(kind, n=60_000):
    random = np.random.default_rng(1)
    key = {
        "float": lambda: np.where(random.random(n) < 0.1, np.nan, random.normal(0, 1, n)),
        "ties": lambda: random.integers(0, 3, n).astype("float64"),
        "int8": lambda: random.integers(-128, 128, n).astype("int8"),
        "uint64": lambda: random.integers(0, 2**64, n, dtype="uint64"),
        "bool": lambda: random.random(n) < 0.001,
        "time": lambda: pd.Series(pd.to_datetime(random.integers(0, 10**6, n), unit="s")).where(random.random(n) > 0.2),
        "missing": lambda: np.where(random.random(n) < 0.99, np.nan, random.normal(0, 1, n)),
        "ascending": lambda: np.arange(n),
        "descending": lambda: np.arange(n)[::-1].copy(),
        "infinite": lambda: random.choice([np.inf, -np.inf, np.nan, 0.0, -0.0], n),
    }[kind]()
    return pd.DataFrame({"k": key, "j": random.integers(0, 4, n), "s": [f"row {i}" for i in range(n)], "b": np.arange(n) % 2 == 0})


KINDS = ["float", "ties", "int8", "uint64", "bool", "time", "missing", "ascending", "descending", "infinite"]


@pytest.mark.parametrize("npartitions", [1, 7])
# there pandas takes NaT for a time
@pytest.mark.parametrize(("kind", "keep"), [(kind, keep) for kind in KINDS for keep in ("first", "last", "all") if (kind, keep) != ("time", "last")])
def test_best_rows(kind, keep, npartitions):
    d = frame(kind)
    ours = dd.from_pandas(d, npartitions=npartitions)
    for n in (0, 1, 5, 100):
        same(ours.nlargest(n, "k", keep=keep), d.nlargest(n, "k", keep=keep))
        same(ours.nsmallest(n, ["k", "j"], keep=keep), d.nsmallest(n, ["k", "j"], keep=keep))
    same(ours[ours.b].nlargest(50, "k", keep=keep), d[d.b].nlargest(50, "k", keep=keep))
    same(ours.k.nsmallest(20, keep=keep), d.k.nsmallest(20, keep=keep))


@pytest.mark.parametrize("npartitions", [1, 7])
def test_fewer_values_than_rows_wanted(npartitions):
    d = frame("missing")
    n = int(d.k.notna().sum()) + 50
    expected = d.sort_values("k", ascending=False, kind="stable", na_position="last").head(n)
    same(dd.from_pandas(d, npartitions=npartitions).nlargest(n, "k"), expected)


@pytest.mark.parametrize("n", [1, 3, 100, 20_000])
@pytest.mark.parametrize("column", ["float", "small", "ties", "missing", "rising"])
def test_rows_of_many_batches_of_files(tmp_path, column, n):
    random = np.random.default_rng(2)
    rows = 150_000
    f = pd.DataFrame(
        {
            "float": random.normal(size=rows), "small": random.integers(-100, 100, rows).astype("int8"), "ties": random.integers(0, 2, rows) * 1.0,
            "missing": np.where(random.random(rows) < 0.9999, np.nan, 1.5), "rising": np.arange(rows)
        }
    )
    f["s"] = pd.Series([f"row {i}" for i in range(rows)], dtype="str")
    f.to_parquet(tmp_path / "a.parquet", row_group_size=70_000)
    df = dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True)
    for keep in ("first", "last", "all") if n < 1000 and column != "missing" else ("first",):
        same(df.nlargest(n, column, keep=keep), f.nlargest(n, column, keep=keep))
        same(df.nsmallest(n, column, keep=keep), f.nsmallest(n, column, keep=keep))
    assert df[column].idxmax().compute() == f[column].idxmax() and df[column].idxmin().compute() == f[column].idxmin()
