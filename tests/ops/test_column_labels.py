"""A label is not a column: several columns may have one, and labels may have levels. Everything as pandas."""

import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

PARTITIONS = (1, 2, 7)


def changed(frame, key, value):
    frame = frame.copy()
    frame[key] = value(frame) if callable(value) else value
    return frame


def popped(frame, key):
    frame = frame.copy()
    column = frame.pop(key)
    return column if column.ndim == 2 else column.to_frame("popped").assign(left=len(frame.columns))


def both(frame):
    return pd.concat([frame, frame]) if isinstance(frame, pd.DataFrame) else dd.concat([frame, frame])


# Each of a frame with the labels x, y and k, any of which may be there several times.
OPERATIONS = {
    "column": lambda d: d["x"],
    "attribute": lambda d: d.x,
    "columns": lambda d: d[["y", "x"]],
    "twice": lambda d: d[["y", "y"]],
    "loc": lambda d: d.loc[:, "x"],
    "loc_list": lambda d: d.loc[:, ["k", "x"]],
    "loc_slice": lambda d: d.loc[:, "y":"k"],
    "loc_bools": lambda d: d.loc[:, [c == "x" for c in d.columns]],
    "iloc": lambda d: d.iloc[:, 1],
    "iloc_list": lambda d: d.iloc[:, [2, 0]],
    "columns_assigned": lambda d: changed(d, ["y", "x"], 7),
    "assign_scalar": lambda d: d.assign(x=1),
    "assign_series": lambda d: d.assign(x=d.iloc[:, 0]),
    "assign_new": lambda d: d.assign(z=d.iloc[:, 1]),
    "set_column": lambda d: changed(d, "y", lambda d: d.iloc[:, 0]),
    "pop": lambda d: popped(d, "x"),
    "rename": lambda d: d.rename(columns={"x": "q"}),
    "rename_function": lambda d: d.rename(columns=str.upper),
    "add_prefix": lambda d: d.add_prefix("p_"),
    "drop": lambda d: d.drop(columns="x"),
    "drop_list": lambda d: d.drop(columns=["x", "k"]),
    "dtypes": lambda d: d.dtypes,
    "select_numbers": lambda d: d.select_dtypes("number"),
    "exclude_numbers": lambda d: d.select_dtypes(exclude="number"),
    "second_item": lambda d: [column for _, column in d.items()][1],
    "last_item": lambda d: [column for _, column in d.items()][-1],
    "labels": lambda d: pd.Series(list(d)),
    "filter": lambda d: d[d.iloc[:, 0].notna()],
    "where": lambda d: d.where(d.notna()),
    "equal": lambda d: d == d,
    "differ": lambda d: d.isna() != d.notna(),
    "twofold": lambda d: d.iloc[:, :2] + d.iloc[:, :2],
    "isna": lambda d: d.isna(),
    "isin": lambda d: d.isin([1, 2.5, "u"]),
    "count": lambda d: d.count(),
    "count_again": lambda d: d.count().sum(),
    "missing": lambda d: d.isna().sum().sum(),
    "nunique": lambda d: d.nunique(),
    "sum_numbers": lambda d: d.sum(numeric_only=True),
    "sum_numbers_x": lambda d: d.sum(numeric_only=True)[["x"]],
    "mean_numbers": lambda d: d.mean(numeric_only=True),
    "median": lambda d: d.median(numeric_only=True),
    "quantile": lambda d: d.quantile(0.3, numeric_only=True),
    "quantiles": lambda d: d.quantile([0.3, 0.5], numeric_only=True),
    "idxmax": lambda d: d.idxmax(numeric_only=True),
    "mode": lambda d: d.mode(),
    "corr": lambda d: d.corr(numeric_only=True),
    "describe": lambda d: d.describe(),
    "describe_all": lambda d: d.describe(include="all"),
    "minus_mean": lambda d: d.select_dtypes("number") - d.mean(numeric_only=True),
    "above_mean": lambda d: d.select_dtypes("number") > d.mean(numeric_only=True),
    "dropna": lambda d: d.dropna(),
    "dropna_x": lambda d: d.dropna(subset=["x"]),
    "dropna_y": lambda d: d.dropna(subset="y"),
    "astype": lambda d: d.astype({"x": "str"}),
    "astype_category": lambda d: d.astype({"y": "category"}).astype(str),
    "shift": lambda d: d.shift(),
    "ffill": lambda d: d.ffill(),
    "cumsum": lambda d: d.select_dtypes("number").cumsum(),
    "round": lambda d: d.select_dtypes("number").round(),
    "sum_rows": lambda d: d.sum(axis=1, numeric_only=True),
    "apply_rows": lambda d: d.apply(lambda row: len(row), axis=1),
    "map": lambda d: d.map(str),
    "nlargest": lambda d: d.nlargest(2, "y"),
    "drop_duplicates": lambda d: d.drop_duplicates(),
    "drop_duplicates_x": lambda d: d.drop_duplicates("x"),
    "drop_duplicates_last": lambda d: d.drop_duplicates(["k"], keep="last"),
    "melt": lambda d: d.melt(id_vars="k"),
    "query": lambda d: d.query("y > 1"),
    "eval": lambda d: d.eval("z = y * 2"),
    "reset_index": lambda d: d.reset_index(),
    "concat": both,
    "explode": lambda d: d.explode("x"),
    "group_sum": lambda d: d.groupby("k").sum(numeric_only=True),
    "group_count": lambda d: d.groupby("k").count(),
    "group_nunique": lambda d: d.groupby("k").nunique(),
    "group_first": lambda d: d.groupby("k").first(),
    "group_x": lambda d: d.groupby("k")["x"].count(),
    "group_attribute": lambda d: d.groupby("k").x.count(),
    "group_columns": lambda d: d.groupby("k")[["y", "x"]].count(),
    "group_by_two": lambda d: d.groupby(["y", "k"]).count(),
    "group_by_own": lambda d: d.groupby(d["k"]).count(),
    "group_agg": lambda d: d.groupby("k").agg("max"),
    "group_agg_list": lambda d: d.groupby("k").agg(["count", "nunique"]),
    "group_agg_dict": lambda d: d.groupby("k").agg({"x": "count", "y": "nunique"}),
    "group_agg_dict_lists": lambda d: d.groupby("k").agg({"x": ["count", "nunique"]}),
    "group_agg_pandas": lambda d: d.groupby("k").agg({"x": lambda s: len(s)}),
    "group_x_agg": lambda d: d.groupby("k")["x"].agg(["count", "nunique"]),
    "group_frame": lambda d: d.groupby("k", as_index=False).count(),
    "group_size": lambda d: d.groupby("k").size(),
    "group_head": lambda d: d.groupby("k").head(1),
    "group_shift": lambda d: d.groupby("k").shift(),
    "group_cumcount": lambda d: d.groupby("k").cumcount(),
    "group_transform": lambda d: d.groupby("k").transform("count"),
    "group_get": lambda d: d.groupby("k").get_group("u"),
}
KINDS = {
    "i": st.lists(st.integers(-3, 3), min_size=6, max_size=6).map(lambda v: pd.array(v, dtype="int64")),
    "f": st.lists(st.sampled_from([np.nan, 0.5, 1.5, 2.5, -1.0]), min_size=6, max_size=6).map(np.array),
    "s": st.lists(st.sampled_from(["u", "v", "w", None]), min_size=6, max_size=6).map(lambda v: pd.array(v, dtype="str")),
}
ALL_DISTINCT = pd.DataFrame({"x": [1, 2, 1, 5, 2, 3], "y": [2.5, np.nan, 0.5, 1.5, 2.5, 0.5], "k": ["u", "v", "u", "w", "v", "u"]})


