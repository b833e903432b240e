"""What pandas says of columns besides their labels stays: their names, and that labels are objects, tuples among them, or nullable texts."""

import pickle

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

FRAME = pd.DataFrame({"x": [3, 1, 2, 5], "y": [1.0, 2, np.nan, 4], "k": [1, 1, 2, 2]})
OTHER = pd.DataFrame({"k": [1, 2], "z": [1, 2]})
OPERATIONS = {
    "itself": lambda f: f,
    "columns": lambda f: f[["x", "y"]], "one column": lambda f: f[["x"]], "drop": lambda f: f.drop(columns="x"),
    "assign": lambda f: f.assign(z=1), "rename": lambda f: f.rename(columns={"x": "q"}), "prefix": lambda f: f.add_prefix("p_"),
    "filter": lambda f: f[f.x > 1],
    "arithmetic": lambda f: f + 1, "two frames": lambda f: f + f, "comparison": lambda f: f == 1, "where": lambda f: f.where(f > 1),
    "isna": lambda f: f.isna(),
    "sum": lambda f: f.sum(), "mean": lambda f: f.mean(), "quantile": lambda f: f.quantile(), "quantiles": lambda f: f.quantile([0.1, 0.9]),
    "describe": lambda f: f.describe(), "dtypes": lambda f: f.dtypes, "sort_values": lambda f: f.sort_values("x"),
    "set_index": lambda f: f.set_index("x").sort_index(),
    "reset_index": lambda f: f.reset_index(), "cumsum": lambda f: f.cumsum(), "shift": lambda f: f.shift(), "query": lambda f: f.query("x > 1"),
    "fillna": lambda f: f.fillna(0), "astype": lambda f: f.astype("float64"), "drop_duplicates": lambda f: f.drop_duplicates(["k"]),
    "mode": lambda f: f.mode(),
    "nlargest": lambda f: f.nlargest(2, "x"), "loc": lambda f: f.loc[1:2, ["x"]], "iloc": lambda f: f.iloc[:, [0, 2]],
    "select": lambda f: f.select_dtypes("int"),
    "corr": lambda f: f.corr(), "melt": lambda f: f.melt(id_vars="k"), "rolling": lambda f: f.rolling(2).sum(),
    "explode": lambda f: f.explode("x"),
    "group sums": lambda f: f.groupby("k").sum(), "several": lambda f: f.groupby("k").agg(["sum", "min"]),
    "by dict": lambda f: f.groupby("k").agg({"x": "sum"}),
    "transform": lambda f: f.groupby("k").cumsum(), "combine_first": lambda f: f.combine_first(f), "align": lambda f: f.align(f[["x"]])[0],
    "new labels": lambda f: f.set_axis(list("abc"), axis=1) if isinstance(f, pd.DataFrame) else f.rename(columns=dict(zip("xyk", "abc", strict=True))),
}  # fmt: skip
OF_NO_NAME = {"new labels"}  # pandas' list of labels has none


def alike(ours, theirs):
    ours, promised = ours.compute() if hasattr(ours, "_expr") else ours, ours
    for one, other in ((ours.axes[-1], theirs.axes[-1]), (ours.axes[0], theirs.axes[0])):
        assert list(one.names) == list(other.names) and list(one) == list(other) and one.nlevels == other.nlevels
    assert ours.axes[-1].dtype == theirs.axes[-1].dtype
    if theirs.ndim == 2:
        assert list(promised.columns.names) == list(theirs.columns.names) and promised.columns.dtype == theirs.columns.dtype


@pytest.mark.parametrize("npartitions", [1, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_name_stays(operation, npartitions):
    pdf = FRAME.rename_axis(columns="name")
    ours, theirs = OPERATIONS[operation](dd.from_pandas(pdf, npartitions=npartitions)), OPERATIONS[operation](pdf)
    if operation in OF_NO_NAME:
        assert ours.columns.name == "name"
    else:
        alike(ours, theirs)


def test_two_frames():
    named, other = FRAME.rename_axis(columns="name"), OTHER.rename_axis(columns="other")
    for right in (OTHER, other, OTHER.rename_axis(columns="name")):
        a, b = dd.from_pandas(named, npartitions=2), dd.from_pandas(right, npartitions=1)
        for how in ("inner", "left", "outer"):
            alike(a.merge(b, on="k", how=how), named.merge(right, on="k", how=how))
        alike(dd.concat([a, b]), pd.concat([named, right]))
        alike(dd.concat([a, a]), pd.concat([named, named]))


def test_functions_of_users_see_names():
    pdf = FRAME.rename_axis(columns="name")
    ddf = dd.from_pandas(pdf, npartitions=2)
    alike(ddf.map_partitions(lambda part: part), pdf)
    assert ddf.map_partitions(lambda part: pd.Series([part.columns.name]), meta=(None, "str")).compute().tolist() == ["name", "name"]


def test_names_travel_and_are_given():
    pdf = FRAME.rename_axis(columns="name")
    ddf = dd.from_pandas(pdf, npartitions=2)
    alike(ddf.persist()[["x"]], pdf[["x"]])
    alike(pickle.loads(pickle.dumps(ddf + 1)), pdf + 1)
    alike(ddf.copy(), pdf)
    for labels in (pd.Index(list("abc"), name="other"), list("abc"), pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("c", 3)], names=["one", None])):
        ours, theirs = ddf.copy(), pdf.copy()
        ours.columns, theirs.columns = labels, labels
        alike(ours, theirs)
        alike(ours.drop_duplicates(), theirs)


