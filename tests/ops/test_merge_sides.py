"""Merges that say which side a row is from, of rows that only one side has, and of keys that may not repeat: in the engine, and as pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same
from muster import _core

pytestmark = pytest.mark.filterwarnings("ignore:You are merging on int and float")

N = 60
KEYS = {
    "int64": lambda rows: pd.Series(rows * 7 % 23),
    "float64": lambda rows: pd.Series(np.where(rows % 5 == 0, np.nan, rows % 9 / 2)),
    "text": lambda rows: pd.Series([None if r % 6 == 0 else f"key {r % 11}" for r in rows], dtype="str"),
    "times": lambda rows: pd.Series(pd.to_datetime([None if r % 7 == 0 else f"2020-01-{1 + r % 13:02}" for r in rows])),
    "bool": lambda rows: pd.Series(rows % 3 == 0),
}
VALUES = {
    "ints": lambda rows: pd.Series(rows),
    "narrow": lambda rows: pd.Series(rows.astype("uint8")),
    "flags": lambda rows: pd.Series(rows % 2 == 0),
    "texts": lambda rows: pd.Series([f"text {r}" for r in rows], dtype="str"),
    "times": lambda rows: pd.Series(pd.date_range("2021", periods=len(rows))),
}


def side(first, last, keys, values, prefix):
    rows = np.arange(first, last)
    return pd.DataFrame({f"k{i}": KEYS[k](rows) for i, k in enumerate(keys)} | {f"{prefix}{i}": VALUES[v](rows) for i, v in enumerate(values)} | {"z": rows})


def lazy(frame, npartitions):
    return dd.from_pandas(frame, npartitions=npartitions, sort=False)


def is_native(frame):
    return "python:" not in _core.explain([frame._expr])


@pytest.mark.parametrize("keys", [[k] for k in KEYS] + [["int64", "text"], ["float64", "bool"]], ids="-".join)
def test_outer(keys):
    left, right = side(0, N, keys, VALUES, "x"), side(N // 2, 2 * N, keys, VALUES, "y")
    on = [f"k{i}" for i in range(len(keys))]
    ours = lazy(left, 3).merge(lazy(right, 4), on=on, how="outer")
    assert is_native(ours)
    same(ours, left.merge(right, on=on, how="outer"))
    renamed = right.rename(columns={"k0": "j"})
    others = {"left_on": on, "right_on": ["j", *on[1:]], "how": "outer"}
    same(lazy(left, 3).merge(lazy(renamed, 1), **others), left.merge(renamed, **others))
    same(lazy(left, 3).merge(lazy(right, 4), on=on, how="outer", broadcast=False), left.merge(right, on=on, how="outer"))


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_partitions(npartitions):
    left, right = side(0, N, ["text"], ["ints"], "x"), side(20, 2 * N, ["text"], ["flags"], "y")
    theirs = left.merge(right, on="k0", how="outer", indicator=True)
    same(lazy(left, npartitions).merge(lazy(right, 2), on="k0", how="outer", indicator=True), theirs)
    same(lazy(left, 2).merge(lazy(right, npartitions), on="k0", how="outer", indicator=True), theirs)


@pytest.mark.parametrize("rows", [(0, 0), (0, 5), (5, 0)])
def test_no_rows(rows):
    left, right = side(0, rows[0], ["int64"], ["ints"], "x"), side(0, rows[1], ["int64"], ["texts"], "y")
    same(lazy(left, 1).merge(lazy(right, 1), on="k0", how="outer", indicator=True), left.merge(right, on="k0", how="outer", indicator=True))


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_indicator(how):
    left, right = side(0, N, ["int64"], ["narrow"], "x"), side(12, 30, ["int64"], ["texts"], "y")
    for label in (True, "from"):
        ours = lazy(left, 3).merge(lazy(right, 2), on="k0", how=how, indicator=label)
        same(ours, left.merge(right, on="k0", how=how, indicator=label))
    shown = lazy(left, 3).merge(lazy(right, 2), on="k0", how=how, indicator=True)
    assert shown[shown._merge == "left_only"].x0.count().compute() == (left.merge(right, on="k0", how=how, indicator=True)._merge == "left_only").sum()
    for label in ("x0", "k0", 5):
        error = raised(lambda label=label: left.merge(right, on="k0", how=how, indicator=label))
        with pytest.raises(type(error)):
            lazy(left, 3).merge(lazy(right, 2), on="k0", how=how, indicator=label)


UNIQUE = pd.DataFrame({"k": [3, 1, 2, 7], "x": range(4)})
REPEATED = pd.DataFrame({"k": [1, 2, 2, 9, 9], "y": range(5)})


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
@pytest.mark.parametrize("validate", ["one_to_one", "1:1", "one_to_many", "1:m", "many_to_one", "m:1", "many_to_many", "m:m"])
def test_validate(validate, how):
    for left, right in ((UNIQUE, UNIQUE), (UNIQUE, REPEATED), (REPEATED, UNIQUE), (REPEATED, REPEATED)):
        ours = lazy(left, 3).merge(lazy(right, 2), on="k", how=how, validate=validate)
        exchanged = lazy(left, 3).merge(lazy(right, 2), on="k", how=how, validate=validate, broadcast=False)
        assert is_native(ours)
        error = raised(lambda left=left, right=right: left.merge(right, on="k", how=how, validate=validate))
        if error is None:
            same(ours, left.merge(right, on="k", how=how, validate=validate))
            continue
        for merged in (ours, exchanged):
            for _ in range(2):
                with pytest.raises(pd.errors.MergeError, match=r"Merge keys are not unique in (left|right) dataset; not a .*; several rows have the key (2|9)"):
                    merged.compute()
    with pytest.raises(ValueError, match="not a valid argument"):
        lazy(UNIQUE, 2).merge(lazy(UNIQUE, 2), on="k", validate="two_to_two")


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
@pytest.mark.parametrize("key", ["int64", "text", "float64", "rows"])
def test_both_indexes(key, how):
    left, right = side(0, N, ["int64"], VALUES, "x"), side(N // 2, 2 * N, ["int64"], VALUES, "y")
    if key != "rows":
        left.index, right.index = (pd.Index(KEYS[key](f.z.to_numpy()), name="i") for f in (left, right))
    arguments = {"left_index": True, "right_index": True, "how": how, "suffixes": ("_l", "_r")}
    ours = lazy(left, 3).merge(lazy(right, 4), **arguments)
    theirs = left.merge(right, **arguments)
    if how == "outer":  # pandas leaves equal index values in no order
        ours = ours.compute()
        ours, theirs = (f.rename_axis("row").reset_index().sort_values(["row", "z_l", "z_r"]).reset_index(drop=True) for f in (ours, theirs))
    same(ours, theirs)


@given(st.data())
def test_like_pandas(data):
    kinds = data.draw(st.lists(st.sampled_from(["int64", "float64", "text"]), min_size=1, max_size=2))
    values = {"int64": st.integers(-3, 3), "float64": st.sampled_from([0.0, -0.0, 1.5, np.nan]), "text": st.sampled_from(["a", "b", "", None])}
    dtypes = {"int64": "int64", "float64": "float64", "text": "str"}

    def draw(prefix):
        rows = data.draw(st.integers(1, 12))
        made = {f"k{i}": pd.Series(data.draw(st.lists(values[k], min_size=rows, max_size=rows)), dtype=dtypes[k]) for i, k in enumerate(kinds)}
        return pd.DataFrame(made | {prefix: np.arange(rows)})

    left, right = draw("x"), draw("y")
    how = data.draw(st.sampled_from(["inner", "left", "right", "outer"]))
    arguments = {"on": [f"k{i}" for i in range(len(kinds))], "how": how, "indicator": data.draw(st.booleans())}
    same(lazy(left, data.draw(st.integers(1, 4))).merge(lazy(right, data.draw(st.integers(1, 4))), **arguments), left.merge(right, **arguments))
