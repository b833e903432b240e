"""Dtypes of NumPy that the engine carries without opening them: float16, complex, long doubles; and texts that pandas keeps as Python's."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

DTYPES = ["float16", "complex64", "complex128", "longdouble", "string[python]"]
OPERATIONS = {
    "itself": lambda s: s, "unique": lambda s: s.drop_duplicates(), "shift": lambda s: s.shift(1), "fillna": lambda s: s.fillna(
        s.dtype.type(2) if isinstance(s.dtype, np.dtype) else "b"
    ), "isin": lambda s: s[s == (1 if isinstance(s.dtype, np.dtype) else "1")],
    "map_partitions": lambda s: s.map_partitions(lambda p: p) if hasattr(s, "map_partitions") else s, "counts": lambda s: s.to_frame("q").groupby(
        "q"
    ).size() if s.dtype != np.float16 else s, "head": lambda s: s.head(2, npartitions=-1, compute=False) if hasattr(s, "npartitions") else s.head(2),
    "filter": lambda s: s[s.notna()], "astype": lambda s: s.astype(str), "isna": lambda s: s.isna(),
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("partitions", [1, 3])
def test_the_dtype_stays(dtype, operation, partitions):
    s = pd.Series([1, 0, 1, None]).astype(dtype) if dtype == "string[python]" else pd.Series(np.array([1, 0, 1, np.nan], dtype=dtype))
    if dtype == "string[python]":
        s = pd.Series(["1", "0", "1", None], dtype=dtype)
    lazy = dd.from_pandas(s, npartitions=partitions)
    assert lazy.dtype == s.dtype
    pd.testing.assert_series_equal(OPERATIONS[operation](lazy).compute(), OPERATIONS[operation](s))


@pytest.mark.parametrize("operation", ["sum", "mean", "count", "nunique"])
@pytest.mark.parametrize("dtype", ["float16", "complex128"])
def test_reductions(dtype, operation):
    s = pd.Series([1, 0, 2.5], dtype=dtype)
    got = getattr(dd.from_pandas(s, npartitions=2), operation)().compute()
    assert got == getattr(s, operation)() and np.asarray(got).dtype == np.asarray(getattr(s, operation)()).dtype


def test_float16_through_parquet(tmp_path):
    frame = pd.DataFrame({"a": np.array([1.5, np.nan, 3], "float16")})
    dd.from_pandas(frame, npartitions=2).to_parquet(tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), frame)
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "out").compute(), frame)


@pytest.mark.parametrize("value", [pd.Timedelta("1s"), pd.Period("2024-02", "M"), pd.Interval(0, 1), 1 + 2j, np.longdouble(3)], ids=str)
def test_missing_values_filled_with_what_only_pandas_knows(value):
    kinds = {
        pd.Timedelta: pd.Series([pd.Timedelta("2s"), None]), pd.Period: pd.Series([pd.Period("2024-01", "M"), None]),
        pd.Interval: pd.Series([pd.Interval(0, 1), None])
    }
    s = kinds.get(type(value), pd.Series([1, None], dtype=getattr(value, "dtype", "complex128")))
    pd.testing.assert_series_equal(dd.from_pandas(s, npartitions=2).fillna(value).compute(), s.fillna(value))
