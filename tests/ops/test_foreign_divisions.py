"""Indexes of zoned times, spans, periods, categories and nullable values have known divisions, and all that goes by these gives what pandas gives."""

import pickle

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

pytestmark = pytest.mark.filterwarnings("ignore:The 'lsuffix' and 'rsuffix' keywords")  # which pandas renames
N = 24
INDEXES = {
    "Berlin": pd.date_range("2020-03-27", periods=N, freq="6h", tz="Europe/Berlin"),  # one day of 23 hours
    "UTC in seconds": pd.date_range("2020-01-01", periods=N, tz="UTC").as_unit("s"),
    "span": pd.timedelta_range("-2D", periods=N, freq="7h"),
    "span in seconds": pd.timedelta_range("0s", periods=N, freq="90s").as_unit("s"),
    "period": pd.period_range("1969-06", periods=N, freq="M"),
    "category": pd.CategoricalIndex([f"{i:02}" for i in range(N)]),
    "category of numbers": pd.CategoricalIndex(range(N), ordered=True),
    "Int64": pd.Index(range(N), dtype="Int64") * 3 + 2**60,
    "UInt8": pd.Index(range(N), dtype="UInt8"),
    "Float64": pd.Index(np.arange(N) / 2, dtype="Float64"),
    "string": pd.Index([f"{i:02}" for i in range(N)], dtype="string"),
    "Arrow": pd.Index(range(N), dtype="int64[pyarrow]"),
}
MATCHED = [k for k in INDEXES if not k.startswith("category")]  # by divisions; categories take all rows


def rows(kind):
    index = INDEXES[kind]
    if hasattr(index, "freq") and not isinstance(index, pd.PeriodIndex):
        index = type(index)(index, freq=None)  # which matching by index value does not keep
    return pd.DataFrame({"x": range(N), "y": np.arange(N) * 1.5}, index=index)


def borders(kind, *at):
    return [INDEXES[kind][i] for i in at]


def within(ddf):
    """Whether each partition's index values lie between its divisions."""
    for n, part in enumerate(ddf.partitions):
        index = part.compute().index
        last = n == ddf.npartitions - 1
        assert all(ddf.divisions[n] <= v and (v <= ddf.divisions[n + 1] if last else v < ddf.divisions[n + 1]) for v in index)
    return True


@pytest.mark.parametrize("kind", INDEXES)
def test_rows_in_memory(kind):
    pdf = rows(kind)
    ddf = dd.from_pandas(pdf, npartitions=3)
    assert list(ddf.divisions) == borders(kind, 0, 8, 16, 23) and within(ddf)
    same(ddf, pdf)
    assert list(pickle.loads(pickle.dumps(ddf)).divisions) == list(ddf.divisions)
    assert list(ddf.persist().divisions) == list(ddf.divisions)
    assert list(ddf[ddf.x > 3].y.divisions) == list(ddf.divisions)
    same(dd.from_pandas(pdf.iloc[::-1], npartitions=3), pdf)
    twice = pdf.iloc[np.repeat(np.arange(N), 2)]
    assert list(dd.from_pandas(twice, npartitions=3).divisions) == borders(kind, 0, 8, 16, 23)


@pytest.mark.parametrize("kind", INDEXES)
def test_loc(kind):
    pdf, index = rows(kind), INDEXES[kind]
    ddf = dd.from_pandas(pdf, npartitions=4)
    for part in (slice(index[3], index[9]), slice(None, index[2]), slice(index[20], None)):
        same(ddf.loc[part], pdf.loc[part])
        same(ddf.x.loc[part], pdf.x.loc[part])
    assert ddf.loc[index[3] : index[4]].npartitions == 1
    same(ddf.loc[index[7]], pdf.loc[[index[7]]])
    same(ddf.loc[[index[1], index[20]]], pdf.loc[[index[1], index[20]]])


