"""Merges of keys that native columns stand in for: categories, zones, periods, nullable and Arrow's dtypes, objects; and merges that find none, or all."""

import datetime
import decimal
import enum
import fractions
import pickle
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same
from muster import _core
from muster._border.equality import text_of

N = 60
TEXTS = [f"t{i}" for i in range(13)]
DAYS = pd.date_range("2020-01-01", periods=13)


def with_gaps(values, dtype):
    return pd.Series(pd.array([None if i % 7 == 3 else v for i, v in enumerate(values)], dtype=dtype))


def times(rows):
    return pd.Series([pd.NaT if r % 7 == 3 else DAYS[r % 13] for r in rows], dtype="M8[us]")


def categories(rows, of, ordered=False):
    codes = [-1 if r % 7 == 3 else r % len(of) for r in rows]
    return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(of, tupleize_cols=False), ordered=ordered))


KEYS = {
    "categories": lambda rows: categories(rows, TEXTS[::-1]),
    "ordered": lambda rows: categories(rows, TEXTS[5:] + TEXTS[:5], ordered=True),
    "numbers": lambda rows: categories(rows, list(range(9, -1, -1))),
    "fractions": lambda rows: categories(rows, [0.5, -0.5, 2.25]),
    "flags": lambda rows: categories(rows, [True, False]),
    "days": lambda rows: categories(rows, DAYS),
    "zoned days": lambda rows: categories(rows, DAYS.tz_localize("Asia/Tokyo")),
    "intervals": lambda rows: categories(rows, pd.interval_range(0, 5)),
    "mixed": lambda rows: categories(rows, ["b", 1, ("a", 2), 0.5]),
    "Int64": lambda rows: with_gaps([2**60 + r % 11 for r in rows], "Int64"),
    "UInt64": lambda rows: with_gaps([2**64 - 1 - r % 11 for r in rows], "UInt64"),
    "Int8": lambda rows: with_gaps([r % 11 - 5 for r in rows], "Int8"),
    "UInt32": lambda rows: with_gaps([2**32 - 1 - r % 11 for r in rows], "UInt32"),
    "Float64": lambda rows: with_gaps([r % 11 / 2 for r in rows], "Float64"),
    "Float32": lambda rows: with_gaps([r % 11 / 2 for r in rows], "Float32"),
    "boolean": lambda rows: with_gaps([r % 2 == 0 for r in rows], "boolean"),
    "string": lambda rows: with_gaps([TEXTS[r % 13] for r in rows], "string"),
    "string[python]": lambda rows: with_gaps([TEXTS[r % 13] for r in rows], "string[python]"),
    "zone": lambda rows: times(rows).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
    "periods": lambda rows: times(rows).dt.to_period("D"),
    "int64[pyarrow]": lambda rows: with_gaps([-(2**62) + r % 11 for r in rows], "int64[pyarrow]"),
    "uint64[pyarrow]": lambda rows: with_gaps([2**64 - 1 - r % 11 for r in rows], "uint64[pyarrow]"),
    "double[pyarrow]": lambda rows: with_gaps([r % 11 / 2 for r in rows], "double[pyarrow]"),
    "bool[pyarrow]": lambda rows: with_gaps([r % 2 == 0 for r in rows], "bool[pyarrow]"),
    "text of Arrow": lambda rows: with_gaps([TEXTS[r % 13] for r in rows], pd.ArrowDtype(pa.string())),
    "timestamp[pyarrow]": lambda rows: times(rows).astype("timestamp[us][pyarrow]"),
    "date32[pyarrow]": lambda rows: times(rows).astype("timestamp[us][pyarrow]").astype("date32[pyarrow]"),
    "time32[pyarrow]": lambda rows: with_gaps([datetime.time(r % 11) for r in rows], pd.ArrowDtype(pa.time32("s"))),
    "duration[pyarrow]": lambda rows: with_gaps([datetime.timedelta(r % 11) for r in rows], "duration[us][pyarrow]"),
}
NATIVE = {"int64": lambda rows: pd.Series(rows) % 5, "text": lambda rows: pd.Series([TEXTS[r % 3] for r in rows], dtype="str"), "times": times}
OBJECTS = [
    1, 1.0, True, 2, decimal.Decimal(2), "1", "b", None, np.nan, ("a", 1), ("a", 1.0), ("a", None), b"b", pd.Timestamp("2020"), datetime.datetime(2020, 1, 1),
    datetime.date(2020, 1, 1),
]  # fmt: skip
SEVERAL = [("int64", "categories"), ("Int64", "text", "zone"), ("times", "text"), ("periods", "times", "boolean"), ("string", "Float64")]
HOW = ["inner", "left", "right", "outer"]


