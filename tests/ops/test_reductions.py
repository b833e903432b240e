"""Reductions, counts and the largest rows, against pandas."""

import warnings

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import raised, same

NUMBERS = ["i", "j", "u", "f", "g", "b"]


@pytest.mark.parametrize("name", ["sum", "mean", "std", "var", "min", "max", "count", "nunique", "any", "all", "prod"])
def test_series_reductions(frames, name):
    pdf, df = frames
    for c in NUMBERS:
        if name == "prod" and c != "g":
            continue
        ours, theirs = getattr(df[c], name)().compute(), getattr(pdf[c], name)()
        if c == "g" and name in ("sum", "mean", "std", "var", "prod"):
            assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)  # pandas adds float32 in float32
        else:
            same(ours, theirs.item() if hasattr(theirs, "item") else theirs)
    if name in ("min", "max", "count", "nunique"):
        for c in ["s", "t", "d", "e"]:
            if c == "t" and name in ("min", "max"):
                same(getattr(df[c].dropna(), name)(), getattr(pdf[c].dropna(), name)())
            else:
                same(getattr(df[c], name)(), getattr(pdf[c], name)())


def test_frame_reductions(frames):
    pdf, df = frames
    for name in ["sum", "mean", "std", "var", "min", "max"]:
        same(getattr(df[["i", "u", "f"]], name)(), getattr(pdf[["i", "u", "f"]], name)())
        same(
            getattr(df.drop(columns=["g"]), name)(numeric_only=True), getattr(pdf.drop(columns=["g"]), name)(numeric_only=True),
            check_dtype=name not in ("min", "max")
        )
    same(df.count(), pdf.count())
    same(df.nunique(), pdf.nunique())
    same(df[["i", "b"]].any(), pdf[["i", "b"]].any())
    same(df[["i", "b"]].all(), pdf[["i", "b"]].all())
    same(df[["i", "f"]].mean() * 2, pdf[["i", "f"]].mean() * 2)
    same(df[["i", "f"]].mean()["f"], pdf[["i", "f"]].mean()["f"])


def test_options(frames):
    pdf, df = frames
    same(df.f.sum(skipna=False), pdf.f.sum(skipna=False))
    same(df.f.min(skipna=False), pdf.f.min(skipna=False))
    same(df.f.std(ddof=0), pdf.f.std(ddof=0))
    same(df.f.sum(min_count=10**6), pdf.f.sum(min_count=10**6))
    same(df.t.nunique(dropna=False), pdf.t.nunique(dropna=False))
    same(df[["i", "f"]].sum(axis=1), pdf[["i", "f"]].sum(axis=1))
    same(df.d.std(), pdf.d.std())


def test_wrong_dtypes_are_refused_at_the_call(frames):
    _, df = frames
    with pytest.raises(TypeError, match="'std'"):
        df.s.std()
    with pytest.raises(TypeError):
        df.mean()


def test_variance_is_right_far_from_zero():
    s = pd.Series(np.random.default_rng(1).normal(size=10_000) + 1e9)
    for n in (1, 3, 128):
        lazy = dd.from_pandas(s, npartitions=n)
        assert lazy.var().compute() == pytest.approx(s.var(), rel=1e-9)
        assert lazy.std().compute() == pytest.approx(s.std(), rel=1e-9)


def test_sums_keep_small_values():
    import math

    values = np.array([1e16, 1.0, -1e16] * 1000)
    assert dd.from_pandas(pd.Series(values), npartitions=7).sum().compute() == math.fsum(values)


def test_integer_sums_wrap_as_in_numpy():
    s = pd.Series([2**62, 2**62, 2**62, 5])
    same(dd.from_pandas(s, npartitions=2).sum(), s.sum())
    u = pd.Series([2**64 - 1, 3], dtype="uint64")
    assert dd.from_pandas(u, npartitions=2).max().compute() == 2**64 - 1


def test_empty_and_all_missing():
    for s in [pd.Series([], dtype="float64"), pd.Series([np.nan, np.nan]), pd.Series([], dtype="int64")]:
        lazy = dd.from_pandas(s, npartitions=2)
        for name in ["sum", "mean", "std", "min", "max", "count", "nunique", "any", "all"]:
            same(getattr(lazy, name)(), getattr(s, name)())
        assert len(lazy) == len(s)


