"""Columns of Python objects: every operation as pandas does it, whatever the engine does with other dtypes."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised
from muster.dataframe._through_pandas import through

COLUMNS = {
    "mixed": [1, "a", None, 1, 2.5, (1, 2)],
    "decimals": [decimal.Decimal("1.5"), decimal.Decimal(2), None, decimal.Decimal("1.5"), decimal.Decimal(0), decimal.Decimal(9)],
    "dates": [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1), None, datetime.date(2020, 1, 1), datetime.date(2019, 1, 1), datetime.date(2020, 1, 2)],
    "bools": [True, False, None, True, True, False],
    "integers": [1, 2, 3, 1, 2, 9],
}


def grouped(s):
    return s.to_frame("x").assign(k=1).groupby("k").x


OPERATIONS = {
    "isin": lambda s: s.isin([1, "a"]),
    "isin_objects": lambda s: s.isin([decimal.Decimal(2), datetime.date(2020, 1, 1), True]),
    "isin_frame": lambda s: s.to_frame("x").isin([1]),
    "equal": lambda s: s == 1,
    "equal_method": lambda s: s.eq(1),
    "equal_itself": lambda s: s == s,
    "not_equal": lambda s: s != "a",
    "less": lambda s: s < 2,
    "add": lambda s: s + s,
    "times": lambda s: s * 2,
    "negative": lambda s: -s,
    "isna": lambda s: s.isna(),
    "fillna": lambda s: s.fillna(0),
    "dropna": lambda s: s.dropna(),
    "count": lambda s: s.count(),
    "nunique": lambda s: s.nunique(),
    "nunique_missing": lambda s: s.nunique(dropna=False),
    "drop_duplicates": lambda s: s.drop_duplicates(),
    "sum": lambda s: s.sum(),
    "min": lambda s: s.min(),
    "max": lambda s: s.max(),
    "any": lambda s: s.any(),
    "cumsum": lambda s: s.cumsum(),
    "cummax": lambda s: s.cummax(),
    "shift": lambda s: s.shift(),
    "shift_back": lambda s: s.shift(-2),
    "diff": lambda s: s.diff(),
    "ffill": lambda s: s.ffill(),
    "bfill": lambda s: s.bfill(),
    "where": lambda s: s.where(s.notna(), 7),
    "mask": lambda s: s.mask(s.isna()),
    "replace": lambda s: s.replace(1, 5),
    "round": lambda s: s.round(),
    "as_text": lambda s: s.astype(str),
    "as_float": lambda s: s.astype(float),
    "nlargest": lambda s: s.nlargest(2),
    "mode": lambda s: s.mode(),
    "explode": lambda s: s.explode(),
    "group_first": lambda s: grouped(s).first(),
    "group_max": lambda s: grouped(s).max(),
    "group_nunique": lambda s: grouped(s).nunique(),
    "group_count": lambda s: grouped(s).count(),
    "group_list": lambda s: grouped(s).agg(list),
}


@pytest.mark.parametrize("arguments", [(" ",), (" ", 1), (" ", 0), ("x",), (None,), ("[a-z]+",)])
@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_split_gives_lists(arguments, partitions):
    texts = pd.Series(["a b", None, "", " x y  z ", "ä ö", "x" * 300], name="t")
    keywords = dict(zip(("pat", "n"), arguments, strict=False))
    lazy = dd.from_pandas(texts, npartitions=partitions).str.split(**keywords)
    pd.testing.assert_series_equal(lazy.compute(), texts.str.split(**keywords))
    for i in (0, 1, -1, 9):
        expected = texts.str.split(**keywords).str[i]
        pd.testing.assert_series_equal(lazy.str[i].compute(), expected.astype("str") if expected.notna().any() else expected, check_dtype=False)
    pd.testing.assert_series_equal(lazy.str.len().compute(), texts.str.split(**keywords).str.len())


def test_pieces_that_repeat():
    """Pieces of all sizes that differ in one character anywhere, and so many of them that some are made anew."""
    pieces = [("é" if size % 3 else "b").join(["a" * at, "c" * (size - at)]) for size in range(20) for at in range(size + 1)]
    texts = pd.Series([",".join(pieces[(7 * i + k) % len(pieces)] for k in range(i % 9)) for i in range(3000)] + [f"{i},{i % 10}" for i in range(70_000)])
    pd.testing.assert_series_equal(dd.from_pandas(texts, npartitions=2).str.split(",").compute(), texts.str.split(","))


def test_objects_of_some_rows():
    theirs = pd.DataFrame({"t": [f"{i} x" if i % 13 else None for i in range(2000)], "n": range(2000)})
    ours = dd.from_pandas(theirs, npartitions=7)
    lists, expected = ours.t.str.split(" "), theirs.t.str.split(" ")
    for keep in (lambda d: d.n % 3 == 0, lambda d: d.n > 700, lambda d: d.n < 0):
        pd.testing.assert_series_equal(lists[keep(ours)].compute(), expected[keep(theirs)])
    pd.testing.assert_series_equal(dd.concat([lists, lists]).compute(), pd.concat([expected, expected]))


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_objects_are_treated_as_pandas_does(column, operation):
    data = pd.Series(COLUMNS[column], dtype=object, name="v")
    run = OPERATIONS[operation]
    try:
        expected = run(data)
    except Exception as error:
        with pytest.raises(type(error)):
            run(dd.from_pandas(data, npartitions=3)).compute()
        return
    for partitions in (1, 3):
        got = run(dd.from_pandas(data, npartitions=partitions)).compute()
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(got, expected)
        elif isinstance(expected, pd.Series):
            pd.testing.assert_series_equal(got, expected)
        else:
            assert got == expected


def _less(values, one, other):
    return values - one + other


@pytest.mark.parametrize("shape", ["rows", "partitions", "whole", "beside"])
@pytest.mark.parametrize("npartitions", [1, 2, 7])
def test_functions_see_lazy_values_beside_their_rows(shape, npartitions):
    pdf = pd.DataFrame({"a": [3.0, 1, 2, 5, 4, 7, 6], "b": range(7)})
    df = dd.from_pandas(pdf, npartitions=npartitions)
    pd.testing.assert_series_equal(through("less", _less, (df.a, df.a.min(), df.b.max()), shape=shape).compute(), pdf.a - 1 + 6, check_names=False)
    centred = df.a - df.a.mean()  # which reads its rows twice itself
    pd.testing.assert_series_equal(
        through("less", _less, (centred, centred.max(), (df.b - df.b.min()).sum()), shape=shape).compute(), pdf.a - 7 + 21, check_names=False
    )
    if shape not in ("rows", "beside"):
        assert through("less", _less, (df.a.max(), df.a.min(), centred.max()), shape=shape).compute() == 7 - 1 + 3
        row = through("less", _less, (df.max(), df.min(), df.mean()), shape=shape).compute()
        pd.testing.assert_series_equal(row, pdf.max() - pdf.min() + pdf.mean())


def missing_decimal():
    return decimal.Decimal("NaN")


EQUAL_VALUES = {
    "drop_duplicates": lambda s: s.drop_duplicates(),
    "unique": lambda s: s.unique(),
    "value_counts": lambda s: s.value_counts(),
    "counts of all": lambda s: s.value_counts(dropna=False),
    "mode": lambda s: s.mode(),
    "mode of all": lambda s: s.mode(dropna=False),
    "nunique": lambda s: s.nunique(),
    "last": lambda s: s.drop_duplicates(keep="last"),
}


@pytest.mark.parametrize("name", EQUAL_VALUES)
def test_missing_decimals_are_one_value(name):
    one = missing_decimal()
    s = pd.Series([decimal.Decimal(1), one, one] * 4, name="o")
    apart = pd.Series([decimal.Decimal(1), *(missing_decimal() for _ in range(2)), *([decimal.Decimal(1), missing_decimal(), missing_decimal()] * 3)], name="o")
    ask = EQUAL_VALUES[name]
    theirs = ask(s)
    for data in (s, apart):
        ours = ask(dd.from_pandas(data, npartitions=3)).compute()
        if name == "nunique":
            assert ours == theirs == 1
        else:
            theirs = pd.Series(theirs)
            assert list(map(str, ours)) == list(map(str, theirs)) and list(map(str, ours.index)) == list(map(str, theirs.index))


@pytest.mark.parametrize("make", [lambda i: np.arange(3), lambda i: pd.Series([i]), lambda i: pd.array([i])], ids=["numpy", "Series", "array"])
@pytest.mark.parametrize("name", EQUAL_VALUES)
def test_arrays_have_no_equal_values(name, make):
    one = make(0)
    held = np.empty(12, dtype=object)
    for i in range(12):
        held[i] = one if i % 2 else make(i)
    error = raised(lambda: EQUAL_VALUES[name](dd.from_pandas(pd.Series(held, name="o"), npartitions=3)).compute())
    assert type(error) is TypeError and "unhashable type: " in str(error), error


@pytest.mark.parametrize("name", ["drop_duplicates", "value_counts", "mode", "last"])
def test_lists_are_equal_by_their_items(name):
    s = pd.Series([[i % 2] for i in range(12)], name="o")
    ours, theirs = EQUAL_VALUES[name](dd.from_pandas(s, npartitions=3)).compute(), EQUAL_VALUES[name](s)
    assert list(ours) == list(theirs) and list(ours.index) == list(theirs.index)
