"""shuffle, and merges of rows that were exchanged: equal keys meet in one partition, and no row is lost or doubled."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

N = 3000
random = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "i": random.integers(0, 50, N),
        "f": random.choice([1.5, np.nan, -0.0, 0.0, np.inf, 3.0], N),
        "s": pd.Series(random.choice(["a", None, "", "ü", "a longer text"], N), dtype="str"),
        "t": pd.to_datetime(random.choice(["2020-01-01", None, "1969-05-05"], N)),
        "c": pd.Categorical(random.choice(list("abc"), N)),
        "n": pd.array(random.integers(0, 9, N), dtype="Int64"),
        "o": [("t", int(x)) for x in random.integers(0, 5, N)],
        "x": np.arange(N),
    },
    index=pd.Index(random.integers(0, 100, N), name="label"),
)


def shuffled(frame, on, npartitions):
    parts = [frame.partitions[p].compute() for p in range(npartitions)]
    same(pd.concat(parts).sort_values("x"), FRAME.sort_values("x"))
    labels = [on] if isinstance(on, str) else on
    keys = [set(map(tuple, p.reset_index()[labels].astype("str").to_numpy().tolist())) for p in parts]
    assert sum(map(len, keys)) == len(set.union(*keys))
    return parts


@pytest.mark.parametrize("on", ["i", "s", "t", "c", "n", "o", "label", ["i", "s"], ["c", "i"], ["label", "i"]], ids=str)
def test_keys(on):
    ours = dd.from_pandas(FRAME, npartitions=4, sort=False).shuffle(on, npartitions=3)
    assert ours.npartitions == 3 and not ours.known_divisions
    shuffled(ours, on, 3)


@pytest.mark.parametrize("npartitions", [1, 2, 127, 128, 129, 255, 256, 257])
def test_partitions(npartitions):
    frame = pd.DataFrame({"k": np.arange(20_000) * 7, "x": np.arange(20_000)})
    ours = dd.from_pandas(frame, npartitions=5).shuffle("k", npartitions=npartitions)
    assert ours.npartitions == npartitions
    lengths = ours.map_partitions(len).compute()
    assert sum(lengths) == len(frame) and max(lengths) < 3 * len(frame) / npartitions + 40
    same(ours.compute().sort_index(), frame)


def test_by_index_and_by_value():
    ours = dd.from_pandas(FRAME, npartitions=4, sort=False)
    shuffled(ours.shuffle(on_index=True, npartitions=3), "label", 3)
    rest = ours.shuffle(ours.i % 7, npartitions=3)
    parts = [set(rest.partitions[p].i.compute() % 7) for p in range(3)]
    assert sum(map(len, parts)) == 7
    assert ours.i.shuffle("i", npartitions=2).compute().sort_index(kind="stable").sum() == FRAME.i.sum()
    assert ours.shuffle("i", ignore_index=True).compute().index.tolist() == list(range(N))


def test_zeros_and_missing_values_are_one_key():
    ours = dd.from_pandas(FRAME[["f", "x"]], npartitions=4, sort=False).shuffle("f", npartitions=5)
    parts = [p.f for p in (ours.partitions[p].compute() for p in range(5)) if len(p)]
    assert sum(p.isna().any() for p in parts) == 1 and sum((p == 0).any() for p in parts) == 1


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64", "int64[pyarrow]", "bool[pyarrow]", "string[pyarrow]"])
def test_missing_values_beside_a_key_change_nothing(dtype):
    """The first partition has a missing value, the second has none."""
    kind = str if "string" in dtype else bool if "bool" in dtype else int
    frame = pd.DataFrame({"k": pd.array([kind(1), None, kind(1), kind(1), kind(0), kind(0)], dtype=dtype), "x": range(6)})
    ours = dd.from_pandas(frame, npartitions=2, sort=False).shuffle("k", npartitions=8)
    parts = [set(ours.partitions[p].k.compute().astype("str")) for p in range(8)]
    assert sum(map(len, parts)) == 3
    objects = pd.DataFrame({"k": [Decimal("2"), 1, True, Decimal("2.0"), 2, 2.0]}, dtype="object")
    by_value = dd.from_pandas(objects, npartitions=3, sort=False).shuffle("k", npartitions=8)
    assert sorted(map(len, (by_value.partitions[p].compute() for p in range(8)))) in ([0] * 6 + [2, 4], [0] * 7 + [6])


def test_ends_of_empty_partitions():
    ours = dd.from_pandas(pd.DataFrame({"k": [1, 1, 1], "v": [1, 2, 3]}), npartitions=1)
    moved = ours.shuffle("k", npartitions=4)
    assert sum(map(len, (moved.partitions[p].tail() for p in range(4)))) == 3
    assert len(ours.query("v > 5").sort_values("k").tail()) == 0 and len(ours.merge(ours, on="k", broadcast=False, npartitions=4)) == 9
    assert len(ours.query("v > 5").set_index("k", divisions=[1, 2]).tail()) == 0 and moved.v.cumsum().max().compute() == 6


def test_errors():
    ours = dd.from_pandas(FRAME, npartitions=4, sort=False)
    with pytest.raises(KeyError, match="nowhere"):
        ours.shuffle("nowhere")
    with pytest.raises(TypeError, match="columns or the index"):
        ours.shuffle("i", on_index=True)
    with pytest.raises(TypeError, match="on_index"):
        ours.shuffle()
    with pytest.raises(ValueError, match="npartitions"):
        ours.shuffle("i", npartitions=0)


@pytest.mark.parametrize("how", ["inner", "left", "right", "leftsemi", "leftanti"])
@pytest.mark.parametrize("keys", [["i"], ["f"], ["s"], ["t"], ["i", "s"]], ids=str)
def test_merges(how, keys):
    other = FRAME.drop_duplicates(keys).iloc[::2][keys].assign(y=range(len(FRAME.drop_duplicates(keys).iloc[::2]))).reset_index(drop=True)
    left = FRAME[["i", "f", "s", "t", "x"]].reset_index(drop=True)
    ours = dd.from_pandas(left, npartitions=4).merge(dd.from_pandas(other, npartitions=2), on=keys, how=how, broadcast=False, npartitions=7)
    assert ours.npartitions == 7 and "python" not in ours._expr.op
    whole = dd.from_pandas(left, npartitions=4).merge(dd.from_pandas(other, npartitions=2), on=keys, how=how)
    assert ours._meta.dtypes.equals(whole._meta.dtypes)
    by = [c for c in ("x", "y", *keys) if c in whole.columns]
    same(ours.compute().sort_values(by, ignore_index=True), whole.compute().sort_values(by, ignore_index=True))


def test_integers_meet_floats():
    left = pd.DataFrame({"k": [1, 2, 3, 2**53]})
    right = pd.DataFrame({"k": [1.0, 2.5, 3.0, 2.0**53, np.nan], "y": range(5)})
    ours = dd.from_pandas(left, npartitions=3).merge(dd.from_pandas(right, npartitions=2), on="k", broadcast=False)
    assert sorted(ours.y.compute()) == [0, 2, 3]


def test_other_sides_index():
    left = pd.DataFrame({"k": np.arange(100) % 13, "x": np.arange(100)})
    right = pd.DataFrame({"y": np.arange(20) * 2}, index=pd.Index(np.arange(20), name="key"))
    ours = dd.from_pandas(left, npartitions=3).merge(dd.from_pandas(right, npartitions=2), left_on="k", right_index=True, broadcast=False)
    same(ours.compute().sort_values("x"), left.merge(right, left_on="k", right_index=True).sort_values("x"))


def test_several_partitions_in_one_run():
    ours = dd.from_pandas(FRAME[["i", "x"]], npartitions=4, sort=False)
    for moved in (ours.shuffle("i"), ours.sort_values("x"), ours.repartition(npartitions=3)):
        parts = dd.compute(*(moved.partitions[p] for p in range(moved.npartitions)))
        same(pd.concat(parts).sort_values("x"), FRAME[["i", "x"]])
        same(pd.concat(dd.compute(*moved.to_delayed())).sort_values("x"), FRAME[["i", "x"]])
