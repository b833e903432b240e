"""isin and comparisons with one text: of numbers, and of texts with and without a dictionary, in front of and behind a filter."""

import operator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import same

NUMBERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"]
TEXTS = [
    "", "a", "abc", "abcd", "abce", "abcdefg", "abcdefgh", "abcdefgi", "abcdefghijklmnop", "abcdefghXjklmnop", "abcdefghijklmnopq", "é", "éa", "\x00", "a\x00",
    "x" * 40, "x" * 39 + "y"
]


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("wanted", [0, 1, 4, 5, 40], ids=str)
@pytest.mark.parametrize("spread", [1, 1000], ids=["close", "wide"])
def test_numbers_among_few_and_many(dtype, wanted, spread):
    random = np.random.default_rng(wanted)
    ends = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    values = np.concatenate([random.integers(0, 100, 500).astype(dtype) * np.dtype(dtype).type(1), np.array([0, ends.min, ends.max], dtype)])
    asked = [v.item() for v in random.choice(values, wanted)] if dtype != "uint64" else [int(v) for v in random.choice(values[values < 2**63], wanted)]
    asked = [v * spread if abs(v) < 100 and v * spread <= ends.max else v for v in asked]
    s = pd.Series(values, name="s")
    for n in (1, 7):
        pd.testing.assert_series_equal(dd.from_pandas(s, npartitions=n).isin(asked).compute(), s.isin(asked))


@given(
    st.lists(st.sampled_from([0.0, -0.0, 1.5, -1.5, np.nan, np.inf, -np.inf, 1e300, 5e-324]), max_size=30),
    st.lists(st.sampled_from([0.0, -0.0, 1.5, 2.5, np.nan, np.inf, 1e300, 5e-324, 7.0, 8.0]), max_size=11)
)
def test_floats_with_two_zeros(values, wanted):
    s = pd.Series(values, dtype="float64")
    pd.testing.assert_series_equal(dd.from_pandas(s, npartitions=2).isin(wanted).compute(), s.isin(wanted))


@pytest.mark.parametrize("npartitions", [1, 2, 7, 129])
def test_times_and_flags(npartitions):
    for s in (pd.Series(pd.date_range("2020", periods=200, freq="h").astype("datetime64[us]")), pd.Series([True, False, True] * 50)):
        wanted = s.iloc[[0, 1, 3]].tolist()
        pd.testing.assert_series_equal(dd.from_pandas(s, npartitions=npartitions).isin(wanted).compute(), s.isin(wanted))


@pytest.fixture(scope="module", params=["dictionary", "plain", "both"])
def texts(request, tmp_path_factory):
    """A column of texts as a Parquet file has them; "both": pages of codes, then plain ones."""
    path = tmp_path_factory.mktemp("texts") / "t.parquet"
    random = np.random.default_rng(0)
    values = random.choice(np.array([*TEXTS, None], dtype=object), 5000).tolist()
    if request.param == "both":
        values = values[:3000] + [f"{i} of many texts" for i in range(3000)] + values[3000:]
    table = pa.table({"s": pa.array(values, pa.string()), "i": np.arange(len(values)) % 10})
    pq.write_table(
        table, path, use_dictionary=request.param != "plain", dictionary_pagesize_limit=20_000 if request.param == "both" else 1 << 20, row_group_size=4000,
        data_page_size=1000
    )
    return dd.read_parquet(path), pd.read_parquet(path)