def test_names_of_levels():
    pdf = pd.DataFrame(np.arange(8).reshape(2, 4), columns=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["one", "two"]))
    ddf = dd.from_pandas(pdf, npartitions=2)
    for call in (lambda f: f, lambda f: f["a"], lambda f: f.sum(), lambda f: f + 1, lambda f: f.rename(columns={"a": "c"}), lambda f: f[[("a", 1)]]):
        alike(call(ddf), call(pdf))


def test_labels_that_aggregates_make():
    pdf = FRAME.set_axis(pd.Index(["x", pd.Period("2020-01", "M"), ("k", 1)], dtype=object, tupleize_cols=False, name="name"), axis=1)
    ddf = dd.from_pandas(pdf, npartitions=2)
    for call in (lambda f: f.groupby("x").agg({pd.Period("2020-01", "M"): "sum"}), lambda f: f.groupby("x")[[pd.Period("2020-01", "M")]].agg(["sum", "min"])):
        alike(call(ddf), call(pdf))


def test_names_of_a_pivot_table():
    pdf = pd.DataFrame({"i": [1, 1, 2], "c": pd.Categorical(["a", "b", "a"]), "v": [1, 2, 3]})
    ddf = dd.from_pandas(pdf, npartitions=2)
    theirs = pdf.pivot_table(index="i", columns="c", values="v", aggfunc="sum", observed=False)
    assert (ddf.pivot_table(index="i", columns="c", values="v", aggfunc="sum") + 1).compute().columns.name == theirs.columns.name == "c"


@pytest.mark.parametrize("labels", [["x", ("a", 1), ("b", 2)], ["x", pd.Timestamp("2020"), 1.5], ["x", 1, 2]])
def test_labels_that_are_objects(labels):
    pdf = FRAME.set_axis(pd.Index(labels, dtype=object, tupleize_cols=False), axis=1)
    ddf = dd.from_pandas(pdf, npartitions=2)
    for call in (
        lambda f: f[labels[1:]], lambda f: f[[labels[1]]], lambda f: f.drop(columns="x"), lambda f: f.groupby("x").sum(), lambda f: f.iloc[:, [1]],
        lambda f: f.set_index("x").sort_index(), lambda f: f[[labels[1]]].rename(columns={labels[1]: "q"}), lambda f: f[["x"]].rename(columns={"x": ("q", 3)}),
    ):  # fmt: skip
        alike(call(ddf), call(pdf))


def test_a_tuple_beside_other_labels():
    ours, theirs = dd.from_pandas(FRAME[["x"]], npartitions=2), FRAME[["x"]].copy()
    for frame in (ours, theirs):
        frame["a", 1] = 1
    alike(ours, theirs)
    alike(ours.drop(columns="x"), theirs.drop(columns="x"))


@pytest.mark.parametrize("dtype", ["string", "object"])
def test_labels_of_other_texts(dtype):
    pdf = FRAME.set_axis(FRAME.columns.astype(dtype), axis=1)
    ddf = dd.from_pandas(pdf, npartitions=2)
    for call in (lambda f: f, lambda f: f[["x", "y"]], lambda f: f.sum(), lambda f: f.groupby("k").sum()):
        alike(call(ddf), call(pdf))
    ours, theirs = ddf.melt(id_vars="k").compute(), pdf.melt(id_vars="k")
    assert ours.variable.tolist() == theirs.variable.tolist() and (dtype == "object" or ours.variable.dtype == theirs.variable.dtype)


def test_long_chains():
    pdf = FRAME.rename_axis(columns="name")
    ddf = chain = dd.from_pandas(pdf, npartitions=1)
    for _ in range(1500):
        chain = chain + 1
    assert chain.columns.name == "name"
    chain = ddf
    for _ in range(60):  # each with both sides
        chain = dd.concat([chain, chain[["x", "y", "k"]]]).partitions[:1]
    assert chain.columns.name == "name"
