"""Divisions that operations keep, cut or are told, and what checks them."""

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, same


def checked(ours, divisions):
    """The collection has these divisions, and its rows lie within them."""
    assert ours.divisions == divisions
    same(ours.enforce_runtime_divisions(), ours.compute())
    return ours


@pytest.mark.parametrize(
    "start, stop, divisions",
    [(1, 2, (1, 2, 2)), (None, 2, (0, 2, 2)), (-5, 99, (0, 2, 3)), (2, None, (2, 3)), (1, 1, (1, 1)), (None, None, (0, 2, 3))],
)
def test_slices_of_labels_cut_divisions(start, stop, divisions):
    pdf = pd.DataFrame({"x": range(4)})
    same(checked(dd.from_pandas(pdf, npartitions=2).loc[start:stop], divisions), pdf.loc[start:stop])


def test_a_label_is_its_divisions():
    pdf = pd.DataFrame({"x": range(4)})
    df = dd.from_pandas(pdf, npartitions=2)
    for label in (0, 1, 3):
        same(checked(df.loc[label], (label, label)), pdf.loc[[label]])
    with pytest.raises(KeyError):
        df.loc[7].compute()
    times = pd.Series(range(4), index=pd.date_range("2020", periods=4, freq="12h"))
    same(dd.from_pandas(times, npartitions=2).loc["2020-01-02"], times.loc["2020-01-02"], check_freq=False)


@pytest.mark.parametrize("start, stop", [(3, 1), (7, 9), (1.5, 2.5), (-9, -4)])
def test_slices_without_labels_of_the_index(start, stop):
    pdf = pd.DataFrame({"x": range(4)})
    same(dd.from_pandas(pdf, npartitions=2).loc[start:stop], pdf.loc[start:stop])


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_slices_of_texts_beside_times(npartitions):
    s = pd.Series(range(300), index=pd.date_range("2020-01-01", periods=300, freq="7h"))
    ours = dd.from_pandas(s, npartitions=npartitions).loc["2020-01-15":"2020-02"]
    same(checked(ours, ours.divisions), s.loc["2020-01-15":"2020-02"], check_freq=False)
    assert ours.divisions[0] == pd.Timestamp("2020-01-15") and ours.divisions[-1].floor("s") == pd.Timestamp("2020-02-29 23:59:59")
    assert ours.npartitions <= npartitions // 2 + 2


def test_divisions_of_delayed_partitions_are_what_is_said():
    df = dd.from_pandas(pd.DataFrame({"x": range(4)}), npartitions=2)
    checked(dd.from_delayed(df.to_delayed(), divisions=(0, 2, 3)), (0, 2, 3))
    assert not dd.from_delayed([muster.delayed(pd.DataFrame)({"x": [1]})]).known_divisions
    wrong = dd.from_delayed([muster.delayed(pd.DataFrame)({"x": [1, 2]}) for _ in range(2)], divisions=(0, 1, 3))
    with pytest.raises(RuntimeError, match="partition . has the index value ., outside of its divisions"):
        wrong.enforce_runtime_divisions().compute()
    with pytest.raises(ValueError, match="not known"):
        df.clear_divisions().enforce_runtime_divisions()


def test_a_row_of_values_by_label():
    df = dd.from_dict({"b": [1, 2], "c": [1, 2], "a": [1, 2]}, npartitions=2)
    assert df.sum().divisions == ("a", "c") and df.sum().known_divisions
    same(df.sum() + 1, df.compute().sum() + 1)
    assert not dd.from_pandas(pd.DataFrame({"b": [1], 1: [2]}), npartitions=1).sum().known_divisions


def test_counts_are_integers_of_python():
    df = dd.from_pandas(pd.DataFrame({"x": range(5), "y": 1.0}, index=list("abcde")), npartitions=2)
    for count, expected in ((df.shape[0], 5), (df.size, 10), (df.x.size, 5), (df.x.shape[0], 5), (df.index.size, 5), (df.index.shape[0], 5)):
        assert type(count.compute()) is int and count.compute() == expected and int(count + 1) == expected + 1


def test_reductions_of_an_index():
    for index in (pd.Index([0, 1, 1, 2]), pd.Index([3, 1, 2, 2]), pd.Index([0.0, 0.0])):
        ours = dd.from_pandas(pd.Series(1, index=index), npartitions=2, sort=False).index
        assert (ours.all().compute(), ours.any().compute()) == (bool(index.all()), bool(index.any()))
        assert ours.nunique_approx().compute() == index.nunique() and ours.nbytes.compute() == index.nbytes


def test_what_is_not_there_as_in_pandas():
    df = dd.from_dict({"x": [1]}, npartitions=1)
    assert not hasattr(df.x, "iloc") and not hasattr(df, "nbytes") and df.x.dot(df.x, meta=1).compute() == 1
    with pytest.raises(NotImplementedError, match="nbytes is not implemented"):
        df.nbytes


def test_says_that_meta_is_inferred():
    df = dd.from_dict({"x": [1, 2], "k": [1, 1]}, npartitions=2)
    for call in (
        lambda **meta: df.apply(lambda row: row.x, axis=1, **meta), lambda **meta: df.x.apply(lambda x: x, **meta), lambda **meta: df.x.map({1: 1}, **meta),
        lambda **meta: df.groupby("k").x.apply(lambda part: part, **meta), lambda **meta: df.groupby("k").x.transform(lambda part: part, **meta),
        lambda **meta: df.groupby("k").x.shift(1, **meta), lambda **meta: df.index.map(lambda x: x, **meta),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match="`meta` is not specified.*inferred from partial data") as found:
            call()
        assert found[0].filename == __file__
    with np.testing.assert_no_warnings():
        df.x.map(lambda x: x, meta=("x", "int64")).compute()
        df.groupby(lambda i: i % 2).x.sum().compute()
        df.map_partitions(lambda part: part).compute()
