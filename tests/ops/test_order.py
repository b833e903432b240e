"""sort_values and set_index of unsorted rows against pandas: dtypes, missing values, several keys, directions, partition counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, same

N = 40
FRAME = pd.DataFrame(
    {
        "i": np.arange(N) * 7 % 11,
        "f": [1.5, np.nan, -0.0, np.inf] * 10,
        "s": pd.Series(["b", None, "a", "", "ü"] * 8, dtype="str"),
        "t": pd.to_datetime(["2020-01-01", None, "1969-05-05", "2021-01-01"] * 10),
        "c": pd.Categorical(["x", "z", None, "y"] * 10, categories=["z", "y", "x"], ordered=True),
        "n": pd.Series([3, None, 1, 2] * 10, dtype="Int64"),
        "x": np.arange(N),
    }
)


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_partitions(npartitions):
    ours = dd.from_pandas(FRAME, npartitions=npartitions)
    same(ours.sort_values("i"), FRAME.sort_values("i", kind="stable"))
    same(ours.sort_values(["s", "f"], ascending=[False, True]), FRAME.sort_values(["s", "f"], ascending=[False, True], kind="stable"))


@pytest.mark.parametrize("na_position", ["first", "last"])
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("by", ["i", "f", "s", "t", "c", "n", ["i", "s"], ["c", "t", "n"]], ids=str)
def test_keys(by, ascending, na_position):
    ours = dd.from_pandas(FRAME, npartitions=3)
    kwargs = {"ascending": ascending, "na_position": na_position}
    same(ours.sort_values(by, **kwargs), FRAME.sort_values(by, kind="stable", **kwargs))
    same(ours.sort_values(by, ignore_index=True, **kwargs), FRAME.sort_values(by, kind="stable", ignore_index=True, **kwargs))


def test_series_and_what_is_behind():
    ours = dd.from_pandas(FRAME, npartitions=3)
    same(ours.f.sort_values(ascending=False), FRAME.f.sort_values(ascending=False, kind="stable"))
    same(ours.sort_values("x", ascending=False).head(3), FRAME.sort_values("x", ascending=False).head(3))
    same(ours.sort_values("i").x.cumsum(), FRAME.sort_values("i", kind="stable").x.cumsum())
    same(ours.sort_values("s", key=lambda s: s.str.len()), FRAME.sort_values("s", key=lambda s: s.str.len(), kind="stable"))
    largest = ours.sort_values("x", sort_function=lambda part, by, ascending, na_position, n: part.nlargest(n, by), sort_function_kwargs={"n": 2})
    same(largest, FRAME.nlargest(2, "x"))


def test_errors():
    ours = dd.from_pandas(FRAME, npartitions=3)
    with pytest.raises(KeyError, match="nowhere"):
        ours.sort_values("nowhere")
    with pytest.raises(ValueError, match="na_position"):
        ours.sort_values("x", na_position="middle")
    with pytest.raises(ValueError, match="Length of ascending"):
        ours.sort_values(["x", "i"], ascending=[True])


@pytest.mark.parametrize("key", ["i", "f", "s", "t", "n"])
def test_set_index_of_unsorted_rows(key):
    for npartitions in (1, 3):
        ours = dd.from_pandas(FRAME, npartitions=npartitions)
        theirs = FRAME.set_index(key).sort_index(kind="stable")
        same(ours.set_index(key), theirs)
        same(ours.set_index(key, drop=False), FRAME.set_index(key, drop=False).sort_index(kind="stable"))
    same(dd.from_pandas(FRAME, npartitions=3).set_index("i").loc[2:5], FRAME.set_index("i").sort_index(kind="stable").loc[2:5])


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([None, "", "a", "b"])), max_size=30),
    ascending=st.booleans(), na_position=st.sampled_from(["first", "last"]), npartitions=st.sampled_from([1, 2, 7]),
)  # fmt: skip
def test_any_order(rows, ascending, na_position, npartitions):
    pdf = pd.DataFrame({"i": pd.Series([r[0] for r in rows], dtype="int64"), "s": pd.Series([r[1] for r in rows], dtype="str")})
    ours = dd.from_pandas(pdf, npartitions=npartitions)
    for by in ("s", ["i", "s"]):
        kwargs = {"ascending": ascending, "na_position": na_position}
        same(ours.sort_values(by, **kwargs), pdf.sort_values(by, kind="stable", **kwargs))