def side(first, last, kinds, label, index=False):
    rows = np.arange(first, last)
    frame = pd.DataFrame({f"k{i}": (KEYS | NATIVE)[k](rows.tolist()) for i, k in enumerate(kinds)} | {label: rows, "z": rows * 2})
    return frame.set_index("k0") if index else frame


def lazy(frame, npartitions):
    return dd.from_pandas(frame, npartitions=npartitions if len(frame) else 1, sort=False)


def is_native(frame):
    return "python:whole" not in _core.explain([frame._expr])


def semi(left, right, how, **keys):
    numbered = left.assign(row_=range(len(left)))
    found = numbered.row_.isin(numbered.merge(right, how="inner", suffixes=("", "_"), **keys).row_).to_numpy()
    return left[found if how == "leftsemi" else ~found]


def in_one_order(frame):
    frame = frame.reset_index()
    return frame.iloc[frame.astype("str").sort_values(list(frame.columns)).index].reset_index(drop=True)


@pytest.mark.parametrize("how", [*HOW, "leftsemi", "leftanti", "left_anti", "right_anti"])
@pytest.mark.parametrize("kind", KEYS)
def test_one_key(kind, how):
    left, right = side(0, N, [kind], "x"), side(2, 9, [kind], "y")
    merged = lazy(left, 3).merge(lazy(right, 2), on="k0", how=how)
    assert is_native(merged)
    same(merged, semi(left, right, how, on="k0") if how in ("leftsemi", "leftanti") else left.merge(right, on="k0", how=how))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", KEYS)
def test_by_index(kind, how):
    left, right = side(0, N, [kind], "x", index=True), side(2, 9, [kind], "y", index=True)
    arguments = {"left_index": True, "right_index": True, "how": how}
    merged = lazy(left, 3).merge(lazy(right, 2), **arguments)
    assert is_native(merged)
    ours, theirs = merged.compute(), left.merge(right, **arguments)
    if how == "outer":  # pandas leaves equal index values in no order
        ours, theirs = in_one_order(ours), in_one_order(theirs)
    same(ours, theirs, check_freq=False)
    right = right.drop(columns="z")
    ours, theirs = (in_one_order(f) for f in (lazy(left, 3).join(lazy(right, 2), how=how).compute(), left.join(right, how=how)))
    same(ours, theirs)


@pytest.mark.parametrize("kind", KEYS)
def test_a_column_and_an_index(kind):
    column, index = side(0, N, [kind], "x"), side(2, 9, [kind], "y", index=True)
    column.index = pd.Index([f"row {i}" for i in range(N)], name="i")
    for how in ("inner", "left", "left_anti"):
        same(lazy(column, 3).merge(lazy(index, 2), left_on="k0", right_index=True, how=how), column.merge(index, left_on="k0", right_index=True, how=how))
    same(lazy(index, 2).merge(lazy(column, 3), left_index=True, right_on="k0", how="right"), index.merge(column, left_index=True, right_on="k0", how="right"))
    narrow = index.drop(columns="z")
    same(lazy(column, 3).join(lazy(narrow, 2), on="k0"), column.join(narrow, on="k0"))
    merged = lazy(column, 3).merge(lazy(index, 2), left_on="k0", right_index=True, how="leftsemi")
    same(merged, semi(column, index, "leftsemi", left_on="k0", right_index=True))


