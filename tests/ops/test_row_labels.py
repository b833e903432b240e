"""One row has one label, wherever it is looked at: rows of files are numbered as pandas numbers them."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

ROWS = 90


def _rows(seed, n=ROWS):
    random = np.random.default_rng(seed)
    texts = [f"a text of {i}\nlines, quoted" if i % 7 == 0 else "t" * (i % 5) or "u" for i in range(n)]
    return pd.DataFrame({"k": random.choice(["a", "b", "c"], n), "x": random.permutation(n), "y": random.normal(size=n).round(3), "w": texts})


def _csv(folder, files, texts=True):
    for i in range(files):
        _rows(i)[["k", "x", "y", "w"] if texts else ["k", "x", "y"]].to_csv(folder / f"{i}.csv", index=False)
    lazy = dd.read_csv(str(folder / "*.csv"), blocksize=400)
    assert lazy.npartitions > files
    return pd.concat([pd.read_csv(folder / f"{i}.csv") for i in range(files)]), lazy


def _parquet(folder, files):
    parts = [_rows(i) for i in range(files)]
    for i, part in enumerate(parts):
        part.to_parquet(folder / f"{i}.parquet", index=False, row_group_size=13)
    lazy = dd.read_parquet(str(folder), split_row_groups=True)
    assert lazy.npartitions > files
    return pd.concat(parts, ignore_index=True), lazy


def _parquet_groups(folder):
    """Partitions of several row groups, some of which hold no row that a filter wants."""
    parts = [_rows(i).sort_values("x") for i in range(2)]
    for i, part in enumerate(parts):
        part.to_parquet(folder / f"{i}.parquet", index=False, row_group_size=13)
    lazy = dd.read_parquet(str(folder))
    assert lazy.npartitions == 2
    return pd.concat(parts, ignore_index=True), lazy


def _in_memory(pdf):
    return pdf, dd.from_pandas(pdf, npartitions=7)


SOURCES = {
    "csv": lambda folder: _csv(folder, 1),
    "csv_files": lambda folder: _csv(folder, 3),
    "parquet": lambda folder: _parquet(folder, 1),
    "parquet_files": lambda folder: _parquet(folder, 2),
    "parquet_groups": _parquet_groups,
    "memory": lambda folder: _in_memory(_rows(0)),
    "memory_range": lambda folder: _in_memory(_rows(0).set_axis(pd.RangeIndex(5, 5 + 2 * ROWS, 2))),
    "named": lambda folder: _in_memory(_rows(0).rename_axis("id")),
    "duplicates": lambda folder: _in_memory(_rows(0).set_axis(np.arange(ROWS) // 4, axis=0)),
}

ROWSETS = {
    "all": lambda d: d,
    "filtered": lambda d: d[d.x % 3 == 0],
    "sampled": lambda d: d[["k", "x", "y"]][d.x > 20].dropna(),
}

OPERATIONS = {
    "index_values": lambda d: d.index.to_series(),
    "index_max": lambda d: d.index.max(),
    "index_min": lambda d: d.index.min(),
    "index_isin": lambda d: d[d.index.isin([3, 50, 71, 10_000])],
    "index_compared": lambda d: d[d.index > 40],
    "index_arithmetic": lambda d: d[d.index.to_series() % 2 == 0].x,
    "query": lambda d: d.query("index == 42"),
    "query_range": lambda d: d.query("index >= 30 and x > 10"),
    "reset_index": lambda d: d.reset_index(),
    "reset_index_drop": lambda d: d.reset_index(drop=True),
    "reset_index_series": lambda d: d.x.reset_index(),
    "reset_index_twice": lambda d: d.reset_index().reset_index(),
    "assign_index": lambda d: d.assign(i=d.index),
    "map_index": lambda d: d.index.to_series().map(lambda i: i * 2),
    "apply_name": lambda d: d.apply(lambda row: row.name, axis=1),
    "group_idxmax": lambda d: d.groupby("k").x.idxmax(),
    "group_idxmin": lambda d: d.groupby("k")[["x", "y"]].idxmin(),
    "group_apply": lambda d: d.groupby("k")[["x", "y"]].apply(lambda g: g.nlargest(2, "x")),
    "group_apply_scalar": lambda d: d.groupby("k").x.apply(lambda s: s.index.max()),
    "group_transform": lambda d: d.groupby("k").x.transform(lambda s: s.index.max()),
    "group_head": lambda d: d.groupby("k").head(2),
    "group_get": lambda d: d.groupby("k").get_group("b"),
    "by_index": lambda d: d.groupby(lambda i: i % 5).x.sum(),
    "melt": lambda d: d.melt(id_vars=["k"], value_vars=["x", "y"], ignore_index=False),
    "idxmax": lambda d: d.x.idxmax(),
    "nlargest": lambda d: d.nlargest(5, "x"),
    "nlargest_index": lambda d: d.nlargest(5, "x").reset_index(),
    "drop_duplicates": lambda d: d.drop_duplicates("k").reset_index(),
    "drop_duplicates_last": lambda d: d.drop_duplicates("k", keep="last"),
    "sorted": lambda d: d.x.cumsum().reset_index(),
    "shift": lambda d: d.x.shift().reset_index(),
    "loc": lambda d: d.loc[[40]] if isinstance(d, pd.DataFrame) else d.loc[40],
    "loc_slice": lambda d: d.loc[40:44],
}
# Where pandas refuses repeated labels, or their order says something else.
UNIQUE = {"loc_slice", "loc"}


@pytest.mark.parametrize("rowset", ROWSETS)
@pytest.mark.parametrize("source", SOURCES)
def test_labels(tmp_path, source, rowset):
    pdf, df = SOURCES[source](tmp_path)
    pdf, df = ROWSETS[rowset](pdf), ROWSETS[rowset](df)
    same(df, pdf)
    for name, operation in OPERATIONS.items():
        if name in UNIQUE and (source in ("csv_files", "duplicates") or rowset != "all" or source == "memory_range"):
            continue
        try:
            same(operation(df), operation(pdf))
        except Exception as error:
            error.add_note(name)
            raise


MEMORY = {
    "assign_series": lambda d, s, a, m: d.assign(e=s),
    "assign_gaps": lambda d, s, a, m: d.assign(e=s[s > 5]),
    "assign_text": lambda d, s, a, m: d.assign(e=s.astype(str)),
    "assign_array": lambda d, s, a, m: d.assign(e=a, f=a.astype("float32")),
    "mask_series": lambda d, s, a, m: d[m],
    "mask_array": lambda d, s, a, m: d[m.to_numpy()],
    "mask_list": lambda d, s, a, m: d[m.tolist()],
    "mask_of_series": lambda d, s, a, m: d.x[m],
    "key_series": lambda d, s, a, m: d.groupby(s % 3).x.sum(),
    "key_array": lambda d, s, a, m: d.groupby(a % 3).x.sum(),
    "keys": lambda d, s, a, m: d.groupby(["k", a % 2]).y.max(),
    "fillna_series": lambda d, s, a, m: d.y.where(d.y > 0).fillna(s.astype(float)),
    "fillna_columns": lambda d, s, a, m: d[["x", "y"]].where(d.y > 0).fillna(pd.Series({"x": 7.0, "y": -1.0})),
}


@pytest.mark.parametrize("name", MEMORY)
@pytest.mark.parametrize("source", SOURCES)
def test_objects_in_memory(tmp_path, source, name):
    pdf, df = SOURCES[source](tmp_path)
    series = pd.Series(np.arange(len(pdf)) * 3 % 17, index=pdf.index)
    values = series, series.to_numpy(), series % 2 == 0
    try:
        expected = MEMORY[name](pdf, *values)
    except ValueError as refused:  # repeated labels that are not those of the rows
        with pytest.raises(type(refused)):
            MEMORY[name](df, *values).compute()
        return
    same(MEMORY[name](df, *values), expected)
    if pdf.index.is_unique and not name.startswith(("key", "mask_")) and name not in ("assign_array",):  # labels count, not places
        turned = series[::-1], values[1], values[2]
        same(MEMORY[name](df, *turned), MEMORY[name](pdf, *turned))


def test_objects_in_memory_that_do_not_fit(tmp_path):
    pdf, df = SOURCES["csv"](tmp_path)
    with pytest.raises(ValueError, match="Length of values"):
        df.assign(e=np.arange(3)).compute()
    with pytest.raises(pd.errors.IndexingError):
        df[pd.Series([True, False])].compute()
    with pytest.raises(KeyError):
        df.groupby("k").get_group("zz").compute()


def test_numpy_functions(tmp_path):
    pdf, df = SOURCES["csv"](tmp_path)
    for name in "sum mean std var min max prod median".split():
        function = getattr(np, name)
        same(function(df.y), function(pdf.y))
    same(np.cumsum(df.x), np.cumsum(pdf.x))


def test_sorted_set_index(tmp_path):
    pdf, df = SOURCES["csv"](tmp_path)
    same(df.assign(n=df.index).set_index("n"), pdf.assign(n=pdf.index).set_index("n"))
    ordered = df.assign(n=df.index).set_index("n")
    assert ordered.known_divisions and ordered.divisions[-1] == ROWS - 1
    same(df.set_index("x"), pdf.set_index("x").sort_index(kind="stable"))


def test_group_apply_names():
    pdf = pd.DataFrame({"k": ["a", "b", "a"], "j": [1, 1, 2], "x": [1, 2, 5]})
    df = dd.from_pandas(pdf, npartitions=2)
    for operation in (
        lambda d: d.groupby("k").x.apply(lambda s: s.max() - s.min()),
        lambda d: d.groupby("k")[["x"]].apply(lambda g: g.x.sum()),
        lambda d: d.groupby(["k", "j"]).x.apply(lambda s: s.sum()),
        lambda d: d.groupby(d.k.str.upper()).x.apply(lambda s: s.sum()),
        lambda d: d.groupby("k").x.apply(lambda s: s.head(1)),
        lambda d: d.groupby("k", group_keys=False).x.apply(lambda s: s.head(1)),
    ):
        same(operation(df), operation(pdf))


def test_sort_index(tmp_path):
    pdf = _rows(0).sort_values("y")
    df = dd.from_pandas(pdf, npartitions=1, sort=False)
    same(df.x.sort_index(), pdf.x.sort_index())
    same(df.sort_index(), pdf.sort_index())
    same(df.x.sort_index(ascending=False), pdf.x.sort_index(ascending=False))
    same(df.repartition(npartitions=3).x.sort_index(), pdf.x.sort_index())


@pytest.mark.parametrize("source", SOURCES)
def test_labels_on_other_ways(tmp_path, source):
    pdf, df = _csv(tmp_path, 3 if "files" in source else 1, texts=False) if source.startswith("csv") else SOURCES[source](tmp_path)
    labels = df.index.to_series()
    expected = pdf.index.to_series()
    same(df.map_partitions(lambda part: part.assign(label=part.index), meta=df.assign(label=0)._meta), pdf.assign(label=pdf.index))
    same(labels.persist(), expected)
    same(df.persist().index.to_series(), expected)
    chosen = [df.partitions[i] for i in reversed(range(df.npartitions))]
    same(dd.concat(chosen), pd.concat([c.compute() for c in chosen]))
    same(dd.concat(chosen).index.to_series(), pd.concat([c.compute() for c in chosen]).index.to_series())
    same(dd.concat([df, *chosen, df[df.x > 3]]), pd.concat([pdf, *(c.compute() for c in chosen), pdf[pdf.x > 3]]))
    same(dd.concat([df, df]).index.to_series(), pd.concat([pdf, pdf]).index.to_series())
    ours, theirs = (f[f.x > 3].reset_index(drop=True).rename_axis(pdf.index.name) for f in (df, pdf))
    same(dd.concat([df, ours]), pd.concat([pdf, theirs]))
    same(df.repartition(npartitions=2).index.to_series(), expected)
    same(labels.head(7), expected.head(7))
    same(df.tail(3), pdf.tail(3))
    same(df.assign(i=df.index).tail(3), pdf.assign(i=pdf.index).tail(3))
    same(df.partitions[1].index.to_series(), df.partitions[1].compute().index.to_series())
    same((df.x - df.x.mean()).to_frame("z").assign(i=df.index), (pdf.x - pdf.x.mean()).to_frame("z").assign(i=pdf.index))
    assert [(int(i), int(x)) for i, x in df.x.items()] == [(int(i), int(x)) for i, x in pdf.x.items()]
    same(pd.concat([p.compute() for p in df.to_delayed()]), pdf)
    same(labels.compute(scheduler="synchronous"), expected)
    df.to_csv(str(tmp_path / "out"))
    written = pd.concat([pd.read_csv(f, index_col=0) for f in sorted((tmp_path / "out").iterdir())])
    assert written.index.tolist() == pdf.index.tolist()
    df.to_parquet(str(tmp_path / "parquet"))
    parts = sorted((tmp_path / "parquet").iterdir(), key=lambda p: int(p.name.split(".")[1]))
    assert pd.concat([pd.read_parquet(p) for p in parts]).index.tolist() == pdf.index.tolist()


ON_A_CLUSTER = [
    "index_max", "index_isin", "query", "reset_index", "reset_index_series", "assign_index", "map_index", "group_idxmax", "idxmax", "nlargest_index", "sorted",
]  # fmt: skip


@pytest.mark.parametrize("source", ["csv", "csv_files", "parquet_files"])
def test_labels_on_a_cluster(client, tmp_path, source):
    pdf, df = SOURCES[source](tmp_path)
    for rows, lazy in ((pdf, df), (pdf[pdf.x % 3 == 0], df[df.x % 3 == 0])):
        same(lazy, rows)
        for name in ON_A_CLUSTER:
            try:
                same(OPERATIONS[name](lazy), OPERATIONS[name](rows))
            except Exception as error:
                error.add_note(name)
                raise
    same(df.persist().index.to_series(), pdf.index.to_series())
    same(df.head(7), pdf.head(7))
    same(df.reset_index().tail(3), pdf.reset_index().tail(3))


@pytest.mark.parametrize("blocksize", [60, 75, 90, 120, 150])
def test_errors_behind_wrong_labels_are_not_believed(tmp_path, blocksize):
    """The partitions in front are counted from where they were guessed to begin, and more rows found than there are."""
    rows = pd.DataFrame({"x": range(60), "w": [f"a text of {i}\nlines, 1\n2, quoted" if i % 7 == 3 else "t" * (i % 5) or "u" for i in range(60)]})
    for partition in range(100):
        path = tmp_path / f"{partition}.csv"  # each is seen once only
        rows.to_csv(path, index=False)
        df = dd.read_csv(path, blocksize=blocksize)
        if partition >= df.npartitions:
            break
        x = df.partitions[[partition]].x
        if partition % 2:
            got = x[pd.Series([True] * 60)].compute()
            assert got.index.tolist() == got.tolist()
        else:
            with pytest.raises(pd.errors.IndexingError):  # this one is right
                x[pd.Series([True], index=[60])].compute()
