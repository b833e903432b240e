"""mode: counted like groups, one pass, any dtype; pandas is the judge."""

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

COLUMNS = {
    "int64": st.lists(st.integers(-2, 2), max_size=20),
    "uint8": st.lists(st.sampled_from([0, 1, 255]), max_size=20),
    "int8": st.lists(st.sampled_from([-128, 0, 127]), max_size=20),
    "float64": st.lists(st.sampled_from([np.nan, 1.5, -0.0, 0.0, np.inf, -np.inf]), max_size=20),
    "float32": st.lists(st.sampled_from([np.nan, 1.5, 2.5]), max_size=20),
    "bool": st.lists(st.booleans(), max_size=20),
    "str": st.lists(st.sampled_from([None, "", "a", "é", "b"]), max_size=20),
    "datetime64[s]": st.lists(st.sampled_from([None, "2020-01-01", "1969-12-31"]), max_size=20),
    "timedelta64[ns]": st.lists(st.sampled_from([None, pd.Timedelta(1), pd.Timedelta(-1)]), max_size=20),
    "Int64": st.lists(st.sampled_from([None, 1, 2]), max_size=20),
    pd.CategoricalDtype(["b", "a"]): st.lists(st.sampled_from([None, "b", "a"]), max_size=20),
}
ORDINARY = ("int64", "uint8", "float64", "bool", "str", "datetime64[s]")


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
def test_series(dtype):
    @hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 5)
    @given(COLUMNS[dtype], st.booleans(), st.sampled_from(PARTITIONS), st.sampled_from(["synchronous", "threads"]))
    def check(values, dropna, npartitions, scheduler):
        s = pd.Series(values, dtype=dtype, name="x")
        same(dd.from_pandas(s, npartitions=npartitions).mode(dropna=dropna).compute(scheduler=scheduler), s.mode(dropna=dropna))

    check()


@given(st.data(), st.sampled_from(PARTITIONS), st.booleans())
def test_frames_are_filled_up(data, npartitions, numeric_only):
    rows = data.draw(st.integers(1, 20))
    values = {name: data.draw(COLUMNS[name]) or [1 if name in ("int64", "uint8", "bool") else None] for name in ORDINARY}
    pdf = pd.DataFrame({name: pd.Series(some * rows, dtype=name).head(rows) for name, some in values.items()})
    pdf = pdf.dropna(subset=["int64", "uint8", "bool"]).astype({"int64": "int64", "uint8": "uint8", "bool": "bool"})
    same(dd.from_pandas(pdf, npartitions=npartitions).mode(numeric_only=numeric_only), pdf.mode(numeric_only=numeric_only))


def test_one_pass_without_pandas():
    df = dd.from_pandas(pd.DataFrame({"x": [1, 1, 2], "s": ["a", "b", "b"]}), npartitions=2)
    for lazy in (df.mode(), df.x.mode(), df.s.mode(dropna=False)):
        assert "python" not in _core.explain([lazy._expr]) and lazy.npartitions == 1
    assert "python:rows" in _core.explain([df[["x"]].mode(axis=1)._expr])
    same(df[["x"]].mode(axis=1), df[["x"]].compute().mode(axis=1))
    with pytest.raises((ValueError, NotImplementedError)):
        df.mode(axis=2)


@pytest.mark.this_process("it sets this process' limit, and asks what it has spilled")
def test_more_values_than_fit_are_counted_on_disk(tmp_path):
    """12 MB of values under a limit of four; a result that is too large is refused, with its size."""
    rows = 400_000
    draw = np.random.default_rng(0)
    texts = pd.array([f"text {i}" for i in draw.integers(0, rows // 2, rows)], "str")
    pdf = pd.DataFrame({"x": draw.permutation(rows), "y": draw.integers(0, rows, rows), "s": texts})
    pdf.to_parquet(tmp_path / "x.parquet", row_group_size=20_000, index=False)
    df = dd.read_parquet(str(tmp_path), split_row_groups=True)
    with muster.config.set({"memory-limit": "4 MB", "num-workers": 2}):
        before = _core.spilled_bytes()
        same(df[["y", "s"]].mode(), pdf[["y", "s"]].mode())
        assert _core.spilled_bytes() > before
        with pytest.raises(MemoryError, match=r"(about|needs) [3-9] MB"):
            df.x.mode().compute()
    same(df.mode(), pdf.mode())


def test_on_a_cluster(client):
    pdf = pd.DataFrame({"x": [1, 2, 2, 3, 3] * 20, "s": list("aabbc") * 20})
    same(client.compute(dd.from_pandas(pdf, npartitions=7).mode()).result(), pdf.mode())
