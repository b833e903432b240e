"""ORC: stripes as partitions, files as pyarrow reads them."""

import os
import resource

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.orc as orc
import pytest

import muster.dataframe as dd
from conftest import raised, same


def rows(n=20_000):
    draw = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "i": draw.integers(0, 1000, n), "f": np.where(draw.random(n) < 0.2, np.nan, draw.normal(size=n)), "s": draw.choice(["a", "bc", None], n),
            "b": draw.random(n) < 0.5, "t": pd.Timestamp("2020") + pd.to_timedelta(np.arange(n), "s"), "late": np.where(np.arange(n) < n - 1, 1.0, np.nan),
        },
        index=pd.Index(np.arange(n), name="id"),
    ).astype({"s": "str", "t": "datetime64[ns]"})  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of several stripes and one of one; `late` is of integers but for the last."""
    folder = tmp_path_factory.mktemp("orc")
    pdf = rows().reset_index()
    for i, part in enumerate((pdf[:9000], pdf[9000:18_000], pdf[18_000:])):
        table = pa.Table.from_pandas(part, preserve_index=False)
        table = table.set_column(table.schema.get_field_index("late"), "late", pa.array(part.late, pa.int64(), from_pandas=True))
        orc.write_table(table, str(folder / f"part.{i + 9}.orc"), stripe_size=65_536)
    return folder


def stripes(folder):
    return [orc.ORCFile(str(folder / f"part.{i}.orc")).nstripes for i in (9, 10, 11)]


def test_stripes_are_partitions(folder):
    counts = stripes(folder)
    assert counts[0] > 2 and counts[1] > 2, counts
    expected = rows()
    for options, npartitions in (
        ({}, sum(counts)), ({"split_stripes": 2}, sum(-(-c // 2) for c in counts)), ({"split_stripes": False}, 3),
        ({"split_stripes": 4, "aggregate_files": True}, -(-sum(counts) // 4)), ({"split_stripes": 1000, "aggregate_files": True}, 1),
    ):  # fmt: skip
        ours = dd.read_orc(str(folder), index="id", **options)
        assert ours.npartitions == npartitions, options
        same(ours, expected)


def test_columns_and_places(folder, tmp_path):
    expected = rows()
    same(dd.read_orc(folder, columns=["s", "i"], index="id"), expected[["s", "i"]])
    same(dd.read_orc(f"{folder}/part.*.orc", columns=["f"], split_stripes=False).compute().reset_index(drop=True), expected[["f"]].reset_index(drop=True))
    two = [str(folder / "part.9.orc"), str(folder / "part.11.orc")]
    same(dd.read_orc(two, index="id", split_stripes=False), pd.concat([expected[:9000], expected[18_000:]]))
    same(dd.read_orc(f"file://{folder}/part.9.orc", index="id", split_stripes=False), expected[:9000].astype({"late": "int64"}))


@pytest.mark.parametrize("npartitions", [1, 2, 7])
def test_writes_what_it_reads(tmp_path, npartitions):
    pdf = rows(50)
    df = dd.from_pandas(pdf, npartitions=npartitions)
    df.to_orc(tmp_path / "named")
    assert len(os.listdir(tmp_path / "named")) == npartitions
    same(dd.read_orc(tmp_path / "named", index="id"), pdf)
    dd.to_orc(df, tmp_path / "without", write_index=False)
    assert list(dd.read_orc(tmp_path / "without").columns) == list(pdf.columns)
    df[df.i > 10_000].to_orc(tmp_path / "empty")
    assert len(dd.read_orc(tmp_path / "empty").compute()) == 0
    nothing = df.assign(o=df.s.map(lambda s: None, meta=("o", object)))[["o", "i"]]
    nothing.to_orc(tmp_path / "nothing")
    assert dd.read_orc(tmp_path / "nothing").o.compute().isna().all()
    later = df.i.to_orc(tmp_path / "later", compute=False)
    assert not os.path.exists(tmp_path / "later")
    later.compute()
    same(dd.read_orc(tmp_path / "later", index="id"), pdf[["i"]])


@pytest.mark.this_process("memory:// is of one process")
def test_in_memory_file_system(tmp_path):
    pdf = rows(30)
    dd.from_pandas(pdf, npartitions=2).to_orc("memory://orc/there")
    same(dd.read_orc("memory://orc/there", index="id"), pdf)


def test_on_a_cluster(client, tmp_path):
    pdf = rows(50)
    client.compute(dd.from_pandas(pdf, npartitions=3).to_orc(tmp_path / "o", compute=False)).result()
    same(client.compute(dd.read_orc(tmp_path / "o", index="id")).result(), pdf)


def test_refuses(folder, tmp_path):
    with pytest.raises(FileNotFoundError):
        dd.read_orc(str(tmp_path / "nothing.orc"))
    with pytest.raises(ValueError, match="no column 'no'.*'late'"):
        dd.read_orc(folder, columns=["no"])
    with pytest.raises(ValueError, match="no column 'no'"):
        dd.read_orc(folder, index="no")
    with pytest.raises(ValueError, match="split_stripes"):
        dd.read_orc(folder, split_stripes=0)
    with pytest.raises(ValueError, match="engine"):
        dd.read_orc(folder, engine="other")
    with pytest.raises(TypeError, match="list"):
        dd.read_orc(folder, columns="i")
    df = dd.from_pandas(pd.DataFrame({"c": pd.Categorical(["a"]), "u": np.array([1], "uint8")}), npartitions=1)
    for column in df:
        with pytest.raises(NotImplementedError, match=f"'{column}'.*astype"):
            df[[column]].to_orc(tmp_path / "refused")
    assert not os.path.exists(tmp_path / "refused")
    with pytest.raises(ValueError, match="text"):
        dd.from_pandas(pd.DataFrame({1: [1]}), npartitions=1).to_orc(tmp_path / "refused")


def test_files_that_differ(tmp_path):
    for i, frame in enumerate((pd.DataFrame({"x": [1], "y": [2]}), pd.DataFrame({"y": [4.5], "x": [3]}), pd.DataFrame({"x": [5]}))):
        orc.write_table(pa.Table.from_pandas(frame, preserve_index=False), str(tmp_path / f"{i}.orc"))
    same(dd.read_orc([str(tmp_path / "0.orc"), str(tmp_path / "1.orc")]).compute().reset_index(drop=True), pd.DataFrame({"x": [1, 3], "y": [2, 4.5]}))
    error = raised(dd.read_orc(str(tmp_path)).compute)
    assert isinstance(error, ValueError) and "2.orc" in str(error) and "'y'" in str(error)
    changed = dd.read_orc(str(tmp_path / "0.orc"))
    orc.write_table(pa.table({"x": range(100), "y": range(100)}), str(tmp_path / "0.orc"))
    with pytest.raises(OSError, match="changed"):
        changed.compute()


def test_a_full_disk_is_an_error(tmp_path):
    """Also where the writer's last bytes do not fit; nothing is left behind."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    df = dd.from_pandas(rows(), npartitions=3)
    try:
        for size in (10, 4_000, 40_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
            with pytest.raises(OSError, match="File too large.*part"):
                df.to_orc(tmp_path / "out")
            assert not [f for _, _, files in os.walk(tmp_path) for f in files]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
