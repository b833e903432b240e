"""Rows as bags, dicts as frames, and the words for what cannot be done."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from muster.dataframe.demo import make_timeseries
from muster.datasets import timeseries

PDF = pd.DataFrame({"x": list("abcd"), "y": [2, 3, 4, 5]}, index=pd.Index([1.0, 2.0, 3.0, 4.0], name="ind"))


@pytest.mark.parametrize("npartitions", [1, 3])
def test_rows(npartitions):
    df = dd.from_pandas(PDF, npartitions=npartitions)
    for index in (False, True):
        assert df.to_bag(index).compute() == dd.to_bag(df, index).compute() == [tuple(row) for row in PDF.itertuples(index)]
        assert df.to_bag(index, format="dict").compute() == (PDF.reset_index() if index else PDF).to_dict("records")
    assert df.y.to_bag().compute() == [2, 3, 4, 5] and df.y.to_bag(index=True).compute() == list(PDF.y.items())
    assert df.y.to_bag().map(lambda n: n * 2).sum().compute() == 28
    assert df.y.to_bag(format="dict").compute() == PDF[["y"]].to_dict("records")
    pd.testing.assert_frame_equal(pd.concat(p.compute() for p in df.to_bag(format="frame").to_delayed()), PDF)
    with pytest.raises(ValueError, match="format"):
        df.to_bag(format="list")


def test_from_dict():
    data = {"a": [1, 2, 3], "b": [4, 5, 6]}
    pd.testing.assert_frame_equal(dd.DataFrame.from_dict(data, npartitions=2).compute(), pd.DataFrame(data))


def test_what_is_refused():
    df = dd.from_pandas(PDF, npartitions=2)
    with pytest.raises(NotImplementedError, match="does not support squeeze along axis 0"):
        df.squeeze(axis=0)
    for axis in (2, "test"):
        with pytest.raises(ValueError, match=f"No axis {axis}"):
            df.squeeze(axis=axis)
    with pytest.raises(ValueError, match="split_every"):
        df.y.reduction(lambda part: part.sum(), split_every=1)
    with pytest.raises(ValueError, match="combine"):
        df.y.reduction(lambda part: part.sum(), combine_kwargs={"a": 1})
    with pytest.raises(TypeError, match="unexpected keyword argument 'subset'"):
        df.y.drop_duplicates(subset=["y"])
    with pytest.raises(KeyError, match="Column not found: 'z'"):
        df.groupby("x")["z"]
    with pytest.raises(NotImplementedError, match="Using 'in'"):
        2 in df.y  # noqa: B015


def test_options_of_columns():
    df = timeseries(
        end="2000-01-04", freq="1h", dtypes={"a_b": int, "c": str, "d": "category"}, a_b_lam=3, c_choices=["u", "v"], d_choices=["w"], seed=1
    ).compute()
    assert 1 < df.a_b.mean() < 5 and set(df.c) == {"u", "v"} and list(df.d.cat.categories) == ["w"]
    with pytest.raises(TypeError, match="a_lam"):
        timeseries(end="2000-01-03", a_lam=1)
    pd.testing.assert_frame_equal(
        make_timeseries("2000", "2001", {"x": float}, freq="1D", partition_freq="6ME", seed=1).compute(),
        timeseries("2000", "2001", "1D", "6ME", {"x": float}, 1).compute()
    )


def test_helpers_of_dask_dataframes():
    from muster.as_dask import _frame_utils as utils

    df = dd.from_pandas(PDF, npartitions=2)
    pd.testing.assert_frame_equal(utils.make_meta(df), PDF.iloc[:0])
    assert (
        utils.make_meta({"a": "i8", "b": "category"}).dtypes.astype(str).to_dict() == {"a": "int64", "b": "category"}
        and utils.make_meta(("a", "f4")).dtype == "float32"
    )
    assert isinstance(utils.make_meta("i8"), np.int64) and list(utils.make_meta({"a": "i8"}, index=PDF.index).index.names) == ["ind"]
    with pytest.raises(TypeError):
        utils.make_meta(None)
    for data in (PDF, PDF.assign(t=pd.Timestamp("2020"), c=pd.Categorical(list("abca")), z=pd.Timestamp("2020", tz="UTC"), n=pd.array([1, 2, None, 3]))):
        made = utils.meta_nonempty(data.iloc[:0])
        assert len(made) == 2
        pd.testing.assert_frame_equal(made.iloc[:0], data.iloc[:0])
    assert utils.check_meta(PDF, PDF.iloc[:0]) is PDF
    with pytest.raises(ValueError, match="'y' +. int64 +. object"):
        utils.check_meta(PDF, PDF.iloc[:0].astype({"y": object}))
    assert (
        utils.valid_divisions([1, 2, 2]) and not utils.valid_divisions([1, 1, 2]) and not utils.valid_divisions([1, float("nan")])
        and not utils.valid_divisions("ab")
    )
    assert (
        utils.is_dataframe_like(df) and utils.is_series_like(df.x) and utils.is_index_like(df.index) and not utils.is_series_like(df)
        and not utils.is_dataframe_like(df.x)
    )
    utils.assert_eq(df, PDF.iloc[::-1])
    for wrong in (PDF.assign(y=0), PDF.rename(columns={"y": "z"}), PDF.astype({"y": "int8"})):
        with pytest.raises(AssertionError):
            utils.assert_eq(df, wrong)