@pytest.mark.parametrize("how", [*HOW, "leftsemi", "left_anti", "right_anti"])
@pytest.mark.parametrize("kinds", SEVERAL, ids="-".join)
def test_several_keys(kinds, how):
    left, right = side(0, 3 * N, kinds, "x"), side(5, N, kinds, "y")
    on = [f"k{i}" for i in range(len(kinds))]
    merged = lazy(left, 3).merge(lazy(right, 2), on=on, how=how)
    assert is_native(merged)
    same(merged, semi(left, right, how, on=on) if how == "leftsemi" else left.merge(right, on=on, how=how))
    renamed = right.rename(columns={"k0": "j"}).assign(k0=range(len(right)))
    names = {"left_on": on, "right_on": ["j", *on[1:]]}
    merged = lazy(left, 3).merge(lazy(renamed, 2), **names, how=how, suffixes=("_l", "_r"))
    assert is_native(merged)
    same(merged, semi(left, renamed, how, **names) if how == "leftsemi" else left.merge(renamed, **names, how=how, suffixes=("_l", "_r")))


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_partitions(npartitions):
    for kind in ("categories", "Int64", "zone"):
        left, right = side(0, 3 * N, [kind], "x"), side(2, 9, [kind], "y")
        for how in ("left", "right", "outer"):
            theirs = left.merge(right, on="k0", how=how, indicator=True)
            same(lazy(left, npartitions).merge(lazy(right, 2), on="k0", how=how, indicator=True), theirs)
            same(lazy(left, 2).merge(lazy(right, npartitions), on="k0", how=how, indicator=True), theirs)


@pytest.mark.parametrize("kind", KEYS)
def test_rows_are_exchanged(kind):
    left, right = side(0, N, [kind], "x"), side(2, 30, [kind], "y")
    for how in ("inner", "outer", "right", "left_anti"):
        merged = lazy(left, 3).merge(lazy(right, 2), on="k0", how=how, broadcast=False)
        assert is_native(merged)
        ours, theirs = (in_one_order(f.set_index("x")) for f in (merged.compute(), left.merge(right, on="k0", how=how)))
        same(ours, theirs)


@pytest.mark.parametrize("rows", [(0, 0), (0, 5), (5, 0)])
@pytest.mark.parametrize("kind", ["categories", "numbers", "Int64", "Int8", "string", "zone", "periods", "double[pyarrow]"])
def test_no_rows(kind, rows):
    left, right = side(0, rows[0], [kind], "x"), side(0, rows[1], [kind], "y")
    for how in ("inner", "left", "right", "outer", "left_anti", "right_anti"):
        same(lazy(left, 1).merge(lazy(right, 1), on="k0", how=how, indicator=True), left.merge(right, on="k0", how=how, indicator=True))


@pytest.mark.parametrize("kind", KEYS)
def test_all_keys_are_missing(kind):
    left, right = side(0, 6, [kind], "x"), side(0, 4, [kind], "y")
    for frame in (left, right):
        frame["k0"] = frame["k0"].where([False] * len(frame))
    for how in ("inner", "left", "right", "outer", "left_anti"):
        same(lazy(left, 2).merge(lazy(right, 2), on="k0", how=how), left.merge(right, on="k0", how=how))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("validate", ["1:1", "1:m", "m:1"])
def test_validate(validate, how):
    unique = pd.DataFrame({"k": categories([0, 1, 2], TEXTS), "x": range(3)})
    repeated = pd.DataFrame({"k": categories([1, 1, 2, 5], TEXTS), "y": range(4)})
    for left, right in ((unique, repeated), (repeated, unique), (unique, unique.rename(columns={"x": "y"}))):
        merged = lazy(left, 2).merge(lazy(right, 2), on="k", how=how, validate=validate)
        if (error := raised(lambda left=left, right=right: left.merge(right, on="k", how=how, validate=validate))) is None:
            same(merged, left.merge(right, on="k", how=how, validate=validate))
        else:
            with pytest.raises(type(error), match="Merge keys are not unique in (left|right) dataset"):
                merged.compute()


def test_categories_that_differ():
    sides = {
        "some": pd.DataFrame({"k": categories(range(20), TEXTS[:5]), "x": range(20)}),
        "others": pd.DataFrame({"k": categories(range(9), TEXTS[3:8]), "x": range(9)}),
        "text": pd.DataFrame({"k": pd.Series(TEXTS[2:6] + [None], dtype="str"), "x": range(5)}),
        "string": pd.DataFrame({"k": pd.Series(TEXTS[2:6] + [None], dtype="string"), "x": range(5)}),
        "permuted": pd.DataFrame({"k": categories(range(9), TEXTS[4::-1]), "x": range(9)}),
    }
    for one, left in sides.items():
        for other, right in sides.items():
            for how in HOW:
                merged = lazy(left, 2).merge(lazy(right, 2), on="k", how=how)
                same(merged, left.merge(right, on="k", how=how))
                if how in ("inner", "left") and one != other:
                    assert is_native(merged)
                renamed = right.rename(columns={"k": "j"})
                same(lazy(left, 2).merge(lazy(renamed, 2), left_on="k", right_on="j", how=how), left.merge(renamed, left_on="k", right_on="j", how=how))