def test_infinities():
    s = pd.Series([1.0, np.inf, 2.0])
    assert dd.from_pandas(s, npartitions=2).sum().compute() == np.inf
    s = pd.Series([1.0, np.inf, -np.inf])
    assert np.isnan(dd.from_pandas(s, npartitions=2).sum().compute())


def test_len_size_shape(frames):
    pdf, df = frames
    assert len(df) == len(pdf) and len(df[df.b]) == pdf.b.sum()
    assert df.size.compute() == pdf.size and df.i.size.compute() == len(pdf)
    assert df.shape[0].compute() == len(pdf) and df.shape[1] == pdf.shape[1]


def test_value_counts(frames):
    pdf, df = frames
    for c in ["i", "j", "s", "t", "b", "f"]:
        same(df[c].value_counts(), pdf[c].value_counts())
    same(df.t.value_counts(dropna=False), pdf.t.value_counts(dropna=False))
    same(df.i.value_counts(ascending=True), pdf.i.value_counts(ascending=True))
    same(df.i.value_counts(sort=False), pdf.i.value_counts(sort=False))
    same(df.s.value_counts(normalize=True), pdf.s.value_counts(normalize=True))


@pytest.mark.parametrize("name", ["nlargest", "nsmallest"])
def test_nlargest(frames, name):
    pdf, df = frames
    for n in [0, 1, 5, 259, 260, 1000]:
        for keep in ["first", "last", "all"]:
            same(getattr(df.i, name)(n, keep=keep), getattr(pdf.i, name)(n, keep=keep))
            same(getattr(df, name)(n, "j", keep=keep), getattr(pdf, name)(n, "j", keep=keep))
        same(getattr(df, name)(n, ["j", "i"]), getattr(pdf, name)(n, ["j", "i"]))
        same(getattr(df.d, name)(n), getattr(pdf.d, name)(n))
    with pytest.raises(KeyError, match="nlargest|nsmallest"):
        getattr(df, name)(3, "nope")
    with pytest.raises(TypeError):
        getattr(df, name)(3, "s")
    with pytest.raises(ValueError, match="keep"):
        df.i.nlargest(3, keep="middle")


def test_nlargest_with_missing(frames):
    pdf, df = frames
    for n in (3, 200, 300):
        same(df.f.nlargest(n), pdf.f.nlargest(n))


