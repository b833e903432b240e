"""melt: rows in pandas' order, a partition at a time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, same
from muster import _core


def rows(n=23):
    draw = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "k": draw.choice(
                ["a", "b", None], n
            ), "i": draw.integers(0, 9, n), "j": draw.integers(-9, 9, n).astype("int8"), "u": draw.integers(0, 9, n).astype("uint64"),
            "f": np.where(draw.random(n) < 0.3, np.nan, draw.random(n)), "b": draw.random(n) < 0.5, "s": draw.choice(["x", "y"], n), "d": pd.date_range(
                "2020", periods=n
            ), "c": pd.Categorical(draw.choice(["p", "q"], n)),
            "m": pd.array([1, None] * (n // 2) + [3], "Int64"),
        },
        index=pd.Index(range(3, n + 3), name="row"),
    ).astype({"k": "str", "s": "str"})  # fmt: skip


@given(st.data(), st.sampled_from(PARTITIONS), st.booleans())
def test_any_columns(data, npartitions, ignore_index):
    pdf = rows().head(data.draw(st.sampled_from([1, 2, 23])))
    ids = data.draw(st.lists(st.sampled_from(list(pdf)), unique=True, max_size=3))
    values = data.draw(st.none() | st.lists(st.sampled_from(list(pdf)), unique=True, min_size=1, max_size=4))
    names = {"var_name": data.draw(st.sampled_from([None, "of"])), "value_name": data.draw(st.sampled_from(["value", "is"]))}
    ours = dd.from_pandas(pdf, npartitions=npartitions).melt(id_vars=ids, value_vars=values, ignore_index=ignore_index, **names)
    same(ours, pdf.melt(id_vars=ids, value_vars=values, ignore_index=ignore_index, **names))


@pytest.mark.parametrize("values", [["i", "j"], ["i", "f"], ["s", "k"], ["b"], ["d"], ["i", "u"]])
def test_native(values):
    pdf = rows()
    ids = ["m", "k"] if "k" not in values else ["m", "i"]
    lazy = dd.from_pandas(pdf, npartitions=4).melt(ids, values)
    assert "python" not in _core.explain([lazy._expr])
    same(lazy, pdf.melt(ids, values))
    same(dd.melt(dd.from_pandas(pdf, npartitions=4), "c", values, var_name="v"), pdf.melt("c", values, var_name="v"))


def test_labels_that_are_no_texts():
    pdf = pd.DataFrame({1: [1, 2], 2: [3, 4], 5: ["a", "b"]})
    same(dd.from_pandas(pdf, npartitions=2).melt(5), pdf.melt(5))
    same(dd.from_pandas(pdf, npartitions=2).melt([5, 1], 2, value_name=3), pdf.melt([5, 1], 2, value_name=3))
    levels = pdf.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 3)]), axis=1)
    same(dd.from_pandas(levels, npartitions=2).melt(), levels.melt())
    same(dd.from_pandas(levels, npartitions=2).melt(col_level=0), levels.melt(col_level=0))


def test_what_pandas_refuses():
    pdf = rows()
    for wrong in ({"id_vars": "nowhere"}, {"value_vars": ["i", "nowhere"]}, {"id_vars": "k", "value_name": "k"}):
        with pytest.raises(Exception) as theirs:
            pdf.melt(**wrong)
        with pytest.raises(type(theirs.value)):
            dd.from_pandas(pdf, npartitions=3).melt(**wrong)


def test_wide_frames_and_functions_are_read_once():
    calls = []

    def counted(part):
        calls.append(len(part))
        return part

    pdf = pd.DataFrame({f"c{i}": [i, i + 1] for i in range(40)})
    same(dd.from_pandas(pdf, npartitions=2).melt("c0"), pdf.melt("c0"))
    df = dd.from_pandas(pdf[["c0", "c1", "c2"]], npartitions=2).map_partitions(counted, meta=pdf[["c0", "c1", "c2"]].iloc[:0])
    same(df.melt("c0").compute(scheduler="synchronous"), pdf[["c0", "c1", "c2"]].melt("c0"))
    assert calls == [1, 1]


def test_a_partition_at_a_time(tmp_path):
    """24 MB of values, none of them kept."""
    n = 50_000
    for i in range(20):
        pd.DataFrame({"k": np.arange(n) % 7, "x": np.arange(n), "y": np.arange(n) * 0.5}).to_parquet(tmp_path / f"{i:02}.parquet", index=False)
    df = dd.read_parquet(str(tmp_path))
    with muster.config.set({"memory-limit": "6 MB", "num-workers": 2}):
        assert df.melt("k").value.sum().compute() == 20 * n * (n - 1) // 2 * 1.5
        assert df.melt("k").groupby("variable").k.count().compute().tolist() == [20 * n] * 2
