"""What pandas says of an index besides its values: the frequency of times, and that numbers in a row are no range."""

import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import PARTITIONS, same
from muster._base.notes import Notes

TIMES = pd.DataFrame({"x": range(12), "y": 1.5}, index=pd.date_range("2020-01-03", periods=12, freq="D", name="t"))


def alike(ours, theirs):
    index = ours.compute()
    index = index if isinstance(index, pd.Index) else index.index
    theirs = theirs if isinstance(theirs, pd.Index) else theirs.index
    pd.testing.assert_index_equal(index, theirs, exact=True)
    assert getattr(index, "freq", None) == getattr(theirs, "freq", None)


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_frequencies(npartitions):
    df = dd.from_pandas(TIMES, npartitions=npartitions)
    for f in (
        lambda d: d, lambda d: d.x + 1, lambda d: d.assign(z=d.x), lambda d: d.index, lambda d: d.index.to_frame(), lambda d: d.rolling(2).sum(),
        lambda d: d.loc["2020-01-05":"2020-01-08"], lambda d: d[d.x > 99], lambda d: d[d.x > 3], lambda d: d.shift(1, freq="D"), lambda d: d.shift(2, freq="B"),
        lambda d: d.index.shift(2), lambda d: d.index.shift(1, freq="h"), lambda d: d.resample("2D").y.sum(), lambda d: d.sort_values("x"),
        lambda d: d.x.cumsum(),
    ):  # fmt: skip
        ours, theirs = (v if isinstance(v, pd.Index) else v.index for v in (f(df).compute(), f(TIMES)))
        assert ours.freq in (None, theirs.freq) and list(ours) == list(theirs)
    alike(df.x * 2, TIMES.x * 2)
    alike(df.index.shift(2), TIMES.index.shift(2))
    alike(df.shift(1, freq="D"), TIMES.shift(1, freq="D"))
    alike(df.resample("2D").y.sum(), TIMES.resample("2D").y.sum())
    alike(df.repartition(npartitions=3), TIMES)
    with pytest.raises(pd.errors.NullFrequencyError):
        df[df.x != 3].index.shift(1)


def test_numbers_in_a_row():
    for index in (pd.RangeIndex(3), pd.Index([0, 1, 2]), pd.Index([4, 5, 6], name="k"), pd.RangeIndex(4, 7)):
        pdf = pd.DataFrame({"x": [5, 6, 7]}, index=index)
        for npartitions in (1, 2, 7):
            df = dd.from_pandas(pdf, npartitions=npartitions)
            alike(df, pdf)
            alike(df.x + 1, pdf.x)
            alike(df.index, pdf.index)
            alike(df.index.map({i: i + 5 for i in index}, meta=pd.Index([1], name=index.name)), index.map({i: i + 5 for i in index}))


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_functions_of_an_index(npartitions):
    pdf = pd.DataFrame({"x": range(9)}, index=pd.Index([*range(5, 14)], name="k"))
    df = dd.from_pandas(pdf, npartitions=npartitions)
    alike(df.index.map_partitions(lambda i: i * 2), pdf.index * 2)
    alike(df.index.map_partitions(lambda i, by: i + by, by=3, meta=pd.Index([1], name="k")), pdf.index + 3)
    same(df.index.map_partitions(lambda i: i.to_series()), pdf.index.to_series())
    assert df.index.map_partitions(len).compute().sum() == 9


def test_notes_are_forgotten():
    notes = Notes(most=10)
    for i in range(1000):
        notes[i] = -i
    assert len([i for i in range(1000) if i in notes]) <= 10
    assert 999 in notes and notes.get(999) == -999 and notes.get(0, "gone") == "gone" and notes