def test_loc_of_texts_that_name_times():
    pdf = rows("Berlin")
    ddf = dd.from_pandas(pdf, npartitions=4)
    same(ddf.loc["2020-03-28":"2020-03-29"], pdf.loc["2020-03-28":"2020-03-29"])
    same(ddf.loc["2020-03-29"], pdf.loc["2020-03-29"])
    pdf = rows("period")
    same(dd.from_pandas(pdf, npartitions=4).loc["1969-08":"1970-01"], pdf.loc["1969-08":"1970-01"])


@pytest.mark.parametrize("npartitions", [1, 3])
@pytest.mark.parametrize("kind", INDEXES)
def test_set_index(kind, npartitions):
    pdf = rows(kind).rename_axis("k").reset_index()
    mixed = pdf.iloc[np.random.default_rng(0).permutation(N)].reset_index(drop=True)
    for theirs in (pdf, mixed):
        ddf = dd.from_pandas(theirs, npartitions=npartitions, sort=False)
        out = ddf.set_index("k")
        same(out, pdf.set_index("k"))
        if npartitions > 1:
            assert out.known_divisions and within(out) and list(out.divisions)[:: out.npartitions] == borders(kind, 0, 23)
        same(ddf.set_index("k", drop=False), pdf.set_index("k", drop=False))
        given = ddf.set_index("k", divisions=borders(kind, 0, 5, 23))
        assert list(given.divisions) == borders(kind, 0, 5, 23) and within(given)
        same(given, pdf.set_index("k"))
        same(given.partitions[0], pdf.set_index("k").iloc[:5])
        same(ddf.x.to_frame().set_index(ddf.k), pdf[["x"]].set_index(pdf.k))


@pytest.mark.parametrize("kind", INDEXES)
def test_set_index_of_missing_values(kind):
    pdf = rows(kind).rename_axis("k").reset_index()
    pdf["k"] = pdf.k.where(pdf.x % 5 != 2) if not kind.startswith("category") else pdf.k.cat.set_categories(pdf.k.cat.categories).where(pdf.x % 5 != 2)
    if kind == "Int64":
        pdf["k"] = pdf.k - 2**60
    mixed = pdf.iloc[np.random.default_rng(0).permutation(N)].reset_index(drop=True)
    ours = dd.from_pandas(mixed, npartitions=3, sort=False).set_index("k").compute()
    theirs = mixed.set_index("k").sort_index(kind="stable")
    same(ours, theirs)


@pytest.mark.parametrize("kind", INDEXES)
def test_repartition(kind):
    pdf = rows(kind)
    ddf = dd.from_pandas(pdf, npartitions=4)
    for data, theirs in ((ddf, pdf), (ddf.x, pdf.x), (ddf.rename(columns={"x": "index"}), pdf.rename(columns={"x": "index"}))):
        out = data.repartition(divisions=borders(kind, 0, 3, 4, 23))
        assert list(out.divisions) == borders(kind, 0, 3, 4, 23) and within(out)
        same(out, theirs)
    same(dd.repartition(pdf, divisions=borders(kind, 0, 3, 23)), pdf)
    assert isinstance(raised(lambda: ddf.repartition(divisions=borders(kind, 1, 23))), ValueError)


@pytest.mark.parametrize("freq", ["1D", "13h", "2D"])
def test_repartition_by_time_of_a_zone(freq):
    pdf = rows("Berlin")
    out = dd.from_pandas(pdf, npartitions=2).repartition(freq=freq)
    assert out.npartitions > 2 and within(out) and all(d.tz is not None for d in out.divisions)
    same(out, pdf)


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
@pytest.mark.parametrize("kind", INDEXES)
def test_matched_by_index_value(kind, how):
    one, other = rows(kind).iloc[:18], rows(kind).iloc[10:]
    for mixed in (False, True):
        theirs = one.iloc[np.random.default_rng(1).permutation(18)] if mixed else one
        a, b = dd.from_pandas(theirs, npartitions=3, sort=not mixed), dd.from_pandas(other, npartitions=2)
        same(a.join(b, how=how, rsuffix="_r"), theirs.join(other, how=how, rsuffix="_r"), check_freq=False)
        merged = a.merge(b, how=how, left_index=True, right_index=True)
        same(merged, theirs.merge(other, how=how, left_index=True, right_index=True), check_freq=False)
        assert mixed or kind not in MATCHED or merged.known_divisions