@pytest.mark.filterwarnings("ignore:You are merging on int and float")
def test_numbers_of_two_dtypes():
    numbers = {"Int64": "Int64", "Int8": "Int8", "Float64": "Float64", "int64": "int64", "float64": "float64", "UInt64": "UInt64"}
    for one in numbers:
        for other in numbers:
            left = pd.DataFrame({"k": pd.Series([1, 2, 3, 4, 3], dtype=one), "x": range(5)})
            right = pd.DataFrame({"k": pd.Series([3, 1, 7, 3], dtype=other), "y": range(4)})
            for how in HOW:
                merged = lazy(left, 2).merge(lazy(right, 2), on="k", how=how)
                same(merged, left.merge(right, on="k", how=how))
                assert is_native(merged) or how in ("right", "outer") or "UInt64" in (one, other)
    left, right = pd.DataFrame({"k": pd.array([True, None, False], dtype="boolean")}), pd.DataFrame({"k": [False, True, False], "y": range(3)})
    same(lazy(left, 2).merge(lazy(right, 2), on="k"), left.merge(right, on="k"))


@pytest.mark.parametrize("how", HOW)
def test_zones_and_units_that_differ(how):
    left = pd.DataFrame({"k": DAYS.tz_localize("UTC").as_unit("s"), "x": range(13)})
    right = pd.DataFrame({"j": DAYS[3:].tz_localize("UTC").tz_convert("Europe/Berlin").as_unit("ns"), "y": range(10)})
    merged = lazy(left, 2).merge(lazy(right, 2), left_on="k", right_on="j", how=how)
    assert is_native(merged)
    same(merged, left.merge(right, left_on="k", right_on="j", how=how))
    same(lazy(left, 2).merge(lazy(right.rename(columns={"j": "k"}), 2), on="k", how=how), left.merge(right.rename(columns={"j": "k"}), on="k", how=how))


def test_categories_that_are_known_when_they_are_read():
    left = pd.DataFrame({"k": pd.Series(["a", "b", None, "c"] * 5, dtype="str"), "x": range(20)})
    right = pd.DataFrame({"k": pd.Series(["b", "a", "d"], dtype="str"), "y": range(3)})
    theirs = left.astype({"k": "category"}).merge(right.astype({"k": "category"}), on="k", how="left")
    same(lazy(left, 3).astype({"k": "category"}).merge(lazy(right, 2).astype({"k": "category"}), on="k", how="left"), theirs)


def _with_categories(part):
    return part.assign(k=part.k.astype("category"))


@pytest.mark.parametrize("how", [*HOW, "left_anti"])
def test_categories_that_are_others_in_each_partition(how):
    texts = pd.DataFrame({"k": pd.Series([None, "a", "c", None, "b", "a", "e", "d"], dtype="str"), "x": range(8)})
    left = lazy(texts, 4).map_partitions(_with_categories)
    right = lazy(texts[2:7], 3).map_partitions(_with_categories)
    for _ in range(2):  # what the first run finds is promised to the second one
        merged = left.merge(right, on="k", how=how).compute()
        theirs = _with_categories(texts).merge(_with_categories(texts[2:7]), on="k", how=how)
        same(merged, theirs)


def test_objects():
    left = pd.DataFrame({"k": pd.Series(OBJECTS * 2, dtype=object), "x": range(2 * len(OBJECTS))})
    right = pd.DataFrame({"k": pd.Series(OBJECTS[::3] + [7], dtype=object), "y": range(len(OBJECTS[::3]) + 1)})
    for how in ("inner", "left", "leftsemi", "leftanti", "left_anti"):
        merged = lazy(left, 3).merge(lazy(right, 2), on="k", how=how)
        assert is_native(merged)
        same(merged, semi(left, right, how, on="k") if how in ("leftsemi", "leftanti") else left.merge(right, on="k", how=how))
    same(lazy(left, 3).merge(lazy(right, 2), on="k", how="right"), left.merge(right, on="k", how="right"))
    texts = pd.DataFrame({"k": pd.Series(["1", "b", None], dtype="str"), "y": range(3)})
    same(lazy(left, 3).merge(lazy(texts, 2), on="k", how="left"), left.merge(texts, on="k", how="left"))
    same(lazy(texts, 2).merge(lazy(left, 3), on="k"), texts.merge(left, on="k"))


