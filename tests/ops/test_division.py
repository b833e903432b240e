"""Arithmetic over all pairs of dtypes, as operators and as methods: by zero, of negative and missing numbers, of scalars."""

import operator

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd

OPERATORS = "add sub mul truediv floordiv mod pow".split()
COLUMNS = {
    "int64": pd.Series([7, -7, 0, 5, -5, 0]),
    "int32": pd.Series([2, 3, -2, 0, 1, -1], dtype="int32"),
    "int8": pd.Series([100, -100, 0, 3, -128, 127], dtype="int8"),
    "uint8": pd.Series([0, 255, 3, 7, 1, 2], dtype="uint8"),
    "uint64": pd.Series([0, 2**63, 3, 7, 1, 2], dtype="uint64"),
    "float64": pd.Series([1.5, -1.5, 0.0, np.nan, np.inf, -0.0]),
    "float32": pd.Series([1.5, -1.5, 0.0, np.nan, np.inf, -0.0], dtype="float32"),
    "bool": pd.Series([True, False, True, False, True, True]),
}
SCALARS = [0, 2, -3, 1.5, 0.0, -2.0, True, False, np.int8(3), np.float32(2.5), np.float64(0), np.nan, np.inf]


def outcome(call, *args):
    try:
        with np.errstate(all="ignore"):
            return call(*args)
    except Exception as error:
        return error


def check(calls, pdf, df):
    """Compare what calls make of both frames; all that is lazy is computed at once."""
    wanted = []
    for call in calls:
        theirs, ours = outcome(call, pdf), outcome(call, df)
        if isinstance(theirs, Exception):  # at the call, or where the numbers are looked at
            refused = ours if isinstance(ours, Exception) else outcome(muster.compute, ours)
            assert type(refused) is type(theirs), (call.what, theirs, refused)
            continue
        assert not isinstance(ours, Exception), (call.what, ours)
        wanted.append((call, theirs, ours))
    for (call, theirs, _), ours in zip(wanted, muster.compute(*[ours for _, _, ours in wanted]), strict=True):
        for a, b in zip(*[x if isinstance(x, tuple) else (x,) for x in (ours, theirs)], strict=True):
            pd.testing.assert_series_equal(a, b, check_exact=True, obj=str(call.what))


def call_of(*what):
    kind, op, *other = what

    def call(frame):
        value = other[0] if other else frame.b
        if kind == "method":
            return getattr(frame.a, op)(value)
        function = divmod if op == "divmod" else getattr(operator, op)
        return function(frame.a, value) if kind == "operator" else function(value, frame.a)

    call.what = what
    return call


@pytest.mark.parametrize("a", COLUMNS)
@pytest.mark.filterwarnings("ignore")
def test_columns_by_columns(a):
    for b in COLUMNS:
        pdf = pd.DataFrame({"a": COLUMNS[a], "b": COLUMNS[b]})
        calls = [call_of("operator", op) for op in OPERATORS] + [call_of("method", r + op) for op in OPERATORS for r in ("", "r")]
        calls += [call_of("operator", "divmod"), call_of("method", "divmod"), call_of("method", "rdivmod")]
        check(calls, pdf, dd.from_pandas(pdf, npartitions=3))


@pytest.mark.parametrize("a", COLUMNS)
@pytest.mark.filterwarnings("ignore")
def test_columns_by_scalars(a):
    pdf = pd.DataFrame({"a": COLUMNS[a]})
    for value in SCALARS:
        calls = [call_of(kind, op, value) for op in [*OPERATORS, "divmod"] for kind in ("operator", "mirrored")]
        calls += [call_of("method", r + op, value) for op in [*OPERATORS, "divmod"] for r in ("", "r")]
        check(calls, pdf, dd.from_pandas(pdf, npartitions=3))


def test_filled_methods():
    pdf = pd.DataFrame({"a": COLUMNS["float64"], "b": pd.Series([0, 1, 2, 3, np.nan, np.nan])})
    df = dd.from_pandas(pdf, npartitions=2)
    for op in OPERATORS:
        for r in ("", "r"):
            with np.errstate(all="ignore"):
                expected = getattr(pdf.a, r + op)(pdf.b, fill_value=2)
            pd.testing.assert_series_equal(getattr(df.a, r + op)(df.b, fill_value=2).compute(), expected)
    for ours, theirs in zip(df.a.divmod(df.b, fill_value=2), pdf.a.divmod(pdf.b, fill_value=2), strict=True):
        pd.testing.assert_series_equal(ours.compute(), theirs)


def test_a_zero_in_one_partition_widens_all():
    pdf = pd.DataFrame({"a": np.arange(1, 51, dtype="float32"), "b": np.r_[np.ones(49), 0].astype("float32")})
    for n in (1, 7, 50):
        df = dd.from_pandas(pdf, npartitions=n)
        pd.testing.assert_series_equal((df.a // df.b).compute(), pdf.a // pdf.b)
        pd.testing.assert_series_equal(df.a.floordiv(df.b).compute(), pdf.a.floordiv(pdf.b))
        pd.testing.assert_series_equal((df.a // df.b)[df.b > 0].compute(), (pdf.a // pdf.b)[pdf.b > 0])
        pd.testing.assert_frame_equal((df // df).compute(), pdf // pdf)


def test_frames():
    pdf = pd.DataFrame({"i": [7, -7, 0], "f": [1.5, 0.0, np.nan]})
    df = dd.from_pandas(pdf, npartitions=2)
    for ours, theirs in zip(divmod(df, 2) + divmod(2, df), divmod(pdf, 2) + divmod(2, pdf), strict=True):
        pd.testing.assert_frame_equal(ours.compute(), theirs)
