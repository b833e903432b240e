"""merge and join against pandas: key types, missing and repeated keys, every `how`, partition counts; what becomes of a merge's rows, labels and dtypes."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same
from muster import _core

pytestmark = pytest.mark.filterwarnings("ignore:You are merging on int and float", "ignore:The 'lsuffix' and 'rsuffix'")

N = 40
KEYS = {
    "int64": pd.Series(np.arange(N) * 7 % 11, dtype="int64"),
    "far int64": pd.Series(np.arange(N) * 7 % 11 * 10**12 - 5, dtype="int64"),
    "int8": pd.Series(np.arange(N) * 7 % 11 - 5, dtype="int8"),
    "uint64": pd.Series(np.arange(N) % 9, dtype="uint64") + 2**63,
    "float64": pd.Series([0.0, -0.0, np.nan, 1.5, np.inf, 3.0, 2.0**60, np.nan] * 5),
    "float32": pd.Series([0.0, -0.0, np.nan, 1.5, 0.1, 3.0, 4.0, np.nan] * 5, dtype="float32"),
    "bool": pd.Series([True, False, True, True] * 10),
    "text": pd.Series(["a", "b", None, "ü", "", "a long text of more than 16 bytes", "b", "a\0"] * 5, dtype="str"),
    "times": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05", "1969-12-31"] * 10)),
    "spans": pd.Series(pd.to_timedelta([1, None, 3, 4] * 10, unit="s")),
    "zones": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05", "1969-12-31"] * 10).tz_localize("Europe/Berlin")),
    "nullable": pd.Series([1, None, 3, 7] * 10, dtype="Int64"),
    "categories": pd.Series(["a", "b", None, "c"] * 10, dtype="category"),
    "objects": pd.Series([(1, 2), None, "x", 5] * 10, dtype="object"),
}
VALUES = {
    "int64": pd.Series(range(N)),
    "int8": pd.Series(range(N), dtype="int8"),
    "float64": pd.Series(np.linspace(0, 1, N)),
    "bool": pd.Series([True, False] * 20),
    "text": pd.Series([f"value {i}" if i % 5 else None for i in range(N)], dtype="str"),
    "times": pd.Series(pd.date_range("2020", periods=N)),
    "nullable": pd.Series([None, *range(1, N)], dtype="Int64"),
    "categories": pd.Series(list("abcd") * 10, dtype="category"),
    "objects": pd.Series([(i,) for i in range(N)], dtype="object"),
}
HOW = ("inner", "left", "right", "outer")


def sides(key, value="int64"):
    left = pd.DataFrame({"k": KEYS[key], "x": np.arange(N), "z": np.arange(N) * 0.5})
    right = pd.DataFrame({"k": KEYS[key].iloc[::3].reset_index(drop=True), "y": VALUES[value].iloc[::3].reset_index(drop=True), "z": np.arange(0, N, 3)})
    return left, right.iloc[1:].reset_index(drop=True)


def lazy(frame, npartitions):
    return dd.from_pandas(frame, npartitions=npartitions, sort=False)


def merged(left, right, *partitions, **kwargs):
    return lazy(left, partitions[0]).merge(lazy(right, partitions[-1]), **kwargs)


def is_native(frame):
    return "python:" not in _core.explain([frame._expr])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("key", KEYS)
def test_keys(key, how):
    left, right = sides(key)
    if (error := raised(lambda: left.merge(right, on="k", how=how))) is not None:  # objects that have no order
        with pytest.raises(type(error)):
            merged(left, right, 3, 2, on="k", how=how).compute()
        return
    same(merged(left, right, 3, 2, on="k", how=how), left.merge(right, on="k", how=how))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("value", VALUES)
def test_values(value, how):
    left, right = sides("int64", value)
    for kept in (slice(None), slice(0, 3), slice(0, 0)):
        same(merged(left, right[kept], 3, 2, on="k", how=how), left.merge(right[kept], on="k", how=how))


@pytest.mark.parametrize("npartitions", PARTITIONS)
@pytest.mark.parametrize("how", ("inner", "left", "right"))
def test_partitions(how, npartitions):
    left, right = sides("text", "text")
    theirs = left.merge(right, on="k", how=how)
    same(merged(left, right, npartitions, 3, on="k", how=how), theirs)
    same(merged(left, right, 3, npartitions, on="k", how=how), theirs)


MIXED = [("int64", "int8"), ("int8", "int64"), ("int64", "float64"), ("float32", "int64"), ("float32", "float64"), ("int64", "bool"), ("int64", "text"),
         ("times", "text"), ("uint64", "int64"), ("categories", "text"), ("nullable", "int64"), ("zones", "times"), ("spans", "times")]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kinds", MIXED, ids="-".join)
def test_keys_of_two_dtypes(kinds, how):
    left, right = sides(kinds[0])[0], sides(kinds[1])[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = raised(lambda: left.merge(right, on="k", how=how))
        if error is not None:
            with pytest.raises(type(error)):
                merged(left, right, 2, on="k", how=how).compute()
            return
        depends_on_the_rows = how in ("right", "outer")  # whether there are keys of one side alone says which dtype the column has
        same(merged(left, right, 2, on="k", how=how), left.merge(right, on="k", how=how), check_dtype=not depends_on_the_rows)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("keys", [["int64", "text"], ["text", "times"], ["float64", "bool", "int8"], ["nullable", "text"]], ids="-".join)
def test_several_keys(keys, how):
    left = pd.DataFrame({f"k{i}": KEYS[k] for i, k in enumerate(keys)} | {"x": range(N)})
    right = left.iloc[::2].rename(columns={"x": "y"}).reset_index(drop=True)
    on = [f"k{i}" for i in range(len(keys))]
    same(merged(left, right, 3, 2, on=on, how=how), left.merge(right, on=on, how=how))
    swapped = right.rename(columns={"k0": "j"})
    others = {"left_on": on, "right_on": ["j", *on[1:]], "how": how}
    same(merged(left, swapped, 3, 2, **others), left.merge(swapped, **others))


LEFT = pd.DataFrame({"k": [1, 2, 2, 3, 9], "x": [5, 6, 7, 8, 9], "s": list("abcde")}, index=[10, 20, 30, 40, 50])
RIGHT = pd.DataFrame({"k": [2, 3, 3, 4], "x": [1.5, 2.5, 3.5, 4.5], "t": list("uvwx")}, index=[3, 2, 2, 7])
ARGUMENTS = {
    "on": {"on": "k"},
    "on a list": {"on": ["k"]},
    "common columns": {},
    "two names": {"left_on": "k", "right_on": "x"},
    "names exchanged": {"left_on": ["k", "x"], "right_on": ["x", "k"]},
    "a key and another": {"left_on": ["k", "x"], "right_on": ["k", "k"]},
    "suffixes": {"on": "k", "suffixes": ("_left", None)},
    "suffix for the left": {"on": "k", "suffixes": (None, "_r")},
    "right index": {"left_on": "k", "right_index": True},
    "left index": {"left_index": True, "right_on": "k"},
    "both indexes": {"left_index": True, "right_index": True},
    "indicator": {"on": "k", "indicator": True},
    "indicator with a name": {"on": "k", "indicator": "where"},
    "validate": {"on": "s", "validate": "one_to_one"},
    "validate fails": {"on": "k", "validate": "one_to_one"},
    "no such key": {"on": "nowhere"},
    "no key in one": {"left_on": "s", "right_on": "nowhere"},
    "other numbers of keys": {"left_on": ["k", "x"], "right_on": "k"},
    "only one side": {"left_on": "k"},
    "on and left_on": {"on": "k", "left_on": "k"},
    "no suffixes": {"on": "k", "suffixes": (None, None)},
    "equal suffixes": {"on": "k", "suffixes": ("_a", "_a")},
    "text with a number": {"left_on": "s", "right_on": "k"},
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments(arguments, how):
    kwargs = {**ARGUMENTS[arguments], "how": how}
    right = RIGHT.assign(s=list("abxy")) if arguments == "validate" else RIGHT
    ours = [lambda: merged(LEFT, right, 2, **kwargs).compute(), lambda: lazy(LEFT, 2).merge(right, **kwargs).compute()]
    error = raised(lambda: LEFT.merge(right, **kwargs))
    for call in ours:
        if error is None:
            same(call(), LEFT.merge(right, **kwargs))
        else:
            with pytest.raises(type(error)):
                call()


def test_unknown_how():
    with pytest.raises(ValueError, match="'sideways' is not a valid Merge type"):
        merged(LEFT, RIGHT, 2, on="k", how="sideways")
    with pytest.raises(TypeError, match="int was passed"):
        lazy(LEFT, 1).merge(5)
    with pytest.raises(ValueError, match="without a name"):
        lazy(LEFT, 1).merge(pd.Series([1, 2]), left_on="k", right_index=True)


def test_semi_and_anti():
    found = LEFT.k.isin(RIGHT.k)
    same(merged(LEFT, RIGHT, 2, on="k", how="leftsemi"), LEFT[found])
    same(merged(LEFT, RIGHT, 2, on="k", how="leftanti"), LEFT[~found])
    assert is_native(merged(LEFT, RIGHT, 2, on="k", how="leftsemi"))
    objects = LEFT.assign(k=LEFT.k.astype(object)), RIGHT.assign(k=RIGHT.k.astype(object))
    same(merged(*objects, 2, on="k", how="leftsemi"), objects[0][found])
    same(merged(*objects, 2, on="k", how="leftanti"), objects[0][~found])


def test_cross():
    same(merged(LEFT, RIGHT, 2, how="cross"), LEFT.merge(RIGHT, how="cross"))


def test_a_named_series():
    s = pd.Series([1.5, 2.5], index=[2, 9], name="v")
    same(lazy(LEFT, 2).merge(s, left_on="k", right_index=True), LEFT.merge(s, left_on="k", right_index=True))
    same(lazy(LEFT, 2).join(s, on="k"), LEFT.join(s, on="k"))


@pytest.mark.parametrize("how", HOW)
def test_join(how):
    ours = lazy(LEFT, 2)
    right = RIGHT[["t"]]
    same(ours.join(lazy(right, 2), on="k", how=how), LEFT.join(right, on="k", how=how))
    same(ours.join(lazy(right, 2), how=how), LEFT.join(right, how=how))
    same(ours.join(RIGHT, on="k", how=how, lsuffix="_l", rsuffix="_r"), LEFT.join(RIGHT, on="k", how=how, lsuffix="_l", rsuffix="_r"))
    with pytest.raises(ValueError, match="columns overlap"):
        ours.join(RIGHT, on="k", how=how).compute()


def test_join_of_several():
    others = [RIGHT[["t"]].iloc[:1], pd.DataFrame({"u": [1]}, index=[10])]
    same(lazy(LEFT, 2).join(others), LEFT.join(others))


@pytest.mark.parametrize("how", ("inner", "left", "right"))
def test_common_merges_are_native(how):
    assert is_native(merged(LEFT, RIGHT, 2, on="k", how=how))
    assert "join_find" in _core.explain([merged(LEFT, RIGHT, 2, on="k", how=how)._expr])
    if how != "right":
        assert is_native(lazy(LEFT, 2).join(RIGHT[["t"]], on="k", how=how))


# ---- what comes before and behind


def test_rows_are_numbered_anew():
    left, right = sides("int64")
    ours, theirs = merged(left, right, 3, 2, on="k"), left.merge(right, on="k")
    same(ours[ours.x > 10], theirs[theirs.x > 10])
    same(ours.tail(3), theirs.tail(3))
    same(ours.head(3, npartitions=-1), theirs.head(3))
    same(ours.reset_index(), theirs.reset_index())
    same(ours.partitions[1].compute().reset_index(drop=True), theirs.iloc[len(ours.partitions[0]) :][: len(ours.partitions[1])].reset_index(drop=True))
    same(ours.loc[5:9], theirs.loc[5:9])
    same(ours.assign(i=ours.index), theirs.assign(i=theirs.index))
    same(dd.concat([ours, ours]), pd.concat([theirs, theirs]))
    same(ours.map_partitions(lambda part: part.assign(n=part.index)), theirs.assign(n=theirs.index))
    same(ours.partitions[1:].reset_index(), theirs.iloc[len(ours.partitions[0]) :].reset_index())


def test_merges_in_a_row(tmp_path):
    left, right = sides("int64", "text")
    third = pd.DataFrame({"y": right.y.iloc[::2].to_numpy(), "w": np.arange(len(right.iloc[::2]))})
    ours = merged(left, right, 3, 2, on="k", how="left").merge(lazy(third, 2), on="y", how="left")
    same(ours, left.merge(right, on="k", how="left").merge(third, on="y", how="left"))
    left = pd.concat([left] * 100, ignore_index=True).assign(x=range(4000))
    left.to_csv(tmp_path / "left.csv", index=False)
    ours = dd.read_csv(tmp_path / "left.csv", blocksize=10_000)
    assert ours.npartitions > 2
    same(ours.merge(right, on="k").merge(third, on="y"), left.merge(right, on="k").merge(third, on="y"))
    same(ours[ours.x > 7].merge(right, on="k").reset_index(), left[left.x > 7].merge(right, on="k").reset_index())


def test_with_itself():
    left, _ = sides("int64")
    ours = lazy(left, 3)
    same(ours.merge(ours, on="k"), left.merge(left, on="k"))
    means = left.groupby("k").x.mean().reset_index()
    same(ours.merge(ours.groupby("k").x.mean().reset_index(), on="k"), left.merge(means, on="k"))
    same(ours[ours.x > 3].merge(ours[ours.x < 9], on="k").reset_index(), left[left.x > 3].merge(left[left.x < 9], on="k").reset_index())
    pairs = ours.merge(ours, on="k")
    same(pairs.merge(pairs, on=["k", "x_x"]).reset_index(), left.merge(left, on="k").merge(left.merge(left, on="k"), on=["k", "x_x"]).reset_index())


def test_what_is_made_of_it():
    left, right = sides("text", "int64")
    ours, theirs = merged(left, right, 3, 2, on="k", how="left"), left.merge(right, on="k", how="left")
    same(ours.y.sum(), theirs.y.sum())
    same(ours.groupby("k").y.sum(), theirs.groupby("k").y.sum())
    same(ours.y + 1, theirs.y + 1)
    same(ours[ours.y.isna()], theirs[theirs.y.isna()])
    same(ours.nlargest(3, "x"), theirs.nlargest(3, "x"))
    same(ours.x - ours.x.mean(), theirs.x - theirs.x.mean())
    same(ours.x.cumsum(), theirs.x.cumsum())
    assert len(ours) == len(theirs)
    (a, b), (c, d) = dd.compute(ours, ours.y.max()), (theirs, theirs.y.max())
    same(a, c)
    same(b, d)
    same(ours.persist().y.max(), d)
    same(ours.persist(), c)


def test_empty_sides():
    left, right = sides("int64", "text")
    for how in HOW:
        same(merged(left[:0], right, 1, on="k", how=how), left[:0].merge(right, on="k", how=how))
        same(merged(left, right[:0], 2, 1, on="k", how=how), left.merge(right[:0], on="k", how=how))


def test_only_what_is_needed_is_kept():
    left, right = sides("int64", "text")
    plan = _core.explain([merged(left, right, 2, on="k")[["k", "x"]]._expr])
    assert "join_take" not in plan and "join_build(r1)" in plan, plan


@st.composite
def two(draw):
    kind = draw(st.sampled_from(["int64", "float64", "text", "times"]))
    values = {
        "int64": st.integers(-3, 3),
        "float64": st.sampled_from([np.nan, 0.0, -0.0, 1.5, np.inf]),
        "text": st.sampled_from([None, "", "a", "b", "a text longer than the others"]),
        "times": st.sampled_from([None, pd.Timestamp("2020"), pd.Timestamp("1900")]),
    }[kind]
    dtype = {"text": "str", "times": "datetime64[us]"}.get(kind, kind)

    def table(name, keys):
        n = draw(st.integers(0, 25))
        columns = {f"k{i}": pd.Series(draw(st.lists(values, min_size=n, max_size=n)), dtype=dtype) for i in range(keys)}
        return pd.DataFrame(columns | {name: pd.Series(range(n), dtype="int64")})

    keys = draw(st.integers(1, 2))
    return table("x", keys), table("y", keys), [f"k{i}" for i in range(keys)]


@given(frames=two(), how=st.sampled_from(HOW), partitions=st.tuples(st.sampled_from([1, 2, 7, 129]), st.sampled_from([1, 3, 128])))
def test_any_merge(frames, how, partitions):
    left, right, on = frames
    same(merged(left, right, *partitions, on=on, how=how), left.merge(right, on=on, how=how))


def test_a_key_that_is_the_same_in_a_whole_file(tmp_path):
    pdf = pd.DataFrame({"year": [2020] * 5 + [2021] * 4, "x": range(9)})
    for year, rows in pdf.groupby("year"):
        (tmp_path / f"year={year}").mkdir()
        rows[["x"]].to_parquet(tmp_path / f"year={year}" / "part.parquet", index=False)
    ours = dd.read_parquet(tmp_path)
    theirs = ours.compute()
    right = pd.DataFrame({"year": pd.Categorical([2021, 2021, 2022]), "y": list("uvw")})
    for how in ("inner", "left", "leftsemi"):
        key = theirs.year.astype("int64")
        ours_by_number, right_by_number = ours.assign(year=ours.year.astype("int64")), right.assign(year=right.year.astype("int64"))
        whole = theirs.assign(year=key)
        expected = whole[key.isin([2021, 2022])] if how == "leftsemi" else whole.merge(right_by_number, on="year", how=how)
        same(ours_by_number.merge(right_by_number, on="year", how=how), expected)
    same(ours.assign(k=5).merge(pd.DataFrame({"k": [5, 5], "y": [1, 2]}), on="k"), theirs.assign(k=5).merge(pd.DataFrame({"k": [5, 5], "y": [1, 2]}), on="k"))


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_names_of_indexes(how):
    named, other = pd.DataFrame({"k": [1, 2, 3]}, index=pd.Index([1, 2, 5], name="idx")), pd.DataFrame({"q": [1, 2, 9], "z": [1, 2, 3]})
    ours = [dd.from_pandas(f, npartitions=2) for f in (named, other)]
    by_index = ours[0].merge(ours[1], how=how, left_index=True, right_on="q").compute()
    assert by_index.index.name == named.merge(other, how=how, left_index=True, right_on="q").index.name
    by_column = ours[1].merge(ours[0], how=how, left_on="q", right_index=True).compute()
    assert by_column.index.name == other.merge(named, how=how, left_on="q", right_index=True).index.name


def test_a_lazy_series_on_either_side():
    s = pd.Series([5, 1, 2], index=[2, 20, 9], name="k")
    for left, right in ((LEFT, s), (s, LEFT), (s, s)):
        ours = [lazy(side, 2) for side in (left, right)]
        same(dd.merge(*ours, on="k"), pd.merge(left, right, on="k"))
        by_index = {"left_index": True, "right_index": True, "suffixes": ("_l", "_r"), "how": "outer"}
        same(dd.merge(*ours, **by_index), pd.merge(left, right, **by_index))


def test_keys_are_labels():
    ours = lazy(LEFT, 2)
    for key in (ours.k, LEFT.k, LEFT.k.to_numpy(), [ours.k], [LEFT.k]):
        with pytest.raises(NotImplementedError, match="left_on takes labels"):
            ours.merge(RIGHT, left_on=key, right_on="k")
    same(ours.merge(LEFT, on=("k", "s")), LEFT.merge(LEFT, on=("k", "s")))


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer", "leftsemi", "leftanti"])
def test_a_key_that_is_no_column_is_named_with_those_near(how):
    left = dd.from_dict({"key": [1, 2], "one": [3, 4]}, npartitions=2)
    right = dd.from_dict({"key": [1, 2], "two": [3, 4]}, npartitions=1)
    for arguments, near in [
        ({"on": "kex"}, "'kex' not found; did you mean key"), ({"on": ["key", "one"]}, "'one' not found.*columns are key, two"),
        ({"left_on": "onx", "right_on": "key"}, "'onx' not found; did you mean one"),
        ({"left_on": "key", "right_on": ["twx"]}, "'twx' not found; did you mean two"),
    ]:  # fmt: skip
        for call in (left.merge, lambda *a, **k: dd.merge(left, *a, **k)):
            with pytest.raises(KeyError, match=f"merge: column {near}"):
                call(right, how=how, **arguments)
    with pytest.raises(KeyError, match="'kex' not found; did you mean key"):
        left.join(right, on="kex", how="left", rsuffix="_r")


def test_an_argument_that_merge_does_not_have_is_named_as_in_the_call():
    ddf = dd.from_dict({"key": [1, 2]}, npartitions=1)
    with pytest.raises(TypeError, match=r"^DataFrame.merge\(\) got an unexpected keyword argument 'sort'"):
        ddf.merge(ddf, on="key", sort=True)
