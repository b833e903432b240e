"""Two collections with known divisions, against pandas: aligned partition by partition, whatever order and repetitions the index has inside a partition."""

import operator
import os
import warnings

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same
from muster import _core

SEEDS = range(int(os.environ.get("MUSTER_SEEDS", "3")))
HOW = ("inner", "left", "right", "outer")
INDEXES = {
    "int": lambda labels: pd.Index(labels, dtype="int64"),
    "float": lambda labels: pd.Index(labels, dtype="float64") / 2,
    "text": lambda labels: pd.Index([f"{label:02}" for label in labels], dtype="str"),
    "time": lambda labels: pd.to_datetime(pd.Index(labels, dtype="int64"), unit="D"),
}
DTYPES = ("uint8", "int64", "float64")


def cut(frame, borders):
    """A lazy frame, or Series, with these divisions; the order inside a partition stays. And its rows."""
    out = dd.repartition(frame, divisions=list(borders), force=True)
    assert out.known_divisions
    return out, out.compute()


def is_whole(collection):
    return "python:whole" in _core.explain([collection._expr])


def sides(seed, dtypes=DTYPES, repeats=True):
    """Two lazy frames and their rows: often with the same index values, in any order, some twice."""
    random = np.random.default_rng(seed)
    kind = random.choice(sorted(INDEXES))
    first, second = ([int(x) for x in random.choice(13, random.integers(0, 12), replace=repeats)] for _ in range(2))
    if random.random() < 0.5:
        second = first
    if random.random() < 0.3:
        second = [int(x) for x in random.permutation(second)]
    if random.random() < 0.5:
        first, second = sorted(first), sorted(second)
    out = []
    for number, at in enumerate((first, second)):
        values = {f"v{i}": random.integers(0, 200, len(at)).astype(random.choice(dtypes)) for i in (0, 1)}
        values[f"own{number}"] = np.arange(len(at)) + 0.5
        borders = sorted({0, 12, *(int(x) for x in random.integers(1, 12, random.integers(0, 5)))})
        out += cut(pd.DataFrame(values, index=INDEXES[kind](at)), INDEXES[kind](borders))
    return out


def check(function, frames, aligned=True):
    """Compare what a function makes of both, or that it raises of both; where pandas wants no value twice, a partition may have none."""
    a, pa, b, pb = frames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = raised(lambda: function(pa, pb))
        if error is not None:
            assert "duplicate" in str(error) or raised(lambda: function(a, b).compute()) is not None, error
            return
        made = function(a, b)
        assert made.known_divisions is aligned is not is_whole(made)
        same(made, function(pa, pb), check_freq=False)


def numbers(frames):
    """The columns that both have."""
    return [frame[["v0", "v1"]] for frame in frames]


@pytest.mark.parametrize("op", ["sub", "floordiv", "lt", "eq"])
@pytest.mark.parametrize("seed", SEEDS)
def test_operators(op, seed):
    function, frames = getattr(operator, op), sides(seed)
    check(lambda a, b: function(a.v0, b.v0), frames)
    check(function, numbers(frames))


@pytest.mark.parametrize("seed", SEEDS)
def test_logic(seed):
    frames = sides(seed, ("bool",))
    check(lambda a, b: a.v0 & b.v0, frames)
    check(operator.or_, numbers(frames))


@pytest.mark.parametrize("seed", SEEDS)
def test_methods(seed):
    frames = sides(seed)
    check(lambda a, b: a.v0.add(b.v1, fill_value=3), frames)
    check(lambda a, b: a.sub(b, fill_value=3), frames)
    check(lambda a, b: a.v0.ne(b.v1), frames)
    check(lambda a, b: a[["v0", "v1"]].mul(b.v0, axis=0), frames)


@pytest.mark.parametrize("seed", SEEDS)
def test_combine_first(seed):
    frames = sides(seed, repeats=False)
    ascend = frames[1].index.is_monotonic_increasing and frames[3].index.is_monotonic_increasing
    check(lambda a, b: a.v0.combine_first(b.v0), frames, aligned=ascend)
    check(lambda a, b: a.combine_first(b), frames, aligned=ascend)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", SEEDS)
def test_align(seed, how):
    frames, fill = sides(seed), None if seed % 2 else 3
    check(lambda a, b: a.align(b, join=how, fill_value=fill)[0], frames)
    check(lambda a, b: a.v0.align(b.v1, join=how)[1], frames)
    check(lambda a, b: a.align(b.v1, join=how, axis=0)[seed % 2], frames)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", SEEDS)
def test_merge_by_index(seed, how):
    frames = sides(seed)
    options = [{}, {"indicator": True}, {"validate": "many_to_one"}][seed % 3]
    check(lambda a, b: a.merge(b, left_index=True, right_index=True, how=how, **options), frames)
    check(lambda a, b: a.join(b, how=how, rsuffix="_r"), frames)