@pytest.mark.parametrize("kind", INDEXES)
def test_arithmetic_and_concat(kind):
    one, other = rows(kind).iloc[:18], rows(kind).iloc[10:]
    a, b = dd.from_pandas(one, npartitions=3), dd.from_pandas(other, npartitions=2)
    same(a.x + b.y, one.x + other.y, check_freq=False)
    same(a.add(b, fill_value=0), one.add(other, fill_value=0), check_freq=False)
    same(a.combine_first(b), one.combine_first(other), check_freq=False)
    for ours, theirs in zip(a.align(b), one.align(other), strict=True):
        same(ours, theirs, check_freq=False)
    same(dd.concat([a, b]), pd.concat([one, other]), check_freq=False)
    same(dd.concat([a, b], axis=1), pd.concat([one, other], axis=1), check_freq=False)
    behind = dd.concat([a, dd.from_pandas(rows(kind).iloc[18:], npartitions=2)])
    same(behind, rows(kind), check_freq=False)
    assert kind not in MATCHED or list(behind.divisions) == [*a.divisions[:-1], *borders(kind, 18, 21, 23)]


@pytest.mark.parametrize("kind", ["Berlin", "UTC in seconds", "span"])
def test_the_frequency_stays(kind):
    pdf = rows(kind).set_axis(INDEXES[kind])
    ddf = dd.from_pandas(pdf, npartitions=3)
    for ours, theirs in ((ddf, pdf), (ddf.repartition(divisions=borders(kind, 0, 5, 23)), pdf), (ddf.loc[INDEXES[kind][4] :], pdf.iloc[4:])):
        same(ours, theirs)
        assert ours.compute().index.freq == pdf.index.freq


def test_zones_beside_each_other():
    one = rows("Berlin")
    other = one.set_axis(one.index.tz_convert("UTC"))
    a, b = dd.from_pandas(one, npartitions=3), dd.from_pandas(other, npartitions=2)
    same(a.x + b.x, one.x + other.x, check_freq=False)
    same(a.join(b, rsuffix="_r", how="outer"), one.join(other, rsuffix="_r", how="outer"), check_freq=False)


def test_what_has_no_order_of_values():
    levels = pd.CategoricalIndex(["low", "mid", "high"], ["low", "mid", "high"], ordered=True)
    for index in (levels, pd.interval_range(0, 3), pd.Index([1, 2, 3], dtype=object)):
        pdf = pd.DataFrame({"x": [1, 2, 3]}, index=index)
        ddf = dd.from_pandas(pdf, npartitions=2)
        assert not ddf.known_divisions
        same(ddf, pdf)
        same(ddf.loc[index[1] : index[2]], pdf.loc[index[1] : index[2]])
        with pytest.raises(NotImplementedError, match="divisions of an index of dtype"):
            ddf.repartition(divisions=[index[0], index[2]])


def test_a_label_outside_of_the_divisions_is_refused_at_the_call():
    for index, labels in [
        (pd.RangeIndex(10), (-1, 10)), (INDEXES["Berlin"], ("2019", "2021-05-01", pd.Timestamp("1999-01-01", tz="UTC"))), (INDEXES["string"], ("zz",)),
        (INDEXES["Int64"], (5,)), (INDEXES["period"], (pd.Period("1900-01", "M"),)),
    ]:  # fmt: skip
        pdf = pd.DataFrame({"x": range(len(index))}, index=index)
        ddf = dd.from_pandas(pdf, npartitions=3)
        for label in labels:
            for frame in (pdf, ddf, ddf.x):
                with pytest.raises(KeyError):
                    frame.loc[label]


def test_a_span_of_times_keeps_the_frequency():
    pdf = rows("Berlin").set_axis(INDEXES["Berlin"])
    assert dd.from_pandas(pdf, npartitions=3).loc["2020-03-28"].compute().index.freq == pdf.loc["2020-03-28"].index.freq == pd.offsets.Hour(6)