@pytest.mark.parametrize("text", TEXTS, ids=repr)
@pytest.mark.parametrize("op", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparison_with_one_text(texts, op, text):
    ours, theirs = texts
    for filtered in (False, True):
        a, b = (ours[ours.i < 3], theirs[theirs.i < 3]) if filtered else (ours, theirs)
        pd.testing.assert_series_equal(getattr(operator, op)(a.s, text).compute(), getattr(operator, op)(b.s, text))


@pytest.mark.parametrize(
    "wanted", [[], ["abc"], ["é", "", None], TEXTS[::2], [*TEXTS, *[f"{i} of many texts" for i in range(0, 3000, 7)]], ["abc", 3], [np.nan]],
    ids=lambda w: str(len(w))
)
def test_texts_among_others(texts, wanted):
    ours, theirs = texts
    for filtered in (False, True):
        a, b = (ours[ours.i < 3], theirs[theirs.i < 3]) if filtered else (ours, theirs)
        pd.testing.assert_series_equal(a.s.isin(wanted).compute(), b.s.isin(wanted))
        assert a[a.s.isin(wanted)].s.value_counts().compute().sort_index().equals(b[b.s.isin(wanted)].s.value_counts().sort_index())


def test_codes_stay_behind_a_filter(texts):
    ours, theirs = texts
    a, b = ours[ours.i < 5], theirs[theirs.i < 5]
    pd.testing.assert_series_equal(a.s.str.len().compute(), b.s.str.len())
    pd.testing.assert_series_equal(a.s.str.contains("bc", regex=False).compute(), b.s.str.contains("bc", regex=False))
    pd.testing.assert_series_equal(a.groupby("s", dropna=False).i.sum().compute(), b.groupby("s", dropna=False).i.sum())
    pd.testing.assert_frame_equal(a.compute(), b)
    pd.testing.assert_frame_equal(a.tail(50, compute=False).compute(), b.tail(50))


MISSING = {
    "float64": pd.Series([1.0, np.nan, 2.0, 0.0]),
    "float32": pd.Series([1.0, np.nan, 2.0, 0.0], dtype="float32"),
    "int64": pd.Series([1, 2, 0, 3]),
    "bool": pd.Series([True, False, True, False]),
    "str": pd.Series(["a", None, "b", "1"], dtype="str"),
    "datetime": pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02", "2021-01-01"])),
    "timedelta": pd.to_timedelta(pd.Series([1, None, 2, 3]), unit="s"),
    "Int64": pd.Series([1, None, 2, 0], dtype="Int64"),
    "category": pd.Series(["a", None, "b", "a"], dtype="category"),
}
_DAY, _SECOND = pd.Timestamp("2020-01-01"), pd.Timedelta("1s")
WANTED = [[None], [None, 1], [None, 1.5], [np.nan], [np.nan, 1], [np.nan, "a"], [None, "a"], [pd.NA], [pd.NA, 1], [pd.NaT], [pd.NaT, 1],
          [None, True], [1, 2.5, "a", None], [_DAY, None], [_DAY, np.nan], [_DAY, "x", None],
          [_SECOND, None], [_SECOND, np.nan], np.array([1, np.nan]), np.array([None, 1], dtype=object), pd.Series([1, None]),
          pd.Series([1, None], dtype="Int64"), {1, None}, (None,), ["2020-01-01", None], [2**53 + 1, None]]  # fmt: skip


@pytest.mark.parametrize("kind", MISSING)
def test_what_a_missing_value_is_found_by(kind):
    s = MISSING[kind].rename("x")
    lazy = dd.from_pandas(s, npartitions=2)
    for wanted in WANTED:
        pd.testing.assert_series_equal(lazy.isin(wanted).compute(), s.isin(wanted), obj=f"{kind}.isin({wanted!r})")


def test_missing_values_of_each_column():
    frame = pd.DataFrame({k: MISSING[k] for k in ("float64", "int64", "str", "datetime")})
    lazy = dd.from_pandas(frame, npartitions=2)
    for wanted in ([None], [np.nan], [None, 1], [np.nan, "a"], {"float64": [np.nan, 1], "datetime": [None]}, {"str": [None], "float64": [None]}):
        pd.testing.assert_frame_equal(lazy.isin(wanted).compute(), frame.isin(wanted), obj=repr(wanted))


@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "object", "Int64", "category"])
def test_lazy_values(dtype, npartitions):
    pdf = pd.DataFrame({"x": [1, 2, 3, 4, 5], "k": [3, 9, 1, 1, 7]})
    theirs = pdf.x.astype("str").astype(dtype) if dtype in ("str", "category") else pdf.x.astype(dtype)
    wanted = pdf.k.astype("str") if dtype in ("str", "category") else pdf.k
    ours, values = (dd.from_pandas(s, npartitions=npartitions) for s in (theirs, wanted))
    same(ours.isin(values), theirs.isin(wanted))
    same(ours.isin(values.unique()), theirs.isin(wanted.unique()))
    frame = dd.from_pandas(pd.DataFrame({"x": theirs, "k": wanted}), npartitions=npartitions)
    same(frame.x.isin(frame.k), theirs.isin(wanted))
    same(frame.isin(values), pd.DataFrame({"x": theirs, "k": wanted}).isin(wanted))


def test_lazy_values_that_are_none():
    pdf = pd.DataFrame({"x": [1, 2, 3, 4], "k": [3, 9, 1, 1]}, index=[2, 3, 4, 5])
    ddf = dd.from_pandas(pdf, npartitions=2)
    same(ddf.x.isin(ddf.index), pdf.x.isin(pdf.index))
    with pytest.raises(TypeError, match=r"a `Scalar`; compute\(\)"):
        ddf.x.isin(ddf.k.max())
    for values in ([1, ddf.k.max()], (ddf.x,)):
        with pytest.raises(NotImplementedError, match=r"among the values; compute\(\)"):
            ddf.x.isin(values)
    for values in ({"x": ddf.k}, {"x": [ddf.k.max()]}):
        with pytest.raises(NotImplementedError, match=r"among the values; compute\(\)"):
            ddf.isin(values)