@pytest.mark.parametrize("keys", ["k", ["k", "v0"], ["v0", "k"]])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("seed", SEEDS)
def test_merge_by_level_of_the_index(seed, how, keys):
    a, pa, b, pb = sides(seed, ("int64",))
    frames = [*cut(pa.rename_axis("k"), a.divisions), *cut(pb.rename_axis("k"), b.divisions)]
    if how == "outer" and keys == ["v0", "k"]:  # comes in the order of v0
        same(frames[0].merge(frames[2], on=keys, how=how), frames[1].merge(frames[3], on=keys, how=how))
    else:
        check(lambda a, b: a.merge(b, on=keys, how=how), frames)


def test_a_whole_side_is_merged_with_each_partition():
    left = pd.DataFrame({"v": range(9)}, index=pd.Index([0, 1, 1, 3, 4, 5, 6, 7, 8], name="k"))
    right = pd.DataFrame({"w": range(5)}, index=pd.Index([7, 1, 1, 20, 4], name="k"))
    one = dd.from_pandas(right, npartitions=1, sort=False)
    for borders in ([0, 8], [0, 1, 4, 8]):
        lazy, _ = cut(left, borders)
        for how in ("inner", "left"):
            same(lazy.merge(one, on="k", how=how), left.merge(right, on="k", how=how))
            assert lazy.merge(one, on="k", how=how).divisions == lazy.divisions
        same(one.merge(lazy, on="k", how="right"), right.merge(left, on="k", how="right"))
        assert one.join(lazy, how="right").divisions == lazy.divisions
        same(one.merge(lazy, on="k"), right.merge(left, on="k"))


@pytest.mark.parametrize("how", ["inner", "left"])
def test_columns_merged_with_an_index_keep_the_divisions(how):
    left, right = pd.DataFrame({"a": list("abcab"), "v": range(5)}, index=[0, 2, 4, 6, 8]), pd.DataFrame({"b": [1.0, 2.0, 3.0]}, index=list("aab"))
    lazy = dd.from_pandas(left, npartitions=3)
    made = lazy.join(right, on="a", how=how)
    assert made.divisions == lazy.divisions
    same(made, left.join(right, on="a", how=how))
    same(made.loc[4:6], left.join(right, on="a", how=how).loc[4:6])
    assert lazy.merge(right.reset_index(), left_on="a", right_on="index", npartitions=2).npartitions == 2


def test_frames_without_a_common_column_are_merged_by_index():
    left, right = pd.DataFrame({"x": range(6)}, index=[1, 2, 3, 4, 6, 7]), pd.DataFrame({"y": list("abcdef")}, index=[1, 2, 4, 5, 6, 8])
    made = dd.from_pandas(left, npartitions=2).merge(dd.from_pandas(right, npartitions=3), how="outer")
    same(made, left.join(right, how="outer"))
    assert (made.divisions[0], made.divisions[-1]) == (1, 8)


