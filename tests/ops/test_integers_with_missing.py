"""Integer columns in which values are missing are floats for whatever is computed with them, from the first row on, as in pandas."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

DTYPES = ["uint8", "int8", "int32", "int64", "uint64"]
COMPUTED = {
    "sub": lambda b: b - 7, "add": lambda b: b + 100, "rsub": lambda b: 1 - b, "neg": lambda b: -b, "mul": lambda b: b * 10, "pow": lambda b: b**2,
    "own": lambda b: b - b * 2, "floordiv": lambda b: b // 3, "mod": lambda b: b % 7, "div": lambda b: b / 3, "abs": lambda b: (b - 50).abs(),
    "diff": lambda b: b.diff(), "cumsum": lambda b: b.cumsum(), "clip": lambda b: b.clip(2, 50) * 9, "sum": lambda b: (b * 9).sum(),
    "text": lambda b: b.astype(str),
    "filled text": lambda b: b.fillna(0).astype(str), "filled": lambda b: b.fillna(0) * 7, "closed": lambda b: b.fillna(0).astype(int),
    "narrow": lambda b: b.fillna(1).astype("int16") * 30, "dropped": lambda b: b.dropna().astype("int64"), "shift": lambda b: b.shift() * 3,
    "filter": lambda b: b[b * 10 > 150], "mean": lambda b: (b * 3).mean(), "more missing": lambda b: b.where(b > 3) * 40,
}  # fmt: skip


def frame(dtype):
    return pd.DataFrame({"k": range(6), "b": np.array([100, 3, 0, 7, 9, 11], dtype)})




@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("name", COMPUTED)
def test_where(dtype, npartitions, name):
    pdf = frame(dtype)
    df = dd.from_pandas(pdf, npartitions=npartitions)
    same(COMPUTED[name](df.b.where(df.k > 1)), COMPUTED[name](pdf.b.where(pdf.k > 1)))
    same(COMPUTED[name](df.b.mask(df.k > 100)), COMPUTED[name](pdf.b.mask(pdf.k > 100)))  # nothing is missing


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", ["left", "right", "inner"])
@pytest.mark.parametrize("name", COMPUTED)
def test_merge(dtype, how, name):
    wide, narrow = pd.DataFrame({"k": [1, 2, 3, 4]}), pd.DataFrame({"k": [1, 2], "b": np.array([100, 3], dtype)})
    left, right = (narrow, wide) if how == "right" else (wide, narrow)
    ours = dd.from_pandas(left, npartitions=2).merge(dd.from_pandas(right, npartitions=1), on="k", how=how)
    theirs = left.merge(right, on="k", how=how)
    assert set(ours.columns) == set(theirs.columns)
    result, expected = COMPUTED[name](ours.b), COMPUTED[name](theirs.b)
    if isinstance(expected, pd.Series):
        result, expected = result.compute().reset_index(drop=True), expected.reset_index(drop=True)
    same(result, expected)


def test_a_cast_to_integers_of_what_is_missing_fails():
    df = dd.from_pandas(frame("int32"), npartitions=2)
    for cast in ("int32", "int64", int):
        with pytest.raises(pd.errors.IntCastingNaNError):
            df.b.where(df.k > 1).astype(cast).compute()
    assert df.b.where(df.k > -1).astype("int32").compute().dtype == "int32"


def test_in_a_file(tmp_path):
    rows = 3000
    values = np.arange(rows)
    (tmp_path / "a.csv").write_text("a\n" + "\n".join("" if v == rows - 2 else str(v) for v in values) + "\n")
    df, pdf = dd.read_csv(tmp_path / "a.csv", blocksize=2000, sample=500), pd.read_csv(tmp_path / "a.csv")
    same(df.a.astype(str).reset_index(drop=True), pdf.a.astype(str))
    same((df.a * 2**60).sum(), (pdf.a * 2**60).sum())


def test_what_was_learnt_is_remembered():
    pdf = frame("uint8")
    df = dd.from_pandas(pdf, npartitions=3)
    kept = df.b.where(df.k > 1)
    for _ in range(3):
        same(kept * 5, pdf.b.where(pdf.k > 1) * 5)
        same(kept, pdf.b.where(pdf.k > 1))


BEYOND = {
    "product": lambda b: b * 10**18, "sum": lambda b: b + 10**10, "less": lambda b: b - 10**18, "from the other side": lambda b: 10**18 - b,
    "quotient": lambda b: b // 10**10, "remainder": lambda b: b % 10**10, "negative power": lambda b: b**-1, "second power": lambda b: b**-2,
    "negative": lambda b: b * -3, "compared": lambda b: b < 10**18, "shares": lambda b: b / 10**18,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
@pytest.mark.parametrize("name", BEYOND)
def test_numbers_that_the_dtype_cannot_hold(dtype, name):
    pdf = frame(dtype)
    df = dd.from_pandas(pdf, npartitions=3)
    same(BEYOND[name](df.b.where(df.k > 1)), BEYOND[name](pdf.b.where(pdf.k > 1)))
    wide, narrow = pd.DataFrame({"k": [1, 2, 3, 4]}), pd.DataFrame({"k": [1, 2], "b": np.array([100, 3], dtype)})
    ours = dd.from_pandas(wide, npartitions=2).merge(dd.from_pandas(narrow, npartitions=1), on="k", how="left")
    same(BEYOND[name](ours.b), BEYOND[name](wide.merge(narrow, on="k", how="left").b))


@pytest.mark.parametrize("name", ["product", "negative power"])
def test_a_column_that_misses_nothing_is_refused_at_the_call(name):
    pdf = frame("int8")
    with pytest.raises((OverflowError, ValueError)):
        BEYOND[name](pdf.b)
    with pytest.raises((OverflowError, ValueError)):
        BEYOND[name](dd.from_pandas(pdf, npartitions=2).b)


FLAGS = {
    "filled": lambda b: b.fillna(False).astype(bool), "of NaN": lambda b: b.astype(bool), "dropped": lambda b: b.dropna().astype(bool),
    "inverted": lambda b: ~b.fillna(False).astype(bool), "neg": lambda b: -b, "abs": lambda b: b.abs(),
    "round": lambda b: b.round(), "of a frame": lambda b: b.to_frame().fillna(False).astype({"b": "bool"}).b,
    "counted": lambda b: b.fillna(True).astype(bool).sum(),
}  # fmt: skip


@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("name", FLAGS)
def test_flags(name, npartitions):
    pdf = pd.DataFrame({"k": range(6), "b": [True, False, True, True, False, False]})
    df = dd.from_pandas(pdf, npartitions=npartitions)
    for least in (1, 4, -1):  # of the last one none is missing
        same(FLAGS[name](df.b.where(df.k > least)), FLAGS[name](pdf.b.where(pdf.k > least)))
    wide, narrow = pd.DataFrame({"k": [1, 2, 3, 4]}), pd.DataFrame({"k": [1, 2, 3], "b": [True, False, True]})
    for left in (wide, wide[:3]):
        ours = dd.from_pandas(left, npartitions=npartitions).merge(dd.from_pandas(narrow, npartitions=1), on="k", how="left")
        same(FLAGS[name](ours.b), FLAGS[name](left.merge(narrow, on="k", how="left").b))
        same(ours.b.fillna(False), left.merge(narrow, on="k", how="left").b.fillna(False))
