"""Moving windows: each partition by itself, with the rows of others that its windows reach. pandas on the whole is the judge."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, same

DRAW = np.random.default_rng(2)
ROWS = 40
FRAME = pd.DataFrame(
    {"x": DRAW.normal(size=ROWS).round(2), "i": DRAW.integers(0, 100, ROWS), "b": DRAW.random(ROWS) < 0.5}, index=pd.date_range("2020", periods=ROWS, freq="h")
)
FRAME.loc[FRAME.index[3:30:5], "x"] = np.nan
UNEVEN = FRAME.set_axis(pd.to_datetime(np.sort(DRAW.integers(0, 90, ROWS)), unit="h"))  # with equal ones


def partitioned(pdf, npartitions, holes):
    """Partitions, of which some are empty."""
    df = dd.from_pandas(pdf, npartitions=npartitions)
    return (df[df.i % 3 != 0], pdf[pdf.i % 3 != 0]) if holes else (df, pdf)


@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 2)
@given(
    st.integers(0, 60), st.sampled_from(PARTITIONS), st.booleans(), st.booleans(),
    st.sampled_from(["sum", "mean", "max", "count", "std", "median", "first", "nunique", "rank"]), st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "right", "left", "both", "neither"])
)
def test_rows(window, npartitions, holes, center, function, min_periods, closed):
    if min_periods is not None and min_periods > window or function == "rank" and closed:  # of a window without rows pandas has no rank, or 0
        return
    df, pdf = partitioned(FRAME.reset_index(drop=True), npartitions, holes)
    options = {"min_periods": min_periods, "center": center, "closed": closed}
    same(
        getattr(df[["x", "i"]].rolling(window, **options), function)(), getattr(pdf[["x", "i"]].rolling(window, **options), function)(), check_exact=False,
        atol=1e-9
    )


@hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 3)
@given(
    st.sampled_from(["1h", "5h", "300h", pd.Timedelta("3h")]), st.sampled_from(PARTITIONS), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from([None, "left", "both", "neither"])
)
def test_spans_of_time(window, npartitions, holes, center, uneven, closed):
    df, pdf = partitioned(UNEVEN if uneven else FRAME, npartitions, holes)
    options = {"center": center, "closed": closed, "min_periods": 1}
    same(df.x.rolling(window, **options).sum(), pdf.x.rolling(window, **options).sum(), check_freq=False, atol=1e-9)
    on, pandas_on = df.reset_index(), pdf.reset_index()
    same(on.rolling(window, on="index", **options).i.max(), pandas_on.rolling(window, on="index", **options).i.max())


def test_other_windows():
    pdf = FRAME.reset_index(drop=True)
    df = dd.from_pandas(pdf, npartitions=6)
    same(df.x.rolling(3, step=2).sum(), pdf.x.rolling(3, step=2).sum())
    same(df[["x", "i"]].rolling(3).cov(), pdf[["x", "i"]].rolling(3).cov())
    same(df.x.rolling(4).corr(df.i), pdf.x.rolling(4).corr(pdf.i))
    same(df.rolling(3).agg({"x": ["sum", "std"], "i": "max"}), pdf.rolling(3).agg({"x": ["sum", "std"], "i": "max"}))
    same(
        df.x.rolling(pd.api.indexers.FixedForwardWindowIndexer(window_size=3)).sum(),
        pdf.x.rolling(pd.api.indexers.FixedForwardWindowIndexer(window_size=3)).sum()
    )
    same(df.rolling(3)[["i"]].sum(), pdf.rolling(3)[["i"]].sum())
    same(df.assign(r=df.x.rolling(2).sum(), s=df.i.rolling(9).min())[["r", "s"]], pdf.assign(r=pdf.x.rolling(2).sum(), s=pdf.i.rolling(9).min())[["r", "s"]])
    same(df.x.rolling(3).sum().partitions[2], pdf.x.rolling(3).sum()[dd.from_pandas(pdf, npartitions=6).partitions[2].compute().index])
    down = dd.from_pandas(FRAME[::-1], npartitions=1, sort=False)
    same(down.x.rolling("3h").sum(), FRAME[::-1].x.rolling("3h").sum(), check_freq=False)


def test_functions_see_the_labels(tmp_path):
    """Rows of files are numbered for them as pandas numbers them."""
    pdf = FRAME.reset_index(drop=True)
    for i in range(4):
        pdf[i * 10 : i * 10 + 10].to_parquet(tmp_path / f"{i}.parquet", index=False)
    df = dd.read_parquet(str(tmp_path))

    def last_label(values):
        return values.index[-1]

    same(df.i.rolling(3).apply(last_label), pdf.i.rolling(3).apply(last_label))
    same(df.i.rolling(13).sum(), pdf.i.rolling(13).sum())
    same(df[["i"]].map_overlap(lambda part: part.assign(label=part.index), 2, 1), pdf[["i"]].assign(label=pdf.index))


@pytest.mark.parametrize("before, after", [(0, 0), (3, 0), (0, 9), (40, 40)])
@pytest.mark.parametrize("npartitions", [1, 5, 40])
def test_overlap_of_several_inputs(before, after, npartitions):
    """Texts, categories and missing values of neighbours are those of the whole; empty partitions have none."""
    pdf = FRAME.assign(t=[f"t{i % 3}" for i in range(ROWS)], c=pd.Categorical(["p", "q"] * (ROWS // 2)))
    df, pdf = partitioned(pdf, npartitions, True)

    def seen(part, other, array):
        assert len(part) == len(other) == len(array)
        return part.assign(t=part.t.shift(before), c=part.c.shift(-after), z=other.shift(before).fillna(0) + array.shift(-after))

    array = pd.Series(np.arange(len(pdf)), index=pdf.index)
    same(df.map_overlap(seen, before, after, df.x * 2, array), seen(pdf, pdf.x * 2, array), check_freq=False)


def test_a_function_that_loses_rows_is_an_error():
    df = dd.from_pandas(FRAME, npartitions=4)
    with pytest.raises(ValueError, match="rows came back"):
        df.map_overlap(lambda part: part[1:], 2, 0, meta=FRAME.iloc[:0]).compute()


def test_a_partition_at_a_time(tmp_path):
    """24 MB of values, none of them kept."""
    n = 50_000
    for i in range(30):
        pd.DataFrame({"x": np.arange(n) * 0.5, "y": np.arange(n)}).to_parquet(tmp_path / f"{i:02}.parquet", index=False)
    df = dd.read_parquet(str(tmp_path))
    right = pd.concat([pd.read_parquet(tmp_path / f"{i:02}.parquet") for i in range(30)], ignore_index=True).rolling(5).sum().sum()
    with muster.config.set({"memory-limit": "8 MB", "num-workers": 2}):
        assert df.x.rolling(5).sum().sum().compute() == pytest.approx(right.x)
        assert df.map_overlap(lambda part: part.rolling(5).sum(), 4, 0).y.sum().compute() == pytest.approx(right.y)
