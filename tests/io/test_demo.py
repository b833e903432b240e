"""Made-up frames: what the specification says is what comes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from muster.dataframe.demo import ColumnSpec, DatasetSpec, DatetimeIndexSpec, RangeIndexSpec, make_timeseries, with_spec

COLUMNS = [
    ColumnSpec(prefix="i", dtype="int32", low=5, high=10, number=2),
    ColumnSpec(prefix="f", dtype=float, low=0.0, high=2.0),
    ColumnSpec(prefix="c", dtype="category", choices=["a", "b", "c"]),
    ColumnSpec(prefix="s", dtype=str, length=4, nunique=3),
    ColumnSpec(prefix="r", dtype=str, length=6, random=True),
    ColumnSpec(prefix="p", dtype=int, method="poisson", args=(3,)),
    ColumnSpec(dtype=bool),
]


@pytest.mark.parametrize("npartitions", [1, 7])
def test_columns(npartitions):
    df = with_spec(DatasetSpec(npartitions=npartitions, nrecords=100, column_specs=COLUMNS), seed=3)
    pdf = df.compute()
    assert df.npartitions == npartitions and len(pdf) == 100
    assert list(df.columns) == list(pdf.columns) == ["i1", "i2", "f", "c", "s", "r", "p", "bool"]
    pd.testing.assert_series_equal(df.dtypes, pdf.dtypes)
    assert pdf.i1.dtype == "int32" and pdf.i1.between(5, 9).all() and pdf.f.between(0, 2).all()
    assert set(pdf.c) == {"a", "b", "c"} and pdf.s.nunique() == 3 and (pdf.s.str.len() == 4).all() and pdf.r.nunique() > 90
    assert list(pdf.index) == list(range(100)) and df.known_divisions
    pd.testing.assert_frame_equal(with_spec(DatasetSpec(npartitions=npartitions, nrecords=100, column_specs=COLUMNS), seed=3).compute(), pdf)
    assert not with_spec(DatasetSpec(npartitions=npartitions, nrecords=100, column_specs=COLUMNS), seed=4).compute().equals(pdf)


def test_indexes():
    spec = DatasetSpec(npartitions=3, nrecords=10, index_spec=DatetimeIndexSpec(freq="1D", start="2020-01-01"), column_specs=[ColumnSpec(dtype=int)])
    assert list(with_spec(spec, seed=1).compute().index) == list(pd.date_range("2020-01-01", periods=10))
    spec.index_spec = RangeIndexSpec(step=5)
    df = with_spec(spec, seed=1)
    assert list(df.compute().index) == list(np.arange(10) * 5) and df.divisions == (0, 15, 30, 45)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="complex"):
        with_spec(DatasetSpec(column_specs=[ColumnSpec(dtype=complex)]))
    with pytest.raises(ValueError, match="without columns"):
        with_spec(DatasetSpec())
    with pytest.raises(ValueError, match="range index"):
        with_spec(DatasetSpec(index_spec=RangeIndexSpec(dtype=float), column_specs=[ColumnSpec(dtype=int)]))


def test_under_the_name_of_dask():
    program = "import muster.as_dask as a; a.install(); from dask.dataframe.io.demo import with_spec; print(with_spec.__module__)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "muster.dataframe.demo"


def test_timeseries():
    assert make_timeseries(end="2000-01-03", freq="12h", partition_freq="1D", seed=1).compute().shape == (4, 4)
