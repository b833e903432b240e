"""Doors to what other packages read: HDF5, Delta Lake, Iceberg."""

import sys

import deltalake
import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

FRAME = pd.DataFrame(
    {"x": range(10), "f": np.linspace(0, 1, 10), "s": pd.Series([f"text {i}" for i in range(10)], dtype="str"), "t": pd.date_range("2020", periods=10)},
    index=pd.Index(range(0, 20, 2)),
)


@pytest.mark.parametrize("chunksize", [1, 3, 10, 1000])
def test_hdf_in_parts(tmp_path, chunksize):
    path = tmp_path / "a.h5"
    FRAME.to_hdf(path, key="data", format="table")
    ours = dd.read_hdf(path, "/data", chunksize=chunksize)
    assert ours.npartitions == -(-10 // chunksize) and not ours.known_divisions
    same(ours, pd.read_hdf(path, "data"))
    same(dd.read_hdf(path, "data", chunksize=chunksize, columns=["s"]), pd.read_hdf(path, "data", columns=["s"]))
    same(dd.read_hdf(path, "data", chunksize=chunksize, start=2, stop=7), pd.read_hdf(path, "data", start=2, stop=7))
    known = dd.read_hdf(path, "data", chunksize=chunksize, sorted_index=True)
    assert known.divisions == (*range(0, 20, 2 * min(chunksize, 10)), 18)
    same(known.loc[4:9], FRAME.loc[4:9])
    same(ours.x.sum(), FRAME.x.sum())


def test_hdf_of_several_files_and_keys(tmp_path):
    for i in range(3):
        for key, form in (("one", "table"), ("only", "fixed")):
            FRAME.assign(x=i).to_hdf(tmp_path / f"{i}.h5", key=key, format=form)
    same(dd.read_hdf(str(tmp_path / "*.h5"), "one", chunksize=4), pd.concat([FRAME.assign(x=i) for i in range(3)]))
    both = dd.read_hdf([tmp_path / "2.h5", tmp_path / "0.h5"], "on*")
    assert both.npartitions == 4
    same(both, pd.concat([FRAME.assign(x=i) for i in (2, 2, 0, 0)]))
    FRAME.x.to_hdf(tmp_path / "series.h5", key="x")
    same(dd.read_hdf(tmp_path / "series.h5", "x"), FRAME.x)
    same(dd.read_hdf(tmp_path / "series.h5", "x", start=3, stop=5), FRAME.x[3:5])


def test_hdf_refuses(tmp_path):
    path = tmp_path / "a.h5"
    FRAME.iloc[::-1].to_hdf(path, key="data", format="table")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        dd.read_hdf(tmp_path / "b*.h5", "data")
    with pytest.raises(KeyError, match="has no key 'other'; its keys are /data"):
        dd.read_hdf(path, "other")
    with pytest.raises(ValueError, match="do not ascend"):
        dd.read_hdf(path, "data", chunksize=3, sorted_index=True)
    with pytest.raises(ValueError, match="chunksize must be a positive integer"):
        dd.read_hdf(path, "data", chunksize=0)


def test_delta_lake(tmp_path):
    rows = FRAME.reset_index(drop=True)
    deltalake.write_deltalake(tmp_path / "a", rows[:6])
    deltalake.write_deltalake(tmp_path / "a", rows[6:], mode="append")
    ours = dd.read_deltalake(tmp_path / "a")
    assert ours.npartitions == 2
    theirs = deltalake.DeltaTable(tmp_path / "a").to_pandas().sort_values("x").reset_index(drop=True)
    same(ours.compute().sort_values("x").reset_index(drop=True), theirs)
    same(dd.read_deltalake(str(tmp_path / "a"), columns=["s", "x"]).x.sum(), rows.x.sum())
    same(dd.read_deltalake(tmp_path / "a", version=0).compute(), theirs[:6])
    with pytest.raises(ValueError, match="there is no column 'nowhere'"):
        dd.read_deltalake(tmp_path / "a", columns=["nowhere"])
    with pytest.raises(ValueError, match="leave one out"):
        dd.read_deltalake(tmp_path / "a", version=0, datetime="2020-01-01")


def test_delta_lake_in_folders(tmp_path):
    rows = pd.DataFrame({"k": ["a", "b", "a"], "x": [1, 2, 3]})
    deltalake.write_deltalake(tmp_path / "a", rows, partition_by=["k"])
    same(dd.read_deltalake(tmp_path / "a").groupby("k").x.sum(), rows.groupby("k").x.sum())


def test_iceberg(tmp_path):
    import pyarrow as pa
    from pyiceberg.catalog import load_catalog

    properties = {"type": "sql", "uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}"}
    catalog = load_catalog("tests", **properties)
    catalog.create_namespace("space")
    rows = FRAME.reset_index(drop=True).assign(t=FRAME.t.astype("datetime64[us]").to_numpy())
    table = catalog.create_table("space.rows", schema=pa.Table.from_pandas(rows[:0]).schema)
    same(dd.read_iceberg("space.rows", "tests", properties=properties).compute(), table.scan().to_pandas())
    for part in (rows[:6], rows[6:]):
        table.append(pa.Table.from_pandas(part, preserve_index=False))
    ours = dd.read_iceberg("space.rows", "tests", properties=properties)
    assert ours.npartitions == 2
    same(ours.compute().sort_values("x").reset_index(drop=True), table.scan().to_pandas().sort_values("x").reset_index(drop=True))
    same(dd.read_iceberg("space.rows", "tests", columns=["x"], properties=properties).x.sum(), rows.x.sum())
    first = table.history()[0].snapshot_id
    same(dd.read_iceberg("space.rows", "tests", snapshot_id=first, properties=properties).x.sum(), rows[:6].x.sum())
    with pytest.raises(ValueError, match="there is no column 'nowhere'"):
        dd.read_iceberg("space.rows", "tests", columns=["nowhere"], properties=properties)


@pytest.mark.parametrize(
    ("package", "call"),
    [("tables", lambda: dd.read_hdf("a.h5", "x")), ("deltalake", lambda: dd.read_deltalake("a")), ("pyiceberg.catalog", lambda: dd.read_iceberg("a.b"))],
)
def test_packages_that_are_not_there(monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"needs the package {package}.*pip install {package.split('.')[0]}"):
        call()