class _Colour(enum.Enum):
    red = 1
    blue = 2


class _Equal:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value

    def __hash__(self):
        return hash(self.value)


def test_texts_of_objects_are_equal_where_pandas_takes_the_objects_for_one():
    values = [
        *OBJECTS, 0, 0.0, -0.0, False, np.int8(1), np.float32(0.1), 0.1, np.bool_(True), 1 + 0j, 1 + 2j, fractions.Fraction(1, 2), 0.5, 2**70, float(2**70),
        decimal.Decimal("0.1"), decimal.Decimal("NaN"), np.inf, -np.inf, decimal.Decimal("Infinity"), np.str_("b"), "", (), ("a",), (("a", 1), "b"),
        ("a", np.nan), frozenset([1, "a"]), frozenset(["a", 1.0]), pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020-01-01 01:00", tz="Europe/Berlin"),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), pd.Timestamp("2020-01-01 00:00:00.000000001"), pd.Timedelta(1, "D"), datetime.timedelta(1),
        pd.Timedelta(1, "ns"), datetime.timedelta(0), pd.Period("2020", "Y"), pd.Period("2020-01", "M"), uuid.UUID(int=1), uuid.UUID(int=2), _Colour.red,
        _Colour.blue, pd.NaT, pd.NA,
    ]  # fmt: skip
    codes, texts = _codes(values), [text_of(v) for v in values]
    for i, (code, text) in enumerate(zip(codes, texts, strict=True)):
        for j, (other, its) in enumerate(zip(codes, texts, strict=True)):
            assert (code == other) is (text == its), (values[i], values[j])
    for value, said in ((_Equal(1), "not known"), ([1], "unhashable"), ({}, "unhashable")):
        with pytest.raises(TypeError, match=said):
            text_of(value)
    with pytest.raises(TypeError, match="keys of objects of type _Equal"):
        odd = lazy(pd.DataFrame({"k": pd.Series([_Equal(1), 2], dtype=object)}), 1)
        odd.merge(odd, on="k").compute()


def _codes(values):
    """What pandas takes values for: the number of the first one that is equal in a merge."""
    held = np.empty(len(values), dtype=object)
    held[:] = values
    one = pd.DataFrame({"k": pd.Series(held, dtype=object), "x": range(len(values))})
    return one.merge(one, on="k").groupby("x_x").x_y.min().tolist()


@pytest.mark.parametrize("npartitions", PARTITIONS[:3])
def test_cross(npartitions):
    left, right = side(0, 20, ["categories"], "x"), side(2, 9, ["Int64"], "y")
    for arguments in ({}, {"indicator": True}, {"suffixes": ("_l", None)}, {"validate": "1:1"}):
        merged = lazy(left, npartitions).merge(lazy(right, 2), how="cross", **arguments)
        assert is_native(merged)
        same(merged, left.merge(right, how="cross", **arguments))
    same(lazy(left, npartitions).merge(lazy(right[:0], 1), how="cross"), left.merge(right[:0], how="cross"))
    same(lazy(left[:0], 1).merge(lazy(right, npartitions), how="cross"), left[:0].merge(right, how="cross"))
    ours = lazy(left, npartitions).merge(lazy(right, 2), how="cross", broadcast=False)
    same(ours.sum(numeric_only=True), left.merge(right, how="cross").sum(numeric_only=True))
    for arguments in ({"on": "k0"}, {"left_index": True, "right_index": True}):
        with pytest.raises(pd.errors.MergeError):
            lazy(left, 2).merge(lazy(right, 2), how="cross", **arguments)


