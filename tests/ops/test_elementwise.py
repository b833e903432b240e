"""Arithmetic, comparison, logic, missing values, casts: row by row, against pandas."""

import datetime
import operator

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

NUMBERS = ["i", "j", "u", "f", "g"]


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "mod", "floordiv"])
def test_arithmetic_between_columns(frames, op):
    pdf, df = frames
    f = getattr(operator, op)
    for a in NUMBERS:
        for b in NUMBERS:
            if op in ("floordiv", "mod") and b in ("j", "i", "u"):
                continue  # an integer zero somewhere: see test_integer_division
            same(f(df[a], df[b]), f(pdf[a], pdf[b]))


@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
@pytest.mark.parametrize("scalar", [2, 3.5, -7, True])
def test_arithmetic_with_scalars(frames, op, scalar):
    pdf, df = frames
    f = getattr(operator, op)
    for a in ["i", "f", "g"]:
        if op == "pow" and (scalar < 0 or a == "f" or scalar == 3.5):
            continue
        same(f(df[a], scalar), f(pdf[a], scalar))
        if op != "pow" and not (a == "i" and op in ("floordiv", "mod")):
            same(f(scalar, df[a]), f(scalar, pdf[a]))


def test_integer_division(frames):
    pdf, df = frames
    same(df.i // 7, pdf.i // 7)
    same(df.i % -7, pdf.i % -7)
    same(df.i // 0, pdf.i // 0)
    same(df.i // (df.u + 1), pdf.i // (pdf.u + 1))
    same(df.i % (df.u + 1), pdf.i % (pdf.u + 1))
    same(df.i // df.j, pdf.i // pdf.j)
    same(df.i.astype("float64") // df.j, pdf.i.astype("float64") // pdf.j)


DIVIDENDS = {
    "int64": [7, -7, 0, 5, 2**62 + 1, -3], "int8": [7, -7, 0, 5, 1, -3], "uint8": [7, 1, 0, 5, 2, 3], "uint64": [2**63 + 5, 1, 0, 5, 2, 3],
    "Int64": [7, None, 0, 5, 2, 3]
}
DIVISORS = {"int64": [0, 0, 0, 3, 3, -2], "int8": [0, 1, 2, 3, 3, -2], "uint8": [1, 1, 1, 3, 0, 2], "uint64": [2, 1, 3, 3, 3, 2]}


@pytest.mark.parametrize("op", [operator.floordiv, operator.mod])
@pytest.mark.parametrize("a", DIVIDENDS)
@pytest.mark.parametrize("b", DIVISORS)
def test_integers_divided_by_zero(op, a, b):
    pdf = pd.DataFrame({"a": pd.array(DIVIDENDS[a], dtype=a), "b": pd.array(DIVISORS[b], dtype=b)})
    for npartitions in (1, 3):
        df = dd.from_pandas(pdf, npartitions=npartitions)
        result = op(df.a, df.b)
        pd.testing.assert_series_equal(result.compute(), op(pdf.a, pdf.b))
        assert result.dtype == op(pdf.a, pdf.b).dtype  # once it was seen
        pd.testing.assert_series_equal(op(df.a, df.b)[df.b != 0].compute(), op(pdf.a, pdf.b)[pdf.b != 0])


@pytest.mark.parametrize("op", [operator.floordiv, operator.mod])
def test_frames_and_single_values_divided_by_zero(op, client):
    pdf = pd.DataFrame({"x": [1, 2, 0, 4], "y": [0, 1, 2, 0], "z": [3, 3, 3, 3]})
    df = dd.from_pandas(pdf, npartitions=2)
    pd.testing.assert_frame_equal(op(df, df.y.min()).compute(), op(pdf, pdf.y.min()))
    pd.testing.assert_frame_equal(op(df, df).compute(), op(pdf, pdf))  # z too: pandas computes columns of one dtype together
    mixed, ours = pdf.astype({"z": "int8"}), df.astype({"z": "int8"})
    pd.testing.assert_frame_equal(op(ours, ours).compute(), op(mixed, mixed))
    pd.testing.assert_series_equal(op(5, df.x).compute(), op(5, pdf.x))
    pd.testing.assert_series_equal(op(df.x, df.y).persist().compute(), op(pdf.x, pdf.y))
    pd.testing.assert_series_equal(op(df.z, df.x).compute(scheduler=client), op(pdf.z, pdf.x))


DIVISIONS = {
    "//": lambda d: d.i // d.j,
    "%": lambda d: d.i % d.j,
    "of 8 bits": lambda d: d.j // d.j,
    "unsigned": lambda d: d.u % d.u,
    "of a number": lambda d: 100 // d.j,
    "the rest of a number": lambda d: -7 % d.i,
    "frames": lambda d: d[["i", "u"]] // d[["i", "u"]],
    "two of them": lambda d: d.assign(a=d.i // d.j, b=d.i % d.u)[["a", "b", "i"]],
    "reduced": lambda d: (d.i % d.j).sum(),
    "by group": lambda d: d.assign(q=d.i % d.j).groupby("u").q.max(),
    "without zeros": lambda d: d[d.j != 0].i // d[d.j != 0].j,
    "under a mask": lambda d: d[d.i // d.j > 3].i,
    "of a result": lambda d: (d.i // d.j + d.i) % d.j,
    "rounded": lambda d: (d.i + 2**60) // d.j,
}


@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_zeros_in_a_column(frames, name):
    pdf, df = frames
    lazy = DIVISIONS[name](df)
    theirs = DIVISIONS[name](pdf)
    same(lazy.compute(), theirs)
    if isinstance(theirs, pd.Series):
        assert lazy.dtype == theirs.dtype  # known after a run


def test_a_zero_beside_missing_values(tmp_path):
    pdf = pd.DataFrame({"x": [7, 8, -9, 0], "y": pd.array([2, None, 0, 0], dtype="Int64")})
    pdf.iloc[:2].to_parquet(tmp_path / "0.parquet")
    pdf.iloc[2:].to_parquet(tmp_path / "1.parquet")
    df, whole = dd.read_parquet(tmp_path), pd.read_parquet(tmp_path)
    same((df.x // df.y).compute().reset_index(drop=True), (whole.x // whole.y).reset_index(drop=True))


def test_negative_integer_powers_are_refused(frames):
    _, df = frames
    with pytest.raises(ValueError, match="negative integer powers"):
        df.i**-1


@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparison(frames, op):
    pdf, df = frames
    f = getattr(operator, op)
    for a, value in [
        ("i", 3), ("i", 3.5), ("f", 0.0), ("b", True), ("s", "fig"), ("t", "x"), ("d", pd.Timestamp("2013-01-05")), ("d", "2013-01-05"),
        ("e", "2020-02-29 12:34:56")
    ]:
        same(f(df[a], value), f(pdf[a], value))
    for a, b in [("i", "f"), ("j", "u"), ("s", "t"), ("d", "e"), ("f", "g")]:
        same(f(df[a], df[b]), f(pdf[a], pdf[b]))


def test_text_never_equals_a_number(frames):
    pdf, df = frames
    same(df.s == 1, pdf.s == 1)
    same(df.s != 1, pdf.s != 1)
    with pytest.raises(TypeError):
        _ = df.s < 1


def test_logic(frames):
    pdf, df = frames
    same((df.i > 0) & df.b, (pdf.i > 0) & pdf.b)
    same((df.i > 0) | df.b, (pdf.i > 0) | pdf.b)
    same((df.i > 0) ^ df.b, (pdf.i > 0) ^ pdf.b)
    same(~df.b, ~pdf.b)
    same(True & df.b, True & pdf.b)
    with pytest.raises(TypeError):
        df.f & df.b


def test_unary(frames):
    pdf, df = frames
    for c in ["i", "j", "f", "g"]:
        same(-df[c], -pdf[c])
        same(abs(df[c]), abs(pdf[c]))
    with pytest.raises(TypeError):
        -df.s
    same(-df.b, -pdf.b)


def test_text_addition(frames):
    pdf, df = frames
    same(df.s + "!", pdf.s + "!")
    same(df.s + df.t, pdf.s + pdf.t)
    same("<" + df.t, "<" + pdf.t)


def test_times(frames):
    pdf, df = frames
    same(df.d - df.e, pdf.d - pdf.e)
    same((df.d - df.e) == (df.d - df.e), (pdf.d - pdf.e) == (pdf.d - pdf.e))
    for field in ["year", "month", "day", "hour", "dayofweek", "weekday", "day_of_week"]:
        same(getattr(df.d.dt, field), getattr(pdf.d.dt, field))
        same(getattr(df.e.dt, field), getattr(pdf.e.dt, field))
    with pytest.raises(AttributeError, match="dt accessor"):
        df.i.dt.year


def test_calendar_over_centuries():
    s = pd.Series(pd.date_range("1700-01-01", "2250-01-01", freq="37D")).astype("datetime64[us]")
    lazy = dd.from_pandas(s, npartitions=3)
    for field in ["year", "month", "day", "dayofweek"]:
        same(getattr(lazy.dt, field), getattr(s.dt, field))


def test_missing(frames):
    pdf, df = frames
    same(df.isna(), pdf.isna())
    same(df.notnull(), pdf.notnull())
    same(df.f.isnull(), pdf.f.isnull())
    same(df.dropna(), pdf.dropna())
    same(df.dropna(how="all"), pdf.dropna(how="all"))
    same(df.dropna(subset=["f"]), pdf.dropna(subset=["f"]))
    same(df.dropna(subset=["f", "t"], how="all"), pdf.dropna(subset=["f", "t"], how="all"))
    same(df.dropna(thresh=9), pdf.dropna(thresh=9))
    same(df.f.dropna(), pdf.f.dropna())
    with pytest.raises(KeyError, match="nope"):
        df.dropna(subset=["nope"])
    with pytest.raises(TypeError):
        df.dropna(how="any", thresh=1)


def test_fillna(frames):
    pdf, df = frames
    same(df.f.fillna(0), pdf.f.fillna(0))
    same(df.t.fillna("none"), pdf.t.fillna("none"))
    same(df.e.fillna(pd.Timestamp("2000-01-01")), pdf.e.fillna(pd.Timestamp("2000-01-01")))
    same(df[["f", "t"]].fillna({"f": 1.5, "t": "?"}), pdf[["f", "t"]].fillna({"f": 1.5, "t": "?"}))
    same(df.i.fillna(1), pdf.i.fillna(1))
    with pytest.raises(TypeError):
        df.t.fillna(1)
    with pytest.raises(ValueError):
        df.f.fillna()
    same(df[["f", "s", "d"]].fillna(0), pdf[["f", "s", "d"]].fillna(0))  # no text and no time is missing
    for column in ("t", "e"):
        with pytest.raises(TypeError, match=f"column '{column}'"):
            df[["f", column]].fillna(0).compute()


def test_isin(frames):
    pdf, df = frames
    for c, values in [
        ("i", [1, 2, 3]), ("i", [1.0, 2.5, "x"]), ("f", [np.nan]), ("s", ["fig", ""]), ("t", ["x", None]), ("b", [True]), ("d", [pdf.d[0], pdf.d[5]]), ("s", [])
    ]:
        same(df[c].isin(values), pdf[c].isin(values))
    same(df[["i", "s"]].isin([1, "fig"]), pdf[["i", "s"]].isin([1, "fig"]))
    same(df[["i", "s"]].isin({"i": [1]}), pdf[["i", "s"]].isin({"i": [1]}))
    with pytest.raises(TypeError):
        df.i.isin(3)


def test_between(frames):
    pdf, df = frames
    for inclusive in ["both", "neither", "left", "right"]:
        same(df.i.between(-5, 7, inclusive=inclusive), pdf.i.between(-5, 7, inclusive=inclusive))


@pytest.mark.parametrize("dtype", [object, "object", "O", np.object_, np.dtype("O")], ids=str)
def test_astype_of_objects(frames, dtype):
    """Objects that are all texts stay objects, with what is missing in them, beside columns of other dtypes."""
    pdf, df = frames
    pdf = pdf.assign(c=pdf.s.astype("category"))
    df = df.assign(c=df.s.astype("category"))
    for column in "istdc":
        made = df[column].astype(dtype)
        assert made.dtype == object
        same(made, pdf[column].astype(dtype))
    same(df.astype(dtype), pdf.astype(dtype))
    same(df.astype({"t": dtype, "i": "float32", "c": "str"}), pdf.astype({"t": dtype, "i": "float32", "c": "str"}))
    texts = df.t.astype(dtype)
    same(texts.fillna(0), pdf.t.astype(dtype).fillna(0))
    same(texts + "!", pdf.t.astype(dtype) + "!")
    same(texts.astype("str"), pdf.t)


def test_astype(frames):
    pdf, df = frames
    for c, dtype in [
        ("i", float), ("i", "int8"), ("i", bool), ("b", int), ("f", "float32"), ("j", "int64"), ("u", str), ("i", "str"), ("b", "str"), ("d", "datetime64[ns]"),
        ("e", "datetime64[s]"), ("d", "int64")
    ]:
        same(df[c].astype(dtype), pdf[c].astype(dtype))
    same(df.astype({"i": "float64", "b": "int64"}), pdf.astype({"i": "float64", "b": "int64"}))
    same(dd.from_pandas(pd.Series(["1", "-2", "30"]), npartitions=2).astype(int), pd.Series(["1", "-2", "30"]).astype(int))
    with pytest.raises(KeyError, match="nope"):
        df.astype({"nope": int})
    with pytest.raises(TypeError):
        df.i.astype("no such dtype")
    with pytest.raises(ValueError, match="NA or inf"):
        df.f.astype(int).compute()
    with pytest.raises(ValueError, match="fig"):
        df.s[df.s == "fig"].astype(float).compute()


def test_different_rows_are_aligned(frames):
    pdf, df = frames
    same(df.i + df[df.b].i, pdf.i + pdf[pdf.b].i)
    with pytest.raises(pd.errors.IndexingError, match="Unalignable"):
        df[df[df.b].i > 0].compute()


def test_scalars_are_broadcast(frames):
    pdf, df = frames
    same(df.i - df.i.mean(), pdf.i - pdf.i.mean())
    same(df[df.f > df.f.mean()], pdf[pdf.f > pdf.f.mean()])
    same((df.f - df.f.mean()) / df.f.std(), (pdf.f - pdf.f.mean()) / pdf.f.std())
    same(df.i.sum() - df.i, pdf.i.sum() - pdf.i)
    same(df.i.max() - df.i.min(), pdf.i.max() - pdf.i.min())
    numbers = ["i", "u", "f"]
    same(df[numbers] - df[numbers].mean(), pdf[numbers] - pdf[numbers].mean())
    same(df[numbers] * 2 + 1, pdf[numbers] * 2 + 1)
    same(df[numbers] + df[numbers], pdf[numbers] + pdf[numbers])


def test_narrow_integers_wrap_as_in_numpy():
    s = pd.Series([100, 120, -128], dtype="int8")
    same(dd.from_pandas(s, npartitions=2) + 100, s + 100)
    same(dd.from_pandas(s, npartitions=2) * s.dtype.type(2), s * s.dtype.type(2))


def test_unsupported_operand_names_its_type(frames):
    _, df = frames
    with pytest.raises(TypeError):
        df.i + [1, 2]
    with pytest.raises(TypeError, match="list"):
        df.i.add([1, 2])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(df.b)


def test_numpy_functions(frames):
    pdf, df = frames
    same(np.int64(3) + df.i, np.int64(3) + pdf.i)
    same(np.add(df.i, 2), pdf.i + 2)
    same(np.float64(100) > df.i, np.float64(100) > pdf.i)
    same(np.sqrt(df.u), np.sqrt(pdf.u))
    for other in (np.arange(len(pdf)), pdf.i):
        same(df.i + other, pdf.i + other)


def test_assignment_of_lists_is_refused(frames):
    _, df = frames
    with pytest.raises(TypeError, match="list"):
        df["z"] = [1, 2]
    assert list(dd.from_dict({"x": [1, 2, 3]}, npartitions=2).x) == [1, 2, 3]


@pytest.mark.parametrize("span", [pd.Timedelta("2h"), datetime.timedelta(hours=2), np.timedelta64(2, "h")], ids=lambda span: type(span).__name__)
def test_gaps_filled_with_spans_of_time(span):
    pdf = pd.DataFrame({"d": pd.to_timedelta([1, None, 3, 4], unit="h"), "x": [1.0, np.nan, 3.0, 4.0]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (lambda d: d.d.fillna(span), lambda d: d.fillna({"d": span}), lambda d: d.fillna({"d": span, "x": 0.0}), lambda d: d.d.fillna(span).sum()):
        same(operation(df), operation(pdf))
    with pytest.raises(TypeError):
        df.x.fillna("x")


@pytest.mark.parametrize("dtype", ["string", pd.StringDtype(), {"x": "string", "s": "str"}], ids=str)
def test_text_that_misses_as_pandas_na(dtype):
    pdf = pd.DataFrame({"x": [1, 2, 3], "s": ["a", None, "c"]})
    df = dd.from_pandas(pdf, npartitions=2)
    same(df.astype(dtype), pdf.astype(dtype))
    if not isinstance(dtype, dict):
        assert df.s.astype(dtype).dtype == pdf.s.astype(dtype).dtype
        same(df.s.astype(dtype).isna(), pdf.s.isna())
