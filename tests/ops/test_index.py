"""The Index as pandas has it: arithmetic, shifts, other values for it; what says where rows are."""

import operator

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

NUMBERS = pd.DataFrame({"x": range(12), "y": 1.5}, index=pd.Index(range(5, 17), name="k"))
TIMES = NUMBERS.set_axis(pd.date_range("2020-01-01", periods=12, freq="h", name="t"))


def equal(ours, theirs):
    pd.testing.assert_index_equal(ours.compute(), theirs, exact="equiv")


@pytest.mark.parametrize("npartitions", [1, 2, 7])
@pytest.mark.parametrize("op", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_arithmetic_gives_an_index(op, npartitions):
    f, df = getattr(operator, op), dd.from_pandas(NUMBERS, npartitions=npartitions)
    equal(f(df.index, 3), f(NUMBERS.index, 3))
    equal(f(df.index, 2.5), f(NUMBERS.index, 2.5))
    equal(f(df.index, df.index), f(NUMBERS.index, NUMBERS.index))
    if op != "pow":
        equal(f(30, df.index), f(30, NUMBERS.index))
    equal(-df.index, -NUMBERS.index)
    equal(abs(-df.index), abs(-NUMBERS.index))


@pytest.mark.parametrize("npartitions", [1, 3])
def test_what_is_computed_of_an_index_stays_beside_the_rows(npartitions):
    df = dd.from_pandas(NUMBERS, npartitions=npartitions)
    pd.testing.assert_frame_equal(df[df.index % 2 == 0].compute(), NUMBERS[NUMBERS.index % 2 == 0])
    pd.testing.assert_frame_equal(df[(df.index + 1).isin([8, 9])].compute(), NUMBERS[(NUMBERS.index + 1).isin([8, 9])])
    pd.testing.assert_frame_equal(df.assign(i=df.index * 2).compute(), NUMBERS.assign(i=NUMBERS.index * 2))
    assert (df.index * 2).max().compute() == 32


def test_other_values_for_the_index():
    df, pdf = dd.from_pandas(NUMBERS, npartitions=3), NUMBERS.copy()
    df.index, pdf.index = df.index.astype("float64"), pdf.index.astype("float64")
    pd.testing.assert_frame_equal(df.compute(), pdf)
    assert df.x.sum().compute() == pdf.x.sum()
    with pytest.raises(AssertionError, match="aligned"):
        df.index = dd.from_pandas(NUMBERS, npartitions=2).index
    with pytest.raises(AssertionError, match="aligned"):
        df.index = pd.Index([1])


@pytest.mark.parametrize("periods, freq, known", [(2, "h", True), (-3, pd.Timedelta("10min"), True), (1, "D", True), (2, "W", False), (1, "MS", False)])
def test_shifted_times(periods, freq, known):
    df = dd.from_pandas(TIMES, npartitions=4)
    equal(df.index.shift(periods, freq), TIMES.index.shift(periods, freq))
    for ours, theirs, same in ((df, TIMES, pd.testing.assert_frame_equal), (df.x, TIMES.x, pd.testing.assert_series_equal)):
        moved = ours.shift(periods, freq=freq)
        same(moved.compute(), theirs.shift(periods, freq=freq), check_freq=False)
        assert moved.known_divisions == known and df.index.shift(periods, freq).known_divisions == known
        if known:
            assert list(moved.divisions) == list(pd.DatetimeIndex(ours.divisions).shift(periods, freq))
            at = theirs.index[4] + periods * pd.tseries.frequencies.to_offset(freq)
            same(moved.loc[at:].compute(), theirs.shift(periods, freq=freq).loc[at:], check_freq=False)


def test_shifted_periods():
    pdf = NUMBERS.set_axis(pd.period_range("2020-01", periods=12, freq="M"))
    df = dd.from_pandas(pdf, npartitions=3)
    equal(df.index.shift(2), pdf.index.shift(2))
    with pytest.raises(TypeError, match="argument is not supported"):
        df.index.shift(2, freq="D")
    with pytest.raises(NotImplementedError, match="only implemented for"):
        dd.from_pandas(NUMBERS, npartitions=1).index.shift(1)


def test_times_of_an_index():
    s = pd.Series([1, 2], index=["2020-01-01", "2020-01-05"])
    equal(dd.to_datetime(dd.from_pandas(s, npartitions=2).index), pd.to_datetime(s.index))


def test_rename_of_index_values():
    s, ours = NUMBERS.x, dd.from_pandas(NUMBERS, npartitions=3).x
    for by in ({5: 4}, lambda k: k + 1):
        pd.testing.assert_series_equal(ours.rename(by).compute(), s.rename(by))
        pd.testing.assert_series_equal(ours.rename(by, sorted_index=True).compute(), s.rename(by))
        assert not ours.rename(by).known_divisions and ours.rename(by, sorted_index=True).known_divisions
    values = pd.Series([50, 60], index=[5, 6])
    pd.testing.assert_series_equal(ours.rename(values).compute(), s.rename(values))
    pd.testing.assert_series_equal(ours.rename(ours).compute(), s.rename(s))
    with pytest.raises(ValueError, match="non-monotonic"):
        ours.rename({5: 200}, sorted_index=True)


def test_divisions_of_sorted_rows():
    df = dd.from_pandas(NUMBERS.reset_index(), npartitions=3)
    divisions = [5, 9, 13, 16]
    out = df.set_index("k", sorted=True, divisions=divisions)
    assert list(out.divisions) == divisions
    pd.testing.assert_frame_equal(out.loc[8:10].compute(), NUMBERS.loc[8:10])
    with pytest.raises(ValueError, match="must be the same length"):
        df.set_index("k", sorted=True, divisions=[5, 16])


def test_where_rows_are_is_said_wrongly():
    df = dd.from_pandas(NUMBERS, npartitions=3)
    with pytest.raises(KeyError, match="non-boolean"):
        df.loc[df.x]
    with pytest.raises(pd.errors.IndexingError):
        df.loc[5, "x", 1]
    with pytest.raises(pd.errors.IndexingError):
        df.x.loc[5, 1]


def test_a_meta_of_names_and_dtypes_says_nothing_of_the_index():
    pdf = pd.DataFrame({"a": np.arange(5, dtype="int32")}, index=pd.Index(list("vwxyz"), name="name"))
    df = dd.from_pandas(pdf, npartitions=2)
    for meta in ([("a", "i4"), ("b", "f8")], {"a": "i4", "b": "f8"}):
        pd.testing.assert_frame_equal(df.map_partitions(lambda part: part.assign(b=0.5), meta=meta).compute(), pdf.assign(b=0.5))
    pd.testing.assert_series_equal(df.map_partitions(lambda part: part.a, meta=("a", "i4")).compute(), pdf.a)