@pytest.mark.parametrize("seed", SEEDS)
def test_columns_of_other_rows(seed):
    a, pa, b, pb = sides(seed, repeats=False)
    if not len(pa):
        return
    check(lambda a, b: a.assign(u=1, z=b.v1, w=a.v0, y=b.v0, q=5), (a, pa, b, pb))
    unknown = a.assign(u=1, z=b.clear_divisions().v1, w=a.v0)
    same(unknown, pa.assign(u=1, z=pb.v1, w=pa.v0), check_freq=False)
    assert unknown.divisions == a.divisions
    same(a.clear_divisions().assign(z=b.v1), pa.assign(z=pb.v1), check_freq=False)
    a["own0"] = b.own1
    same(a, pa.assign(own0=pb.own1), check_freq=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_of_other_rows(seed):
    frames = sides(seed, ("float64", "int64"), repeats=False)
    check(lambda a, b: a.v0.where(a.v0 > 50, b.v0), frames)
    check(lambda a, b: a.v0.where(a.v0 > 50).fillna(b.v0), frames)
    check(lambda a, b: a.where(a > 50, b), numbers(frames))
    check(lambda a, b: a.mask(b > 50), numbers(frames))
    check(lambda a, b: a.where(a > 50).fillna(b), numbers(frames))
    check(lambda a, b: a[b.v0 > 50], frames)


@pytest.mark.parametrize("how", ["inner", "outer"])
@pytest.mark.parametrize("seed", SEEDS)
def test_concat_beside(seed, how):
    frames = sides(seed, repeats=False)
    concat = {True: dd.concat, False: pd.concat}
    if how == "inner":
        check(lambda a, b: concat[hasattr(a, "_expr")]([a, b], axis=1, join=how), frames)
        return
    a, pa, b, pb = frames
    made = dd.concat([a, b.v0, a.v1], axis=1)  # in the order of the index values
    assert made.known_divisions and not is_whole(made)
    same(made.compute().sort_index(), pd.concat([pa, pb.v0, pa.v1], axis=1, sort=False).sort_index(), check_freq=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_concat_interleaved(seed):
    a, pa, b, pb = sides(seed)
    made = dd.concat([a, b], interleave_partitions=True)
    assert made.divisions == tuple(sorted({*a.divisions, *b.divisions}))
    same(made.compute().sort_index(kind="stable"), pd.concat([pa, pb]).sort_index(kind="stable"), check_freq=False)
    assert not dd.concat([a, b]).known_divisions
    same(dd.concat([a, b]), pd.concat([pa, pb]), check_freq=False)


def test_concat_in_order_knows_its_divisions():
    parts = [pd.DataFrame({"x": range(6)}, index=list(labels)) for labels in ("abcdef", "ghijkl", "mnopqr")]
    lazy = [dd.from_pandas(part, npartitions=n) for part, n in zip(parts, (2, 3, 2), strict=True)]
    made = dd.concat(lazy)
    assert made.divisions == lazy[0].divisions[:-1] + lazy[1].divisions[:-1] + lazy[2].divisions
    same(made, pd.concat(parts))
    same(made.loc["h":"n"], pd.concat(parts).loc["h":"n"])


def test_what_was_aligned_is_aligned_again():
    a, b, c = (pd.Series(range(n), index=np.arange(n) * step, name="x") for n, step in ((20, 1), (12, 2), (9, 3)))
    x, y, z = (dd.from_pandas(s, npartitions=n) for s, n in ((a, 3), (b, 2), (c, 4)))
    made = (x + y) * z - x
    same(made, (a + b) * c - a)
    same(made.sum(), ((a + b) * c - a).sum())
    assert made.known_divisions and (x + y)._name == (x + y)._name
    both = (x + y).to_frame("p").assign(q=(x + y) * 2)
    same(both, (a + b).to_frame("p").assign(q=(a + b) * 2))
    again = x.repartition(divisions=[0, 4, 19]) + y
    same(again, a + b)
    assert not is_whole(again)


def test_index_values_that_do_not_compare():
    numbers, texts = pd.Series([1, 2], index=[1, 2]), pd.Series([1, 2], index=["1", "2"])
    made = dd.from_pandas(numbers, npartitions=1).align(dd.from_pandas(texts, npartitions=1), join="left")[0]
    assert is_whole(made)
    same(made, numbers.align(texts, join="left")[0])


@pytest.mark.parametrize("options", [{}, {"by": "g"}, {"left_by": "g", "right_by": "g", "tolerance": 4}, {"allow_exact_matches": False}])
@pytest.mark.parametrize("direction", ["backward", "forward", "nearest"])
def test_merge_asof_by_index(direction, options):
    random = np.random.default_rng(3)
    for n, m in ((1, 1), (3, 4), (7, 2)):
        left = pd.DataFrame({"x": range(20), "g": random.choice(list("ab"), 20)}, index=np.sort(random.choice(60, 20, replace=False)))
        right = pd.DataFrame({"y": range(25), "g": random.choice(list("abc"), 25)}, index=np.sort(random.choice(80, 25, replace=False)))
        given = {"left_index": True, "right_index": True, "direction": direction, **options}
        made = dd.merge_asof(dd.from_pandas(left, npartitions=n), dd.from_pandas(right, npartitions=m), **given)
        assert made.known_divisions and not is_whole(made)
        same(made, pd.merge_asof(left, right, **given))


def test_merge_asof_by_column():
    left, right = pd.DataFrame({"t": [1, 5, 10], "v": list("abc")}), pd.DataFrame({"t": [1, 2, 3, 6, 7], "w": range(5)})
    a, b = dd.from_pandas(left, npartitions=2), dd.from_pandas(right, npartitions=2)
    same(dd.merge_asof(a, b, on="t"), pd.merge_asof(left, right, on="t"))
    same(dd.merge_asof(a, right.set_index("t"), left_on="t", right_index=True), pd.merge_asof(left, right.set_index("t"), left_on="t", right_index=True))
    with pytest.raises(ValueError, match="combination of both"):
        dd.merge_asof(a, b, on="t", left_on="v")
    with pytest.raises(pd.errors.MergeError, match="combination of both"):
        dd.merge_asof(a, b, on="t", by="v", right_by="w")
    with pytest.raises(pd.errors.MergeError):
        dd.merge_asof(a, b, left_on="v", right_on="t")
    with pytest.raises(ValueError, match="sorted"):
        dd.merge_asof(a, dd.from_pandas(right[::-1].reset_index(drop=True), npartitions=2), on="t").compute()


@pytest.mark.parametrize("closed", ["left", "right"])
def test_intervals_of_integers_beside_rows_that_have_none(closed):
    frame = pd.DataFrame({"k": pd.interval_range(0, 4, closed=closed), "a": range(4)})
    short = frame.iloc[1:2].add_suffix("_")
    want = pd.concat([frame, short], axis=1)
    got = dd.concat([dd.from_pandas(frame, npartitions=4), dd.from_pandas(short, npartitions=1)], axis=1)
    same(got.compute(), want)
    same(dd.from_pandas(frame, npartitions=4).k.shift(3).compute(), frame.k.shift(3))


def test_a_sparse_column_beside_rows_that_have_none():
    frame = pd.DataFrame({"k": pd.arrays.SparseArray([1, 0, 2, 0])})
    short = frame.iloc[:1].add_suffix("_")
    got = dd.concat([dd.from_pandas(frame, npartitions=4), dd.from_pandas(short, npartitions=1)], axis=1)
    same(got.compute(), pd.concat([frame, short], axis=1))