@st.composite
def repeated(draw):
    labels = draw(st.permutations(["x", "y", "k", *draw(st.lists(st.sampled_from("xyk"), min_size=1, max_size=3))]))
    seen, columns = set(), []
    for label in labels:
        kinds = {"x": "ifs", "y": "if", "k": "s"}[label] if label not in seen else "ifs"
        seen.add(label)
        columns.append(draw(KINDS[draw(st.sampled_from(kinds))]))
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = labels
    return frame


def compared(operation, pdf, df, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = raised(lambda: operation(pdf))
        if theirs is None:
            ours = operation(df)
            same(ours, operation(pdf), **kwargs)
            return
        ours = raised(lambda: operation(df).compute())
        assert ours is not None, f"pandas raises {theirs!r}"
        assert isinstance(ours, type(theirs)) or not isinstance(theirs, (KeyError, ValueError)), (theirs, ours)


@pytest.mark.parametrize("name", OPERATIONS)
@hypothesis.given(repeated(), st.sampled_from(PARTITIONS))
@hypothesis.settings(max_examples=max(1, hypothesis.settings().max_examples // 3))
def test_repeated_labels(name, pdf, n):
    compared(OPERATIONS[name], pdf, dd.from_pandas(pdf, npartitions=n), rtol=1e-9)


@pytest.mark.parametrize("name", OPERATIONS)
def test_distinct_labels(name):
    compared(OPERATIONS[name], ALL_DISTINCT, dd.from_pandas(ALL_DISTINCT, npartitions=2), rtol=1e-9)


# Each of a frame whose labels have two levels, x and y above sum and max, with an index named k.
LEVELS = {
    "all": lambda a: a,
    "level": lambda a: a["x"],
    "single": lambda a: a["y"],
    "attribute": lambda a: a.x,
    "both": lambda a: a["x"]["sum"],
    "exact": lambda a: a[("x", "sum")],
    "arithmetic": lambda a: a[("x", "sum")] + a["x"]["max"],
    "list_of_levels": lambda a: a[["y", "x"]],
    "list_of_labels": lambda a: a[[("y", "max"), ("x", "sum")]],
    "loc": lambda a: a.loc[:, "x"],
    "loc_exact": lambda a: a.loc[:, ("x", "sum")],
    "loc_list": lambda a: a.loc[:, [("x", "max")]],
    "iloc": lambda a: a.iloc[:, [2, 0]],
    "missing": lambda a: a["sum"],
    "missing_exact": lambda a: a[("x", "min")],
    "mask": lambda a: a[a[("x", "sum")] > 3],
    "mask_level": lambda a: a[a["x"]["sum"] > 3],
    "reset_index": lambda a: a.reset_index(),
    "reset_index_drop": lambda a: a.reset_index(drop=True),
    "key_column": lambda a: a.reset_index()["k"],
    "key_attribute": lambda a: a.reset_index().k,
    "below_key": lambda a: a.reset_index()["x"],
    "grouped_again": lambda a: a.reset_index().groupby("k").sum(),
    "grouped_again_columns": lambda a: a.reset_index().groupby("k")[[("x", "sum")]].sum(),
    "grouped_by_label": lambda a: a.groupby(("x", "sum")).max(),
    "grouped_agg": lambda a: a.groupby(("y", "max")).agg(["min", "max"]),
    "dropped_key": lambda a: a.reset_index().drop(columns="k"),
    "nlargest": lambda a: a.nlargest(2, ("x", "sum")),
    "nlargest_two": lambda a: a.nlargest(2, [("y", "max"), ("x", "sum")]),
    "drop": lambda a: a.drop(columns="x"),
    "drop_exact": lambda a: a.drop(columns=[("x", "sum")]),
    "drop_tuple": lambda a: a.drop(columns=("x", "sum")),
    "drop_missing": lambda a: a.drop(columns="z"),
    "rename": lambda a: a.rename(columns={"x": "q", "max": "most"}),
    "rename_label": lambda a: a.rename(columns={("x", "sum"): "total"}),
    "rename_function": lambda a: a.rename(columns=str.upper),
    "add_prefix": lambda a: a.add_prefix("p_"),
    "flat": lambda a: changed_columns(a, ["_".join(label) for label in a.columns]),
    "twice": lambda a: a * 2,
    "plus": lambda a: a + a,
    "compared": lambda a: a > 3,
    "minus_mean": lambda a: a - a.mean(),
    "level_minus_mean": lambda a: a["x"] - a["x"].mean(),
    "sum": lambda a: a.sum(),
    "sum_level": lambda a: a.sum()["x"],
    "sum_exact": lambda a: a.sum()[("x", "sum")],
    "sum_rows": lambda a: a.sum(axis=1),
    "assign": lambda a: a.assign(z=1),
    "assign_series": lambda a: a.assign(z=a[("x", "sum")]),
    "assign_level": lambda a: a.assign(x=0),
    "set_new": lambda a: changed(a, ("x", "min"), 5),
    "set_level": lambda a: changed(a, "x", 5),
    "set_exact": lambda a: changed(a, ("x", "sum"), lambda a: a[("x", "max")]),
    "set_short": lambda a: changed(a, ("q", "r", "s"), 5),
    "contains": lambda a: pd.Series(["x" in a, ("x", "sum") in a, "sum" in a, ("x",) in a]),
    "labels": lambda a: pd.Series(list(a)),
    "last_item": lambda a: [column for _, column in a.items()][-1],
    "dtypes": lambda a: a.dtypes,
    "describe": lambda a: a.describe(),
    "median": lambda a: a.median(),
    "quantile": lambda a: a.quantile([0.25, 0.5]),
    "quantile_one": lambda a: a.quantile(0.5),
    "idxmax": lambda a: a.idxmax(),
    "nunique": lambda a: a.nunique(),
    "corr": lambda a: a.corr(),
    "select": lambda a: a.select_dtypes("float"),
    "dropna": lambda a: a.dropna(subset=[("x", "sum")]),
    "fillna": lambda a: a.fillna({("x", "sum"): 0}),
    "astype": lambda a: a.astype({("x", "sum"): "float64"}),
    "pop": lambda a: popped(a, "x"),
    "to_frame": lambda a: a[("x", "sum")].to_frame(),
    "series_reset": lambda a: a[("x", "sum")].reset_index(),
    "apply": lambda a: a.apply(lambda row: row[("x", "sum")], axis=1),
    "drop_duplicates": lambda a: a.drop_duplicates(("x", "max")),
    "cumsum": lambda a: a.cumsum(),
    "melt": lambda a: a.melt(),
    "concat": both,
}


def changed_columns(frame, labels):
    frame = frame.copy()
    frame.columns = labels
    return frame


def source():
    return pd.DataFrame({"k": list("ababcd") * 4, "x": [1, 2, 3, 4, 5, 1] * 4, "y": [1.5, 2.5, -3.0, 4.0, 9.0, 9.0] * 4})


@pytest.mark.parametrize("made", ["aggregated", "in_memory"])
@pytest.mark.parametrize("name", LEVELS)
def test_labels_in_levels(name, made):
    def aggregated(d):
        return d.groupby("k").agg({"x": ["sum", "max"], "y": ["max"]})

    pdf = aggregated(source())
    df = aggregated(dd.from_pandas(source(), npartitions=3)) if made == "aggregated" else dd.from_pandas(pdf, npartitions=2)
    compared(LEVELS[name], pdf, df)


def test_no_columns_are_of_the_dtype_that_columns_had():
    for labels in ([1, 2], ["a", "b"]):
        pdf = pd.DataFrame([[1, 2], [3, 4]], columns=labels)
        df = dd.from_pandas(pdf, npartitions=2)
        for ours in (df[[]], df.loc[:, []], df.loc[:, labels[1] : labels[0]], df.iloc[:, :0]):
            assert ours.columns.dtype == ours.compute().columns.dtype == pdf.columns.dtype and len(ours) == 2
            same(ours, pdf[[]])


def test_three_levels():
    pdf = source().groupby("k").agg({"x": ["sum", "max"], "y": ["max"]})
    again = pdf.reset_index().groupby(("x", "max")).agg(["min", "max"])
    df = dd.from_pandas(source(), npartitions=3).groupby("k").agg({"x": ["sum", "max"], "y": ["max"]}).reset_index().groupby(("x", "max")).agg(["min", "max"])
    same(df, again)
    for key in ["x", "k", ("x", "sum"), ("x", "sum", "min"), ("k", "")]:
        same(df[key], again[key])
    same(df.reset_index(drop=True).assign(z=1)["z"], again.reset_index(drop=True).assign(z=1)["z"])


# Each of a Series over the columns, which a reduction of a frame gives.
ROWS = {
    "sum": lambda r: r.sum(),
    "mean": lambda r: r.mean(),
    "max": lambda r: r.max(),
    "idxmax": lambda r: r.idxmax(),
    "count": lambda r: r.count(),
    "nunique": lambda r: r.nunique(),
    "any": lambda r: r.any(),
    "std": lambda r: r.std(),
    "median": lambda r: r.median(),
    "quantile": lambda r: r.quantile(0.3),
    "plus": lambda r: (r + 1).sum(),
    "plus_itself": lambda r: r + r,
    "above": lambda r: (r > 4).sum(),
    "filtered": lambda r: r[r > 4],
    "cumsum": lambda r: r.cumsum(),
    "shift": lambda r: r.shift(),
    "nlargest": lambda r: r.nlargest(2),
    "drop_duplicates": lambda r: r.drop_duplicates(),
    "value_counts": lambda r: r.value_counts(),
    "to_frame": lambda r: r.to_frame("n"),
    "reset_index": lambda r: r.reset_index(),
    "astype": lambda r: r.astype("float32"),
    "isin": lambda r: r.isin([4]),
    "dtype": lambda r: str(r.dtype),
    "ndim": lambda r: r.ndim,
    "length": lambda r: len(r),
    "values": lambda r: pd.Series(list(r)),
    "items": lambda r: pd.DataFrame(r.items()),
    "label": lambda r: r["y"],
    "index": lambda r: pd.Series(r.index.compute() if hasattr(r.index, "compute") else r.index),
    "round": lambda r: (r / 3).round(1),
    "map": lambda r: r.map(lambda x: x * 2),
    "rename": lambda r: r.rename("n"),
    "where": lambda r: r.where(r > 4),
    "fillna": lambda r: r.where(r > 4).fillna(0),
    "describe": lambda r: r.describe(),
    "head": lambda r: r.head(2),
    "agg": lambda r: r.clip(0, 4),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("reduced", ["count", "sum", "mean"])
def test_series_over_columns(name, reduced):
    pdf = pd.DataFrame({"x": [1, 2, 3, 4], "y": [0.5, 1.5, np.nan, 2.0], "z": [1, 1, 1, 1]})
    same(ROWS[name](getattr(dd.from_pandas(pdf, npartitions=2), reduced)()), ROWS[name](getattr(pdf, reduced)()))


def test_labels_at_the_file_doors(tmp_path):
    repeated = pd.DataFrame([[1, 2.5, 3]], columns=["x", "y", "x"])
    lazy = dd.from_pandas(repeated, npartitions=1)
    with pytest.raises(ValueError, match=r"Duplicate column names found: \['x', 'y', 'x'\]"):
        lazy.to_parquet(tmp_path / "out")
    with pytest.raises(ValueError, match="string column names.*assign texts"):
        dd.from_pandas(source(), npartitions=2).groupby("k").agg(["max"]).to_parquet(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    lazy.to_csv(tmp_path / "out.csv", single_file=True, index=False)
    assert (tmp_path / "out.csv").read_text() == repeated.to_csv(index=False)


def test_function_of_groups_with_repeated_labels():
    pdf = pd.DataFrame([[1, 2, 3, "u"], [4, 5, 6, "v"], [7, 8, 9, "u"]], columns=["x", "y", "x", "k"])
    for operation in [lambda d: d.groupby("k").apply(lambda g: g.iloc[:, 2].sum()), lambda d: d.groupby("k")["x"].apply(lambda g: g.max())]:
        same(operation(dd.from_pandas(pdf, npartitions=2)), operation(pdf))


def test_messages_name_the_label():
    df = dd.from_pandas(pd.DataFrame([[1, 2, 3, "u"]], columns=["x", "y", "x", "k"]), npartitions=1)
    with pytest.raises(ValueError, match="Grouper for 'x' not 1-dimensional"):
        df.groupby("x")
    with pytest.raises(ValueError, match="2 columns are labelled 'x'"):
        df.set_index("x")
    with pytest.raises(ValueError, match="2 columns are labelled 'x'"):
        df.groupby("k").agg(z=("x", "sum"))
    with pytest.raises(ValueError, match="same length as key"):
        changed(df, ["y", "k"], lambda d: d[["x", "y"]])


def test_no_columns_left_of_texts():
    pdf = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
    df = dd.from_pandas(pdf, npartitions=2)
    for empty in (lambda f: f[[]], lambda f: f.drop(columns=["x", "y"]), lambda f: f.select_dtypes("object"), lambda f: f.loc[:, []]):
        pd.testing.assert_index_equal(empty(df).columns, empty(pdf).columns)
        pd.testing.assert_frame_equal(empty(df).compute(), empty(pdf))
    pd.testing.assert_frame_equal(dd.from_pandas(pdf[[]], npartitions=2).compute(), pdf[[]])


@pytest.mark.parametrize("labels", [["a", "a", 7], [0, 1, -2], [1.5, None, True], list(pd.date_range("2000", periods=3)), [("a", 1), ("b", 2), ("a", 3)]])
def test_affixes_of_labels_of_any_kind(labels):
    pdf = pd.DataFrame(np.arange(12).reshape(4, 3))
    pdf.columns = pd.MultiIndex.from_tuples(labels) if isinstance(labels[0], tuple) else labels
    df = dd.from_pandas(pdf, npartitions=2)
    for affix in ("é_", 3):
        pd.testing.assert_frame_equal(df.add_prefix(affix).compute(), pdf.add_prefix(affix))
        pd.testing.assert_frame_equal(df.add_suffix(affix).compute(), pdf.add_suffix(affix))
