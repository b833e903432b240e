"""Operations against pandas on generated frames: edges of every dtype, empty frames and partitions, one row, all missing."""

import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from test_breadth import FRAME, GROUPED, TEXT

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same

INTS = st.one_of(st.integers(-5, 5), st.sampled_from([-(2**53) - 1, 2**53 + 1]))
FLOATS = st.one_of(st.sampled_from([0.0, -0.0, 1.5, -2.25, np.nan, np.inf, -np.inf, 1e300]), st.floats(-1e6, 1e6))
WORDS = st.one_of(st.sampled_from(["", "fig", "apple", "a longer text of more than 16 bytes", "ünï", "ß", "İ"]), st.text(max_size=3))
TIMES = st.one_of(st.none(), st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01")))


def column(draw, values, n, dtype):
    return pd.Series(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype)


@st.composite
def generated(draw):
    """(pandas frame with the columns of example_frame, number of partitions)."""
    n = draw(st.sampled_from([0, 1, 2, 3, 17]))
    small = st.integers(0, 3)
    frame = pd.DataFrame(
        {
            "i": column(draw, INTS, n, "int64"),
            "j": column(draw, small, n, "int8"),
            "u": column(draw, small, n, "uint16"),
            "f": column(draw, FLOATS, n, "float64"),
            "g": column(draw, st.one_of(st.just(np.nan), st.integers(-8, 8).map(lambda x: x / 4)), n, "float32"),
            "b": column(draw, st.booleans(), n, "bool"),
            "s": column(draw, WORDS, n, "str"),
            "t": column(draw, st.one_of(st.none(), WORDS), n, "str"),
            "d": column(draw, st.datetimes(pd.Timestamp("2000-01-01"), pd.Timestamp("2010-01-01")), n, "datetime64[us]"),
            "e": column(draw, TIMES, n, "datetime64[us]"),
        }
    )
    return frame, draw(st.sampled_from(PARTITIONS))


# What pandas' own result depends on (order of float operations) or where the data must be of a kind.
CHOSEN = (
    "clip round where where_other where_frame mask mask_text replace ffill ffill_limit bfill cummin cummax diff shift shift_back assigned median quantile "
    "mode idxmax_rows nsmallest drop_duplicates "
    "drop_duplicates_last count_rows any_rows isnull melt map between add_prefix iloc loc_mask loc_columns reset_index reset_index_column unique nunique "
    "monotonic isin_object query eval_value"
).split()
GROUPS = "median idxmax apply_series transform cumcount shift ffill head tail list agg_named as_index series_key unique nunique".split()


def compared(operation, pdf, df):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = raised(lambda: operation(pdf))
        if theirs is not None:
            ours = raised(lambda: operation(df).compute())
            assert ours is not None, f"pandas raises {theirs!r}"
            return
        expected = operation(pdf)
        # Without rows pandas' dtype says nothing: muster's is that of rows it would have had.
        same(operation(df), expected, rtol=1e-9, **({"check_dtype": False} if len(pdf) == 0 and hasattr(expected, "dtypes") else {}))


@pytest.mark.parametrize("name", CHOSEN)
@hypothesis.given(generated())
def test_frame(name, made):
    pdf, n = made
    compared(FRAME[name], pdf, dd.from_pandas(pdf, npartitions=n))


@pytest.mark.parametrize("name", GROUPS)
@hypothesis.given(generated())
def test_grouped(name, made):
    pdf, n = made
    compared(GROUPED[name], pdf, dd.from_pandas(pdf, npartitions=n))


@pytest.mark.parametrize(
    "name",
    [
        "lower", "upper", "len", "contains", "contains_plain", "startswith", "endswith", "strip", "slice", "replace", "title", "find", "get", "item",
        "removeprefix", "lstrip"
    ]
)
@hypothesis.given(generated())
def test_text(name, made):
    pdf, n = made
    for c in ("s", "t"):
        compared(lambda d, c=c: TEXT[name](d[c]), pdf, dd.from_pandas(pdf, npartitions=n))


@hypothesis.given(generated())
def test_parquet(made):
    import tempfile

    pdf, n = made
    with tempfile.TemporaryDirectory() as folder:
        dd.from_pandas(pdf, npartitions=n).to_parquet(folder)
        same(dd.read_parquet(folder), pdf)
        pdf.to_parquet(f"{folder}/one.pq", index=False, row_group_size=2)
        same(dd.read_parquet(f"{folder}/one.pq", split_row_groups=True), pdf)