def test_head_and_tail(frames):
    pdf, df = frames
    size, end = (len(df.get_partition(p).compute()) for p in (0, df.npartitions - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(df.head(3), pdf.iloc[: min(3, size)])
        same(df.head(300, npartitions=-1), pdf)
        same(df.head(10, npartitions=-1), pdf.head(10))
        same(df.i.head(2), pdf.i.iloc[: min(2, size)])
        same(df.head(2, compute=False), pdf.iloc[: min(2, size)])
    last = pdf.tail(end)
    same(df.tail(3), last.tail(3))
    same(df.i.tail(1), last.i.tail(1))


def test_head_warns():
    df = dd.from_pandas(pd.DataFrame({"x": range(10)}), npartitions=5)
    with pytest.warns(UserWarning, match="npartitions"):
        assert len(df.head(5)) == 2


def test_several_at_once(frames):
    pdf, df = frames
    a, b, c = muster.compute(df.i.sum(), {"m": [df.f.mean(), 7]}, df[df.b])
    same(a, pdf.i.sum())
    same(b["m"][0], pdf.f.mean())
    assert b["m"][1] == 7
    same(c, pdf[pdf.b])


@pytest.mark.parametrize("npartitions", [1, 2])
def test_errors_of_dtypes_name_the_column(npartitions):
    pdf = pd.DataFrame({"n": [1, 2, 3], "f": [1.5, None, 2.5], "t": ["a", "b", None]})
    df = dd.from_pandas(pdf, npartitions=npartitions)
    for call in (
        lambda x: x.t.quantile(0.5), lambda x: x.quantile(0.5), lambda x: x[["n", "t"]].quantile([0.1, 0.5]), lambda x: x.t.median(), lambda x: x.median(),
        lambda x: x.t.std(), lambda x: x.t.diff(), lambda x: x.t.abs()
    ):
        theirs, ours = raised(lambda call=call: call(pdf)), raised(lambda call=call: call(df).compute())
        assert type(ours) is type(theirs) and "'t'" in str(ours), ours
    for call in (lambda x: x.set_index("typo"), lambda x: x["typo"], lambda x: x.groupby("typo").n.sum(), lambda x: x.nlargest(1, "typo")):
        assert type(raised(lambda call=call: call(df))) is KeyError and "'typo'" in str(raised(lambda call=call: call(df)))
    for call in (lambda x: x.f.fillna("x"), lambda x: x.fillna("x"), lambda x: x.fillna({"f": "x"})):  # pandas announces that it will raise
        with pytest.raises(TypeError, match="'x' does not fit column 'f' of dtype float64"):
            call(df)
    with pytest.raises(TypeError, match="dtype 'str' of column 't'"):
        df.t.fillna(1)
    same(df.n.fillna("x"), pdf.n.fillna("x"))
    same(df[["n", "t"]].fillna("x"), pdf[["n", "t"]].fillna("x"))


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int32", "uint64", "datetime64[us]", "ends", "zeros"])
@pytest.mark.parametrize("npartitions", [1, 7])
def test_quantiles_of_many_values(kind, npartitions):
    """More different values than are counted."""
    random = np.random.default_rng(0)
    n = 100_001
    if kind == "ends":
        values = np.concatenate([random.normal(0, 1, n), [np.inf, np.finfo("float64").max, -np.finfo("float64").max], np.full(50, np.nan)])
    elif kind == "zeros":
        values = np.concatenate([random.normal(0, 1e-300, n // 2), np.zeros(n), -np.zeros(n)])
    elif kind.startswith("float"):
        values = np.where(random.random(n) < 0.1, np.nan, random.normal(-5, 1e3, n)).astype(kind)
    else:
        values = random.integers(0, 2**63 if kind == "uint64" else 2**31, n).astype(kind if kind[0] != "d" else "int64") - (0 if kind == "uint64" else 10**9)
    s = pd.Series(values.astype(kind) if kind.startswith(("uint", "int", "date")) else values, name="s")
    df = dd.from_pandas(s, npartitions=npartitions)
    for q in ([0.0, 0.001, 0.25, 0.5], [0.5], [0.9, 0.1, 0.1, 0.75]):
        pd.testing.assert_series_equal(df.quantile(q).compute(), s.quantile(q), rtol=1e-6 if kind == "float32" else 1e-12)
    if not kind.startswith("date"):
        assert df.median().compute() == pytest.approx(s.median(), rel=1e-6 if kind == "float32" else 1e-12)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummin", "cummax"])
@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
def test_running_from_the_first_value_on(name, npartitions):
    nan, inf = np.nan, np.inf
    columns = ([nan, -0.0, nan, -0.0, 0.0, nan], [nan, nan], [inf, 1.0, -inf, nan, 2.0], [-1.5, nan, 2.5, -0.0], [])
    for values in columns:
        for dtype in ("float64", "float32"):
            s = pd.Series(values, dtype=dtype)
            ours, theirs = getattr(dd.from_pandas(s, npartitions=npartitions), name)().compute(), getattr(s, name)()
            pd.testing.assert_series_equal(ours, theirs)
    for dtype, values in (("int8", [-128, 127, 5]), ("uint64", [2**64 - 1, 1, 3]), ("int64", [-(2**63), -1, 2**63 - 1]), ("bool", [True, False, True])):
        s = pd.Series(values, dtype=dtype)
        pd.testing.assert_series_equal(getattr(dd.from_pandas(s, npartitions=npartitions), name)().compute(), getattr(s, name)())


@pytest.mark.parametrize("dtype", ["Int64", "Int8", "Float64", "boolean", "string", "int64[pyarrow]", "double[pyarrow]"])
@pytest.mark.parametrize("npartitions", [1, 2, 3])
def test_nullable_columns_have_NA_for_what_is_not_there(dtype, npartitions):
    text = dtype == "string"
    for values in ([None, None, None], [None, None, "a" if text else 1], ["b" if text else 1, None, "a" if text else 0]):
        s = pd.Series(values, dtype=dtype, name="x")
        lazy = dd.from_pandas(s, npartitions=npartitions)
        for name in "min max sum".split() if text else "min max sum prod mean std var sem skew kurt median any all count".split():
            for options in ({}, {"skipna": False}, {"min_count": 2}):
                if options and (name in ("count", "median") or ("min_count" in options) != (name in ("sum", "prod")) or (name, dtype) == ("sum", "string")):
                    continue
                theirs, ours = getattr(s, name)(**options), getattr(lazy, name)(**options).compute()
                assert (ours is pd.NA) if theirs is pd.NA else ours == theirs, (name, options, values)


def test_nullable_frames_and_their_reductions():
    pdf = pd.DataFrame(
        {
            "i": pd.array([1, None, 3, 4], dtype="Int64"), "f": pd.array([1.5, None, None, 2], dtype="Float64"), "n": [1.0, 2, 3, 4],
            "none": pd.array([None] * 4, dtype="Int64")
        }
    )
    for n in (1, 3):
        df = dd.from_pandas(pdf, npartitions=n)
        for name in "sum prod mean std var min max".split():
            same(getattr(df, name)(), getattr(pdf, name)())
        same(df - df.min(), pdf - pdf.min())
        same((df - df.mean()) / df.std(), (pdf - pdf.mean()) / pdf.std())
        same(df.max() - df.min(), pdf.max() - pdf.min())
        same(df.i - df.i.min(), pdf.i - pdf.i.min())
        same(df.i.max() - df.n, pdf.i.max() - pdf.n)
        same(df[df.i > df.i.mean()], pdf[pdf.i > pdf.i.mean()])
        assert df.min()["none"].compute() is pd.NA
        assert (df.none.max() + 1).compute() is pd.NA and (-df.i.max()).compute() == -4 and (1 - df.i.max()).compute() == -3
        assert (df.i.sum() / df.i.count()).compute() == pdf.i.mean() and (df.i.max() > df.f.max()).compute()


def test_integers_are_numpy_s():
    s = pd.Series([1, 2])
    assert (
        isinstance(dd.from_pandas(s, npartitions=2).sum().compute(), np.int64)
        and np.issubdtype((dd.from_pandas(s, npartitions=2) + 1).compute().dtype, np.int64)
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_quantiles_of_times_are_pandas(unit):
    random = np.random.default_rng(0)
    for kind in ("datetime64", "timedelta64"):
        for n in (1, 2, 5, 6, 9):
            values = random.integers(10**9, 2 * 10**9, n) * {
                "s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9
            }[unit] + random.integers(0, 10**9 if unit == "ns" else 1000, n)
            s = pd.Series((values if kind == "datetime64" else values - values[0]).astype(f"{kind}[{unit}]"), name="t")
            lazy = dd.from_pandas(s, npartitions=min(2, n))
            same(lazy.quantile([0, 0.1, 1 / 3, 0.5, 0.75, 1]), s.quantile([0, 0.1, 1 / 3, 0.5, 0.75, 1]))
            assert lazy.median().compute() == s.median()


def test_quantiles_keep_each_column_s_dtype():
    pdf = pd.DataFrame({"g": np.array([1.5, 2.25, np.nan, 7], dtype="float32"), "f": [1.0, 2, 3, 4], "i": [1, 2, 3, 4]})
    df = dd.from_pandas(pdf, npartitions=2)
    same(df.quantile([0.1, 0.5]), pdf.quantile([0.1, 0.5]))
    same(df.quantile(0.3), pdf.quantile(0.3))
    same(df[["g"]].quantile(0.3), pdf[["g"]].quantile(0.3))


def test_dot():
    pdf = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [1.5, 2, 3, 4, 5], "c": [1, 1, 1, 1, 1]})
    df = dd.from_pandas(pdf, npartitions=3)
    for other in (
        lambda d: d.b, lambda d: d[["a", "b"]], lambda d: np.arange(5), lambda d: [1, 2, 3, 4, 5] if d is pdf else np.array([1, 2, 3, 4, 5]), lambda d: pdf.b
    ):
        same(df.a.dot(other(df)), pdf.a.dot(other(pdf)))
    for wrong in (3, "x", None, [1, 2]):
        theirs = raised(lambda wrong=wrong: pdf.a.dot(wrong))
        ours = raised(lambda wrong=wrong: df.a.dot(wrong).compute())
        assert type(ours) is type(theirs), (wrong, ours)
