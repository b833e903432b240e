"""A number beside a column: right at the ends of every dtype, and where it does not fit. pandas is the judge."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import muster
import muster.bag
import muster.dataframe as dd
from conftest import raised, same

ENDS = {
    "int8": [-128, -1, 0, 4, 127],
    "uint8": [0, 3, 4, 254, 255],
    "int16": [-(2**15), -1, 0, 4, 2**15 - 1],
    "uint16": [0, 1, 4, 2**16 - 1],
    "int32": [-(2**31), -1, 0, 4, 2**31 - 1],
    "uint32": [0, 4, 2**32 - 1],
    "int64": [-(2**63), -(2**53) - 1, -1, 0, 4, 2**53 + 1, 2**63 - 1],
    "uint64": [0, 4, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1],
    "float32": [0.1, 2.0**24, 1e30, np.nan, -1.0, 4],
    "float64": [0.1, 2.0**53, 1e300, np.nan, 2.0**63, 4],
    "bool": [True, False, True],
}
INTEGERS = [
    0, 1, -1, 4, 127, 128, 255, 256, 260, 300, -129, 2**15, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1,
    2**70
]
FLOATS = [0.1, 1.5, 4.0, 2.0**63, 2.0**64, 1e300, float("inf"), float("nan")]
NUMPY = [np.uint8(3), np.uint8(255), np.int64(300), np.uint64(2**63 + 1), np.float64(0.1), np.float32(0.1), np.bool_(True)]
LITERALS = [*INTEGERS, *FLOATS, True, False, *NUMPY]

OPERATORS = "add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow eq ne lt le gt ge".split()
OPERATIONS = {
    **{name: lambda s, v, name=name: getattr(s, f"__{name}__")(v) for name in OPERATORS},
    "isin": lambda s, v: s.isin([v, 4]),
    "clip": lambda s, v: s.clip(v),
    "clip upper": lambda s, v: s.clip(upper=v),
    "where": lambda s, v: s.where(s != 4, v),
    "mask": lambda s, v: s.mask(s == 4, v),
    "replace": lambda s, v: s.replace(4, v),
    "replace from": lambda s, v: s.replace(v, 4),
    "replace dict": lambda s, v: s.replace({v: 1}),
    "between": lambda s, v: s.between(0, v),
    "fillna": lambda s, v: s.fillna(v),
    "assign": lambda s, v: s.to_frame().assign(n=v),
    "filter": lambda s, v: s[s >= v],
    "query": lambda s, v: s.to_frame().query(f"x >= {v!r}") if type(v) in (int, bool) or (type(v) is float and np.isfinite(v)) else s,
    "shift": lambda s, v: s.shift(1, fill_value=v),
    "ufunc": lambda s, v: np.add(s, v),
    "ufunc less": lambda s, v: np.less(s, v),
}


def answer(call):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call()
            return result.compute() if hasattr(result, "_expr") else result
    except Exception as error:
        return error


def differs_on_purpose(name, dtype, value, theirs, ours):
    """Where pandas fails by accident or rounds, and muster does not."""
    if isinstance(theirs, AssertionError) or "Invalid integer data type" in str(theirs):
        return True  # pandas asks for a report of a bug
    if isinstance(theirs, OverflowError) and dtype == "bool":
        return True
    if dtype in ("int64", "uint64") and isinstance(value, float) and name in ("clip", "clip upper", "replace from", "replace dict", "isin"):
        return True  # pandas compares as floats
    if name == "query" and isinstance(theirs, Exception):
        return True
    return name == "mask" and dtype == "bool"  # objects where nothing was replaced


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=max(10, settings().max_examples // 2))
@given(dtype=st.sampled_from(list(ENDS)), value=st.sampled_from(LITERALS), partitions=st.sampled_from([1, 2, 7]))
def test_a_number_beside_a_column(name, dtype, value, partitions):
    s = pd.Series(ENDS[dtype], dtype=dtype, name="x")
    theirs = answer(lambda: OPERATIONS[name](s, value))
    ours = answer(lambda: OPERATIONS[name](dd.from_pandas(s, npartitions=partitions), value))
    if differs_on_purpose(name, dtype, value, theirs, ours):
        return
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception) and (isinstance(ours, type(theirs)) or isinstance(theirs, type(ours))), (ours, theirs)
        return
    if isinstance(ours, Exception):
        raise ours
    same(ours, theirs, check_exact=True)


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_integers_from_two_to_the_63_are_not_rounded(partitions):
    frame = pd.DataFrame({"k": np.array([2**63 + 1, 2**63, 7, 2**64 - 1], dtype="uint64"), "v": [1, 2, 3, 4]})
    df = dd.from_pandas(frame, npartitions=partitions)
    big = 2**63 + 1
    same(df[df.k == big], frame[frame.k == big])
    same(df[df.k < big], frame[frame.k < big])
    same(df[df.k.isin([big, 2**64 - 1])], frame[frame.k.isin([big, 2**64 - 1])])
    same(df.assign(k=big), frame.assign(k=big))
    same(df.query(f"k == {big}"), frame[frame.k == big])  # pandas' own fails of it where numexpr is installed
    same(df.query("k > @big", local_dict={"big": big}), frame[frame.k > big])
    same(df.k.where(df.v > 2, big), frame.k.where(frame.v > 2, big))
    same(df.k - 2**63, frame.k - 2**63)
    same(df.k.astype(str), frame.k.astype(str))
    for function in ("min", "max", "sum", "mean", "nunique"):
        same(getattr(df.k, function)(), getattr(frame.k, function)())
    same(df.groupby("k").v.sum(), frame.groupby("k").v.sum())
    same(df.groupby("v").k.max(), frame.groupby("v").k.max())
    same(df.nlargest(2, "k"), frame.nlargest(2, "k"))


def test_filters_of_files_keep_every_digit(tmp_path):
    frame = pd.DataFrame({"k": np.arange(2**63, 2**63 + 40, dtype="uint64"), "i": np.arange(2**53, 2**53 + 40), "f": np.arange(40, dtype="float32") / 10})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=10)
    df = dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True)
    for mask in (
        lambda d: d.k == 2**63 + 31, lambda d: d.k > 2**63 + 5, lambda d: d.i == 2**53 + 1, lambda d: d.f == 0.1, lambda d: d.f <= 0.1, lambda d: d.k >= 0,
        lambda d: d.k < -1
    ):
        same(df[mask(df)], frame[mask(frame)])
    same(dd.read_parquet(tmp_path / "a.parquet", filters=[("k", ">=", 2**63 + 38)]).k, frame.k[frame.k >= 2**63 + 38].reset_index(drop=True), check_index=False)


@pytest.mark.parametrize("value", [Decimal("1.10"), [1, 2, 3], {"a": 1}, None])
def test_other_values_are_never_compared_by_identity(value):
    s = pd.Series([Decimal("1.10"), Decimal("2"), None], dtype=object)
    lazy = dd.from_pandas(s, npartitions=2)
    if isinstance(value, (list, dict)):
        assert isinstance(raised(lambda: lazy == value), TypeError)
    else:
        same(lazy == value, s == value)
        same(lazy != value, s != value)


@pytest.mark.parametrize(
    "value",
    [
        np.uint8(3), np.float32(0.1), np.datetime64("2020-01-01", "s"), pd.Timestamp("2020-01-01", tz="UTC"), pd.Timedelta("1h"), Decimal("1.5"), 2**64, None,
        2**63
    ]
)
def test_a_new_column_has_the_dtype_of_its_scalar(value):
    frame = pd.DataFrame({"x": [1, 2, 3]})
    df = dd.from_pandas(frame, npartitions=2)
    same(df.assign(n=value), frame.assign(n=value))
    frame["n"], df["n"] = value, value
    same(df, frame)


TEXTS = ["9223372036854775807", "18446744073709551615", "300", "-1", "1.5", "1e3", "0x10", " 7 ", "", "nan", "1_000", "+5", "inf", "-0"]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "float64", "float32", "bool"])
def test_text_becomes_a_number_or_an_error(dtype):
    for text in TEXTS:
        if dtype.startswith("float") and text == "1_000":
            continue
        s = pd.Series([text, "1"], dtype="str")
        theirs, ours = (answer(lambda s=s: s.astype(dtype)) for s in (s, dd.from_pandas(s, npartitions=2)))
        if isinstance(theirs, Exception):
            assert isinstance(ours, type(theirs)), (text, ours, theirs)
        else:
            same(ours, theirs)


def test_astype_of_numbers_and_times():
    numbers = pd.Series([1e16, 1.5e17, 123456789012345680.0, 0.0001, 1e-5, 0.00012, 5e-324, -0.0, 100.0, np.inf, 1.5])
    columns = {
        "f": numbers,
        "g": numbers.astype("float32"),
        "u": pd.Series([2**64 - 1, 2**63, 0] + [1] * 8, dtype="uint64"),
        "s": pd.Series(np.array(["9999-12-31", "0001-01-01", "NaT"] + ["2020-01-01T00:00:01"] * 8, dtype="M8[s]")),
        "n": pd.Series(np.array(["2020-01-01T00:00:00.123456789"] + ["2020-01-01"] * 10, dtype="M8[ns]")),
        "b": pd.Series([True, False, True] * 3 + [True, False]),
    }
    for name, s in columns.items():
        lazy = dd.from_pandas(s.rename(name), npartitions=3)
        same(lazy.astype(str), s.rename(name).astype(str))
        same(lazy.astype(object), s.rename(name).astype(object))
    far = dd.from_pandas(columns["s"], npartitions=3)
    with pytest.raises(pd.errors.OutOfBoundsDatetime):
        far.astype("datetime64[ns]").compute()
    same(far == pd.Timestamp("9999-12-31"), columns["s"] == pd.Timestamp("9999-12-31"))
    for dtype in ("uint8", "uint64"):
        with pytest.raises(ValueError, match="losslessly"):
            dd.from_pandas(pd.Series([-1.0, 2.0]), npartitions=1).astype(dtype).compute()


# ---- what is to come is no value


TAKES_VALUES = {
    "assign": lambda df, v: df.assign(z=v),
    "assign what a function returns": lambda df, v: df.assign(z=lambda df: v),
    "clip": lambda df, v: df.x.clip(lower=v),
    "fillna": lambda df, v: df.fillna(v),
    "isin": lambda df, v: df.x.isin(v),
    "isin a list": lambda df, v: df.x.isin([1, v]),
    "loc": lambda df, v: df.loc[v],
    "mask": lambda df, v: df.x.mask(df.x > 2, v),
    "replace": lambda df, v: df.x.replace(1, v),
    "round": lambda df, v: df.x.round(v),
    "where": lambda df, v: df.where(df.x > 2, v),
    "apply": lambda df, v: df.x.apply(lambda x, y: x + y, args=(v,)),
    "str": lambda df, v: df.s.str.contains(v),
}


@pytest.mark.parametrize("kind", ["delayed", "bag", "item"])
@pytest.mark.parametrize("takes", TAKES_VALUES.values(), ids=TAKES_VALUES)
def test_what_is_to_come(kind, takes):
    bag = muster.bag.from_sequence(range(4), npartitions=2)
    value = {"delayed": muster.delayed(pow)(2, 3), "bag": bag, "item": bag.sum()}[kind]
    df = dd.from_pandas(pd.DataFrame({"x": range(8), "s": list("abcdefgh")}), npartitions=3)
    with pytest.raises(TypeError, match=r"is not a value yet: give what its \.compute\(\) returns") as error:
        takes(df, value)
    assert repr(value) in str(error.value)


def test_operators_beside_what_is_to_come():
    """Delayed has operators of its own, which compute both sides; of others a comparison is no answer either."""
    pdf = pd.DataFrame({"x": range(8)})
    df = dd.from_pandas(pdf, npartitions=3)
    eight = muster.delayed(pow)(2, 3)
    same((df.x + eight).compute(), pdf.x + 8)
    same((eight - df.x).compute(), 8 - pdf.x)
    same((df.x == eight).compute(), pdf.x == 8)
    item = muster.bag.from_sequence(range(4), npartitions=2).sum()
    for call in (lambda: df.x + item, lambda: df.x == item, lambda: df != item, lambda: df.x > item):
        with pytest.raises(TypeError, match="is not a value yet"):
            call()


def test_functions_of_partitions_get_values_of_tasks():
    """At any depth, and each is computed once."""
    pdf = pd.DataFrame({"x": range(8)})
    df = dd.from_pandas(pdf, npartitions=3)
    eight = muster.delayed(pow)(2, 3)
    bag = muster.bag.from_sequence(range(4), npartitions=2)

    def added(part, one, rest, column=None):
        return part + one + sum(rest["more"]) + column[0]

    got = df.map_partitions(added, eight, {"more": [eight, bag.sum()], "bag": bag}, column=(eight, "x"))
    same(got, pdf + 8 + 8 + 6 + 8)