@pytest.mark.parametrize("how", ["left_anti", "right_anti"])
def test_rows_that_find_none(how):
    left = pd.DataFrame({"k": [3, 1, 2, 2, 9], "x": range(5), "z": 1.5})
    right = pd.DataFrame({"k": [2, 7, 2, 8], "y": [True, False, True, True], "z": ["a", "b", "c", "d"]})
    for arguments in ({"on": "k"}, {"left_on": "k", "right_on": "k"}, {"left_on": "x", "right_on": "k"}, {"left_index": True, "right_index": True}):
        for more in ({}, {"indicator": True}, {"indicator": "side"}):
            merged = lazy(left, 3).merge(lazy(right, 2), how=how, **arguments, **more)
            assert is_native(merged)
            same(merged, left.merge(right, how=how, **arguments, **more))
    found = right[right.k == 2] if how == "right_anti" else right
    same(lazy(left, 3).merge(lazy(found, 1), how=how, on="k"), left.merge(found, how=how, on="k"))
    with pytest.raises(pd.errors.MergeError):
        lazy(left, 3).merge(lazy(right, 2), how=how, on="k", validate="1:1").compute()


@pytest.mark.filterwarnings("ignore:Setting a new column on a DataFrame with a MultiIndex", "ignore:dropping on a non-lexsorted multi-index")
def test_labels_that_are_no_texts():
    left, right = pd.DataFrame({1: [1, 2], 5: [1, 2]}), pd.DataFrame({2: [2, 3], 6: [1, 2]})
    for how in HOW:
        same(lazy(left, 2).merge(lazy(right, 2), left_on=1, right_on=2, how=how), left.merge(right, left_on=1, right_on=2, how=how))
    left, right = (f.astype({f.columns[0]: "Int64"}) for f in (left, right))
    for how in HOW:
        same(lazy(left, 2).merge(lazy(right, 2), left_on=1, right_on=2, how=how), left.merge(right, left_on=1, right_on=2, how=how))
        same(lazy(left, 2).merge(lazy(left, 2), on=1, how=how), left.merge(left, on=1, how=how))
    left.columns = right.columns = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    for arguments in ({"how": "outer"}, {"how": "outer", "indicator": True}, {"how": "left_anti", "indicator": True}):
        same(lazy(left, 2).merge(lazy(right, 2), on=[("a", 1)], **arguments), left.merge(right, on=[("a", 1)], **arguments))
    same(lazy(left, 2).merge(lazy(right, 2), how="cross"), left.merge(right, how="cross"))


@pytest.mark.parametrize("how", HOW)
def test_merges_of_merges(how):
    left, first = side(0, N, ["categories"], "x"), side(2, 9, ["categories"], "y").drop(columns="z")
    second, third = first.rename(columns={"y": "v"}), first.rename(columns={"y": "w"})
    merged, theirs = lazy(left, 3), left
    for right in (first, second, third):
        merged, theirs = merged.merge(lazy(right, 2), on="k0", how=how), theirs.merge(right, on="k0", how=how)
    assert is_native(merged)
    same(merged, theirs)
    again = lazy(first, 2)  # rows that are counted for one merge and looked at for the other
    merged = lazy(left, 3).merge(again, on="k0", how=how).merge(again.rename(columns={"y": "v"}), on="k0", how=how)
    same(merged, left.merge(first, on="k0", how=how).merge(second, on="k0", how=how))
    same(pickle.loads(pickle.dumps(merged)), merged.compute())
    same(merged.persist(), merged.compute())


@pytest.mark.parametrize("how", ["left", "right", "outer", "left_anti"])
def test_on_a_cluster(client, how):
    for kind in ("categories", "Int64", "zone", "periods", "string"):
        left, right = side(0, 3 * N, [kind], "x"), side(2, 30, [kind], "y")
        same(lazy(left, 3).merge(lazy(right, 2), on="k0", how=how), left.merge(right, on="k0", how=how))


@given(st.data())
def test_like_pandas(data):
    kinds = data.draw(st.lists(st.sampled_from([*KEYS, *NATIVE]), min_size=1, max_size=2))
    frames = [side(first := data.draw(st.integers(0, 20)), first + data.draw(st.integers(1, 40)), kinds, x) for x in "xy"]
    arguments = {"on": [f"k{i}" for i in range(len(kinds))], "how": data.draw(st.sampled_from([*HOW, "left_anti", "right_anti"]))}
    arguments["indicator"] = data.draw(st.booleans())
    ours = [lazy(f, data.draw(st.integers(1, 4))) for f in frames]
    same(ours[0].merge(ours[1], **arguments), frames[0].merge(frames[1], **arguments))
