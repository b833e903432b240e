"""NumPy's functions of collections: what they give of pandas' objects, lazy where an operation of that meaning exists."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

DATA = pd.DataFrame({"a": [1, -2, 3, 4, 5], "b": [1.55, 2, np.nan, -4, 0]})


def same(got, expected):
    got = got.compute() if hasattr(got, "compute") else got
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(got, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected)


LAZY = {
    "maximum": lambda d: np.maximum(d.a, 2), "mirrored": lambda d: np.maximum(2, d.a), "fmax": lambda d: np.fmax(
        d.a, d.b
    ), "arctan2": lambda d: np.arctan2(d.b, d.a),
    "a lazy scalar": lambda d: np.minimum(d.b, d.a.max()), "frame": lambda d: np.hypot(d, 1), "dtype": lambda d: np.exp2(
        d.a, dtype="float32"
    ), "divmod": lambda d: np.divmod(d.a, 2)[1],
    "modf": lambda d: np.modf(d.b)[0], "logical_and": lambda d: np.logical_and(
        d.a > 1, d.b > 0
    ), "gcd": lambda d: np.gcd(d.a, 6), "isnan": lambda d: np.isnan(d.b), "clip": lambda d: np.clip(d.a, 1, 2),
    "clip below": lambda d: np.clip(d.a, 1, None), "round": lambda d: np.round(
        d.b, 1
    ), "around": lambda d: np.around(d), "reduce": lambda d: np.add.reduce(d.a), "accumulate": lambda d: np.maximum.accumulate(d.a),
    "cumsum": lambda d: np.cumsum(d.a), "sum": lambda d: np.sum(d.b), "std": lambda d: np.std(d.a), "ddof": lambda d: np.std(
        d.a, ddof=1
    ), "axis 0": lambda d: np.mean(d, axis=0), "axis 1": lambda d: np.mean(d, axis=1),
}  # fmt: skip
ALL_COLUMNS = {name: getattr(np, name) for name in ("mean", "sum", "std", "var", "min", "max", "prod", "any", "all")}
VALUES = {
    "ptp": lambda d: np.ptp(d.a), "asarray": lambda d: np.asarray(d.a), "array of a frame": lambda d: np.array(d), "array of a type": lambda d: np.asarray(
        d, dtype="float32"
    ), "shape": lambda d: np.shape(d), "diff": lambda d: np.diff(d.a),
    "repeat": lambda d: np.repeat(d.a, 2), "flip": lambda d: np.flip(d.a), "unique": lambda d: np.unique(d.a), "where": lambda d: np.where(
        d.a > 1, d.a, 0
    ), "percentile": lambda d: np.percentile(d.a, [10, 50]),
    "concatenate": lambda d: np.concatenate([d.a, d.b]), "searchsorted": lambda d: np.searchsorted(
        np.array([1, 3]), d.a
    ), "histogram": lambda d: np.histogram(d.a, 3)[0], "nansum": lambda d: np.nansum(d.b),
}  # fmt: skip


@pytest.mark.parametrize("partitions", [1, 2, 5])
@pytest.mark.parametrize("name", LAZY | ALL_COLUMNS)
def test_lazy(name, partitions):
    function = (LAZY | ALL_COLUMNS)[name]
    got = function(dd.from_pandas(DATA, npartitions=partitions))
    assert hasattr(got, "compute")
    same(got, function(DATA))


@pytest.mark.parametrize("partitions", [1, 2, 5])
@pytest.mark.parametrize("name", VALUES)
def test_of_the_values(name, partitions):
    same(VALUES[name](dd.from_pandas(DATA, npartitions=partitions)), VALUES[name](DATA))


@pytest.mark.parametrize("name", ["mean", "sum", "std", "var", "sem", "min", "max", "prod", "any", "all", "median", "skew", "kurt"])
def test_axis_none_takes_all_columns_together(name):
    same(getattr(dd.from_pandas(DATA, npartitions=2), name)(axis=None), getattr(DATA, name)(axis=None))


def test_an_array_beside_a_collection_is_refused():
    with pytest.raises(TypeError, match="NotImplemented"):
        np.maximum(dd.from_pandas(DATA, npartitions=2).a, np.arange(5))


BESIDE = {
    "frame + frame": lambda p, d: p + d, "series - series": lambda p, d: p.a - d.a, "series // series": lambda p, d: p.a // d.b, "frame > frame": lambda p,
    d: p > d, "mask & mask": lambda p, d: (p.a > 1) & (d.a < 5),
    "series - sum": lambda p, d: p.a - d.a.sum(), "sum - series": lambda p, d: d.a.sum() - p.a, "frame / mean": lambda p, d: p / d.a.mean(),
    "series < max": lambda p, d: p.a < d.a.max(), "max ** series": lambda p, d: d.b.max() ** p.b,
    "frame * sums": lambda p, d: p * d.sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_operators_of_pandas_objects_are_the_collections(name):
    got = BESIDE[name](DATA, dd.from_pandas(DATA, npartitions=2))
    assert hasattr(got, "compute")
    same(got, BESIDE[name](DATA, DATA))


def test_columns_are_not_matched_with_the_index_of_lazy_rows():
    with pytest.raises(ValueError, match="columns would be matched"):
        DATA + dd.from_pandas(DATA, npartitions=2).a
