"""pivot_table: pandas' table with a column for every category."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, same

KINDS = ["d", "a", "b", "never"]
AGGREGATES = ["mean", "sum", "count", "first", "last"]


def rows(n=40):
    draw = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "k": draw.choice(["one", "two", "three", None], n), "i": draw.integers(-3, 3, n),
            "t": pd.Timestamp("2020") + pd.to_timedelta(draw.integers(0, 4, n), "D"), "f": np.where(draw.random(n) < 0.3, np.nan, draw.integers(0, 3, n)),
            "kind": pd.Categorical(draw.choice([*KINDS[:3], None], n), categories=KINDS),
            "row": pd.Categorical(draw.choice(["y", "x"], n), categories=["z", "y", "x"], ordered=True),
            "x": draw.integers(0, 100, n), "y": np.where(draw.random(n) < 0.6, np.nan, draw.integers(0, 100, n) / 4), "b": draw.random(n) < 0.5,
            "s": draw.choice(["p", "q", None], n), "d": pd.Timedelta("1h") * draw.integers(0, 9, n), "m": pd.array([1, None, 3, 4] * (n // 4), "Int64"),
        }
    ).astype({"k": "str", "s": "str"})  # fmt: skip


def table(pdf, index, values, aggfunc):
    expected = pdf.pivot_table(index=index, columns="kind", values=values, aggfunc=aggfunc, observed=False)
    categories = list(pdf.kind.cat.categories)
    kinds = pd.CategoricalIndex(categories, dtype=pdf.kind.dtype, name="kind")
    labels = pd.MultiIndex.from_product([sorted(values), kinds], names=[None, "kind"]) if isinstance(values, list) else kinds
    given = dict(zip(expected.columns, [expected.iloc[:, i] for i in range(expected.shape[1])], strict=True))
    whole = [given.get(label, pd.Series(np.nan, index=expected.index)) for label in labels]
    out = pd.concat(whole, axis=1).set_axis(labels, axis=1)
    return out.astype("float64") if aggfunc == "count" else out


def equal(ours, pdf, index, values, aggfunc):
    expected = table(pdf, index, values, aggfunc)
    ours = ours.compute()
    for i, label in enumerate(expected.columns):
        if expected.iloc[:, i].isna().all():
            assert ours.iloc[:, i].isna().all()
            expected.isetitem(i, ours.iloc[:, i])
        assert ours.columns[i] == label
    same(ours, expected)


@pytest.mark.parametrize("aggfunc", AGGREGATES)
@pytest.mark.parametrize("index", ["k", "t", "row"])
@pytest.mark.parametrize("values", ["x", "y", ["y", "x"]])
def test_is_pandas_table(index, values, aggfunc):
    pdf = rows()
    equal(dd.from_pandas(pdf, npartitions=3).pivot_table(index, "kind", values, aggfunc), pdf, index, values, aggfunc)


@given(st.data(), st.sampled_from(PARTITIONS))
def test_any_rows(data, npartitions):
    pdf = rows().iloc[data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=12))].reset_index(drop=True)
    index, aggfunc = data.draw(st.sampled_from(["k", "i", "row"])), data.draw(st.sampled_from(AGGREGATES))
    values = data.draw(st.sampled_from(["x", "y", ["x", "y"]]))
    try:
        expected = table(pdf, index, values, aggfunc)
    except ValueError:  # pandas has no table of nothing
        return
    if expected.shape[1] and len(expected):
        equal(dd.from_pandas(pdf, npartitions=npartitions).pivot_table(index, "kind", values, aggfunc), pdf, index, values, aggfunc)


@pytest.mark.parametrize("values", ["s", "d", "m"])
@pytest.mark.parametrize("aggfunc", ["count", "first", "last", "sum"])
def test_of_other_dtypes(values, aggfunc):
    pdf = rows()
    if (values, aggfunc) == ("s", "sum"):
        pdf = pdf.fillna({"s": "r"})
    equal(dd.from_pandas(pdf, npartitions=3).pivot_table("i", "kind", values, aggfunc), pdf, "i", values, aggfunc)


def test_groups_partition_by_partition(capsys):
    dd.from_pandas(rows(), npartitions=4).pivot_table("i", "kind", "x").explain()
    shown = capsys.readouterr().out
    assert "groupby" in shown and "python:whole groupby" not in shown, shown


def test_partitions_without_rows_and_none_at_all():
    pdf = rows()
    df = dd.from_pandas(pdf, npartitions=7)
    equal(df[df.x > 80].pivot_table("i", "kind", "x", "sum"), pdf[pdf.x > 80], "i", "x", "sum")
    nothing = df[df.x > 1000].pivot_table("i", "kind", "x").compute()
    assert len(nothing) == 0 and list(nothing.columns) == KINDS


def test_labels_are_what_categories_are():
    pdf = pd.DataFrame({"k": [1, 1, 2], "c": pd.Categorical([10, 20, 10]), "t": pd.Categorical(pd.to_datetime(["2020", "2021", "2020"])), "x": [1, 2, 3]})
    df = dd.from_pandas(pdf, npartitions=2)
    assert list(df.pivot_table("k", "c", "x").columns) == [10, 20]
    assert list(df.pivot_table("k", "t", "x").compute().columns) == list(pd.to_datetime(["2020", "2021"]))
    assert list(df.pivot_table("k", "c", ["x"]).compute().columns) == [("x", 10), ("x", 20)]


def test_categories_of_other_partitions_count():
    df = dd.from_pandas(pd.DataFrame({"k": [1, 2, 1, 2], "c": list("abca"), "x": [1, 2, 3, 4]}), npartitions=2)
    learnt = df.categorize(["c"])
    assert learnt.pivot_table("k", "c", "x", "sum").compute().to_dict("list") == {"a": [1, 4], "b": [0, 2], "c": [3, 0]}
    promised = df._meta.astype({"c": pd.CategoricalDtype(["a", "b"])})
    by_part = df.map_partitions(lambda part: part.assign(c=part.c.astype("category")), meta=promised, enforce_metadata=False)
    with pytest.raises(ValueError, match="'c'"):
        by_part.pivot_table("k", "c", "x", "sum").compute()


def test_columns_are_the_categories():
    pdf = rows()
    table = dd.from_pandas(pdf, npartitions=2).pivot_table("i", "kind", "x", "sum")
    expected = pdf.pivot_table(index="i", columns="kind", values="x", aggfunc="sum", observed=False)
    for columns in (table.columns, table.compute().columns, pickle.loads(pickle.dumps(table)).compute().columns, muster.compute({"a": table})[0]["a"].columns):
        pd.testing.assert_index_equal(columns, expected.columns)
    assert table.persist().compute().columns.name == "kind"
    assert list((table + 1).compute().columns) == KINDS
    several = dd.from_pandas(pdf, npartitions=2).pivot_table("i", "kind", ["x", "y"], "sum")
    expected = pdf.pivot_table(index="i", columns="kind", values=["x", "y"], aggfunc="sum", observed=False)
    pd.testing.assert_index_equal(several.compute().columns, expected.columns)
    table["more"] = table["a"] * 2
    assert list(table.compute().columns) == [*KINDS, "more"]


def test_function_of_the_module():
    pdf = rows()
    equal(dd.pivot_table(dd.from_pandas(pdf, npartitions=2), index="i", columns="kind", values="x", aggfunc="sum"), pdf, "i", "x", "sum")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"index": "no"}, "'index' must be the name of an existing column"),
        ({"index": ["i"]}, "'index' must be the name of an existing column"),
        ({"columns": ["kind"]}, "'columns' must be the name of an existing column"),
        ({"columns": "k"}, "'columns' must be category dtype"),
        ({"values": "no"}, "'values' must refer to an existing column or columns"),
        ({"values": []}, "'values' must refer to an existing column or columns"),
        ({"aggfunc": "min"}, "aggfunc must be either"),
        ({"aggfunc": ["sum"]}, "aggfunc must be either"),
        ({"values": ["x", "i"]}, "one column cannot be two"),
    ],
)
def test_refuses(given, message):
    df = dd.from_pandas(rows(), npartitions=2)
    with pytest.raises(ValueError, match=message):
        df.pivot_table(**{"index": "i", "columns": "kind", "values": "x", **given})


def test_refuses_unknown_categories_and_means_of_text():
    df = dd.from_pandas(rows(), npartitions=2)
    with pytest.raises(ValueError, match="'columns' must have known categories"):
        df.assign(kind=df.kind.cat.as_unknown()).pivot_table("i", "kind", "x")
    with pytest.raises(TypeError):
        df.pivot_table("i", "kind", "s")


@pytest.mark.parametrize("values", ["x", ["x", "y"]])
def test_on_a_cluster(client, values):
    pdf = rows()
    future = client.compute(dd.from_pandas(pdf, npartitions=3).pivot_table("row", "kind", values, "sum"))
    pd.testing.assert_frame_equal(future.result(), muster.compute(dd.from_pandas(pdf, npartitions=1).pivot_table("row", "kind", values, "sum"))[0])
