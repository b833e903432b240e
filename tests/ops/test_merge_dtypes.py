"""Merges of keys of any two dtypes against pandas: whichever side's index they are in, labels, values and dtypes are pandas'."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

N = 12
DAYS = pd.to_datetime(["2020-01-01", None, "2021-05-05", "1969-12-31"] * 3)
KEYS = {
    "int64": pd.Series(np.arange(N) * 7 % 11),
    "int8": pd.Series(np.arange(N) * 7 % 11 - 5, dtype="int8"),
    "uint64": pd.Series(np.arange(N) % 9, dtype="uint64"),
    "float32": pd.Series([0.0, 1, np.nan, 1.5, 3, 4] * 2, dtype="float32"),
    "bool": pd.Series([True, False, True, True] * 3),
    "text": pd.Series(["a", "b", None, "c"] * 3, dtype="str"),
    "times": pd.Series(DAYS).astype("datetime64[ns]"),
    "Berlin": pd.Series(DAYS.tz_localize("Europe/Berlin")),
    "UTC": pd.Series(DAYS.tz_localize("UTC")),
    "Int64": pd.Series([1, None, 3, 7] * 3, dtype="Int64"),
    "UInt8": pd.Series([1, None, 3, 7] * 3, dtype="UInt8"),
    "categories": pd.Series(["a", "b", None, "c"] * 3, dtype="category"),
    "numbers": pd.Series([1, 2.5, None, 3] * 3, dtype=object),
    "objects": pd.Series([1, "x", None, 2.5] * 3, dtype=object),
}
HOW = ("inner", "left", "right", "outer")
SHAPES = {
    "columns": (lambda left, right: (left, right), {"on": "k"}),
    "two names": (lambda left, right: (left, right.rename(columns={"k": "j"})), {"left_on": "k", "right_on": "j"}),
    "left index": (lambda left, right: (left.set_index("k"), right), {"left_index": True, "right_on": "k"}),
    "right index": (lambda left, right: (left, right.set_index("k")), {"left_on": "k", "right_index": True}),
    "indexes": (lambda left, right: (left.set_index("k"), right.set_index("k")), {"left_index": True, "right_index": True}),
}


def sides(one, other):
    return pd.DataFrame({"k": KEYS[one], "x": range(N)}), pd.DataFrame({"k": KEYS[other].iloc[1::2].reset_index(drop=True), "y": range(N // 2)})


def check(one, other, how, shape, partitions=(2, 2)):
    shaped, arguments = SHAPES[shape]
    left, right = shaped(*sides(one, other))
    lazy = [dd.from_pandas(side, npartitions=n, sort=False) for side, n in zip((left, right), partitions, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = raised(lambda: left.merge(right, how=how, **arguments))
        if error is None:
            same(lazy[0].merge(lazy[1], how=how, **arguments), left.merge(right, how=how, **arguments))
        else:
            assert raised(lambda: lazy[0].merge(lazy[1], how=how, **arguments).compute()) is not None


@pytest.mark.parametrize("one", KEYS)
def test_any_two_dtypes(one):
    shapes = itertools.cycle(SHAPES)
    for at, other in enumerate(KEYS):
        for how in HOW:
            check(one, other, how, next(shapes), (1 + at % 3, 2))


@pytest.mark.parametrize("partitions", [(1, 1), (1, 3), (3, 1), (7, 5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_partitions(shape, partitions):
    for one, other in [("uint64", "Int64"), ("numbers", "float32"), ("uint64", "uint64"), ("Berlin", "UTC"), ("categories", "text")]:
        for how in HOW:
            check(one, other, how, shape, partitions)


def test_the_promise_of_keys_of_two_zones():
    left, right = sides("Berlin", "UTC")
    lazy = [dd.from_pandas(side, npartitions=2, sort=False) for side in (left, right)]
    for how in HOW:
        merged = lazy[0].merge(lazy[1], on="k", how=how)
        assert isinstance(merged.dtypes["k"], pd.DatetimeTZDtype)
        merged.compute()
        assert merged.dtypes.equals(left.merge(right, on="k", how=how).dtypes)


def test_what_follows_has_the_dtype_of_the_rows():
    left, right = sides("objects", "categories")
    lazy = [dd.from_pandas(side, npartitions=2, sort=False) for side in (left, right)]
    theirs = left.merge(right, on="k", how="right")
    same(lazy[0].merge(lazy[1], on="k", how="right").k.astype("str"), theirs.k.astype("str"))
    same(lazy[0].merge(lazy[1], on="k", how="right").dropna(), theirs.dropna())


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("how", HOW)
def test_times_of_two_units(how, zone):
    for one, other in itertools.product(("s", "ms", "us", "ns"), repeat=2):
        left = pd.DataFrame({"k": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]).tz_localize(zone).as_unit(one), "x": range(3)})
        right = pd.DataFrame({"k": pd.to_datetime(["2020-01-01", "2020-01-03"]).tz_localize(zone).as_unit(other), "y": range(2)})
        lazy = [dd.from_pandas(side, npartitions=2) for side in (left, right)]
        merged = lazy[0].merge(lazy[1], on="k", how=how)
        assert merged.dtypes["k"] == left.merge(right, on="k", how=how).dtypes["k"]  # where rows of a side have none of the other
        same(merged, left.merge(right, on="k", how=how))
        ours, theirs = lazy[0].set_index("k").join(lazy[1].set_index("k"), how=how), left.set_index("k").join(right.set_index("k"), how=how)
        same(ours, theirs, check_freq=False)
