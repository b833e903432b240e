"""Parquet against pandas and pyarrow: what is read, what is written, what is refused."""

import datetime
import os
import pathlib
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import muster
import muster.dataframe as dd
from conftest import PLACE, example_frame, same


@pytest.fixture
def frame():
    f = example_frame()
    n = len(f)
    f["k"] = pd.Categorical(np.where(np.arange(n) % 3 == 0, "a", "b"))
    f["n"] = pd.array(np.where(np.arange(n) % 5 == 0, None, np.arange(n)), dtype="Int64")
    f["z"] = pd.date_range("2020", periods=n, freq="h", tz="Europe/Berlin")
    f["l"] = [f"text {i}" if i % 7 else None for i in range(n)]
    return f


NATIVE = list("ijufgbstde") + ["l"]


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd", "lz4", "brotli", "none"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_codecs_and_pages(tmp_path, frame, codec, version, dictionary):
    path = tmp_path / "a.parquet"
    frame[NATIVE].to_parquet(path, compression=codec, data_page_version=version, use_dictionary=dictionary, row_group_size=100, data_page_size=300, index=False)
    same(dd.read_parquet(path), frame[NATIVE])
    same(dd.read_parquet(path).groupby("s").f.sum(), frame.groupby("s").f.sum())


@pytest.mark.parametrize("codec", ["snappy", "none"])
@pytest.mark.parametrize("size", [20_000, 400_000, 10_000_000])
def test_pages_smaller_and_larger_than_a_read(tmp_path, codec, size):
    random = np.random.default_rng(0)
    n = 200_000
    f = pd.DataFrame(
        {
            "x": random.normal(size=n),
            "z": np.where(random.random(n) < 0.1, np.nan, random.random(n).round(3)),
            "i": random.integers(0, 1000, n),
            "s": pd.Series([f"text {v}" for v in random.integers(0, 10**6, n)], dtype="str"),
        }
    )
    f.loc[3, "s"] = "a" * 50_000  # a header's statistics hold it, too
    f.loc[50_000:120_000, "z"] = np.nan
    f.to_parquet(tmp_path / "a.parquet", compression=codec, data_page_size=size, use_dictionary=["i"])
    df = dd.read_parquet(tmp_path / "a.parquet")
    same(df, f)
    same(df[df.i == 7].x, f[f.i == 7].x)
    same(df.x.cumsum().tail(), f.x.cumsum().tail())


@pytest.mark.parametrize(
    "encoding,columns",
    [
        ("DELTA_BINARY_PACKED", "i"), ("DELTA_LENGTH_BYTE_ARRAY", "s"), ("DELTA_BYTE_ARRAY", "t"), ("BYTE_STREAM_SPLIT", "fg"), ("RLE", "b"),
        ("PLAIN", "ifsb"),
    ],
)  # fmt: skip
def test_encodings(tmp_path, frame, encoding, columns):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pandas(frame[list(columns)]), path, use_dictionary=False, column_encoding=dict.fromkeys(columns, encoding), data_page_size=200)
    same(dd.read_parquet(path), frame[list(columns)])


def test_carried_columns(tmp_path, frame):
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, row_group_size=70)
    pd.testing.assert_frame_equal(dd.read_parquet(path).compute(), pd.read_parquet(path), check_categorical=False, check_column_type=False)
    same(dd.read_parquet(path, columns=["k", "i"]), frame[["k", "i"]])
    same(dd.read_parquet(path, columns=["z"]), frame[["z"]])
    same(dd.read_parquet(path, columns="i"), frame.i)
    same(dd.read_parquet(path)[["i", "n"]].head(5), frame[["i", "n"]].head(5))


def test_missing_values_decide_dtypes(tmp_path):
    a = pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64"), "b": pd.array([True, None, False], dtype="boolean")})
    table = {"x": pa.array([1, None, 3]), "b": pa.array([True, None, False]), "y": pa.array([1, 2, 3], pa.int32()), "u": pa.array([1, 2, None], pa.uint8())}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    out = dd.read_parquet(tmp_path / "a.parquet")
    same(out[["x", "y", "u"]], pd.read_parquet(tmp_path / "a.parquet")[["x", "y", "u"]])
    assert out.b.compute().tolist()[::2] == [True, False] and out.b.isna().compute().tolist() == [False, True, False]
    assert out.dtypes["x"] == "float64" and out.dtypes["y"] == "int32"
    assert a.x.sum() == out.x.sum().compute()


def test_index(tmp_path, frame):
    by_name = frame[["s", "i"]].set_index("s")
    by_name.to_parquet(tmp_path / "a.parquet")
    same(dd.read_parquet(tmp_path / "a.parquet"), by_name)
    same(dd.read_parquet(tmp_path / "a.parquet", index=False), by_name.reset_index()[["i", "s"]])
    two = frame[["s", "j", "i"]].set_index(["s", "j"])
    two.to_parquet(tmp_path / "b.parquet")
    same(dd.read_parquet(tmp_path / "b.parquet"), two)
    times = frame[["i"]].set_index(pd.date_range("2020", periods=len(frame), freq="h", name="when"))
    times.to_parquet(tmp_path / "c.parquet", row_group_size=50)
    known = dd.read_parquet(tmp_path / "c.parquet", calculate_divisions=True, split_row_groups=True)
    assert known.known_divisions and known.divisions[0] == times.index[0]
    same(known.loc["2020-01-03"], times.loc["2020-01-03"], check_freq=False)


FILTERS = [
    [("i", ">", 0)],
    [("i", ">=", 10), ("f", "<", 50.0)],
    [[("s", "==", "fig")], [("i", "<", -40)]],
    [("s", "in", ["fig", "apple"])],
    [("j", "not in", [0, 1])],
    [("d", ">", pd.Timestamp("2013-01-05"))],
    [("i", "==", 10**9)],
    [("i", "!=", 3)],
]


@pytest.mark.parametrize("filters", FILTERS)
def test_filters(tmp_path, frame, filters):
    path = tmp_path / "a.parquet"
    frame = frame[NATIVE].sort_values("i").reset_index(drop=True)
    frame.to_parquet(path, row_group_size=20)
    theirs = pd.read_parquet(path, filters=filters)
    same(dd.read_parquet(path, filters=filters, split_row_groups=True).reset_index(drop=True), theirs.reset_index(drop=True))
    same(
        dd.read_parquet(path, filters=filters, columns=["t"]).reset_index(drop=True),
        pd.read_parquet(path, filters=filters, columns=["t"]).reset_index(drop=True),
    )


@pytest.mark.parametrize("split", [False, True, 2])
def test_rows_behind_row_groups_that_are_not_read_keep_their_labels(split, tmp_path):
    frame = pd.DataFrame({"x": [5, 4, 3, 9, 2, 1, 7, 0], "s": list("hgfzabyc")})
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=1)
    frame.to_parquet(tmp_path / "b.parquet", row_group_size=3)
    for paths in (["a.parquet"], ["b.parquet"], ["a.parquet", "b.parquet"]):
        df = dd.read_parquet([tmp_path / p for p in paths], split_row_groups=split)
        whole = pd.concat([frame] * len(paths), ignore_index=len(paths) > 1 and df.index.compute().is_unique)
        for mask in (lambda d: d.x < 3, lambda d: d.x == 2, lambda d: (d.x > 6) & (d.s > "y"), lambda d: d.s == "c", lambda d: d.x > 99):
            same(df[mask(df)], whole[mask(whole)])
            same(df[mask(df)].x.idxmax() if mask(frame).any() else df.x.idxmax(), whole[mask(whole)].x.idxmax() if mask(frame).any() else whole.x.idxmax())


def test_row_groups_are_pruned(tmp_path):
    pd.DataFrame({"x": range(1000)}).to_parquet(tmp_path / "a.parquet", row_group_size=100)
    assert dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True).npartitions == 10
    few = dd.read_parquet(tmp_path / "a.parquet", filters=[("x", ">", 850)], split_row_groups=True)
    assert few.npartitions == 2
    assert few.x.compute().tolist() == list(range(851, 1000))


def test_many_files(tmp_path, frame):
    for i in range(30):
        frame[NATIVE].iloc[i * 8 : i * 8 + 8].to_parquet(tmp_path / f"{i:02d}.parquet", index=False)
    expected = frame[NATIVE].iloc[:240].reset_index(drop=True)
    same(dd.read_parquet(tmp_path), expected)
    same(dd.read_parquet(str(tmp_path / "*.parquet")), expected)
    same(dd.read_parquet([tmp_path / "03.parquet", tmp_path / "01.parquet"]), pd.concat([expected.iloc[24:32], expected.iloc[8:16]], ignore_index=True))


def test_hive_numbers_written_in_two_ways(tmp_path):
    pd.DataFrame({"x": [1, 2, 3], "p": ["1", "01", "2"]}).to_parquet(tmp_path, partition_cols=["p"], index=False)
    df = dd.read_parquet(tmp_path)
    assert df[df.p == 1].x.sum().compute() == 3
    assert df.p.compute().cat.categories.tolist() == [1, 2]


def test_hive(tmp_path, frame):
    part = frame[["i", "s", "j", "f"]]
    pq.write_to_dataset(pa.Table.from_pandas(part), tmp_path, partition_cols=["j", "s"])
    theirs = pd.read_parquet(tmp_path)
    ours = dd.read_parquet(tmp_path)
    one, two = (f.sort_values(["f", "i"]).reset_index(drop=True) for f in (ours.compute(), theirs))
    pd.testing.assert_frame_equal(one, two, check_categorical=False, check_column_type=False)
    assert (ours.dtypes.astype(str) == theirs.dtypes.astype(str)).all()


def test_round_trip(tmp_path, frames):
    pdf, df = frames
    df.to_parquet(tmp_path / "out")
    same(dd.read_parquet(tmp_path / "out"), pdf)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out").sort_index(), pdf, check_column_type=False)
    assert not list(pathlib.Path(tmp_path / "out").glob(".*"))


def test_write_options(tmp_path, frame):
    df = dd.from_pandas(frame, npartitions=3)
    df.to_parquet(tmp_path / "a", partition_on="j", write_index=False, compression="zstd")
    back = dd.read_parquet(tmp_path / "a").compute()
    assert back.groupby("j", observed=True).i.sum().tolist() == frame.groupby("j").i.sum().tolist()
    df.to_parquet(tmp_path / "b")
    df.to_parquet(tmp_path / "b", append=True)
    assert len(dd.read_parquet(tmp_path / "b")) == 2 * len(frame)
    df.to_parquet(tmp_path / "b", overwrite=True)
    same(dd.read_parquet(tmp_path / "b"), frame)
    with pytest.raises(ValueError, match="overwrite"):
        df.to_parquet(tmp_path / "b", append=True, overwrite=True)
    lazy = df.to_parquet(tmp_path / "c", compute=False)
    assert not list((tmp_path / "c").glob("*.parquet"))
    lazy.compute()
    assert len(list((tmp_path / "c").glob("*.parquet"))) == 3


WRITES = {
    "to_parquet": lambda df, folder: df.to_parquet(folder / "new" / "a"),
    "folders": lambda df, folder: df.to_parquet(folder / "new", partition_on="k"),
    "append": lambda df, folder: df.to_parquet(folder / "old", append=True),
    "overwrite": lambda df, folder: df.to_parquet(folder / "old", overwrite=True, name_function=lambda i: f"new.{i}.parquet"),
    "to_csv": lambda df, folder: df.to_csv(folder / "new" / "deep" / "*.csv"),
    "single file": lambda df, folder: df.to_csv(folder / "new" / "one.csv", single_file=True),
    "to_json": lambda df, folder: df.to_json(folder / "new" / "j"),
    "to_parquet later": lambda df, folder: df.to_parquet(folder / "new" / "a", compute=False).compute(),
    "folders later": lambda df, folder: muster.compute(df.to_parquet(folder / "new", partition_on="k", compute=False)),
    "to_csv later": lambda df, folder: df.to_csv(folder / "new" / "*.csv", compute=False).compute(),
    "single file later": lambda df, folder: df.to_csv(folder / "new" / "one.csv", single_file=True, compute=False).compute(),
}

# Folders where a file of each is to be put.
IN_THE_WAY = {
    "to_parquet": "new/a/part.3.parquet",
    "folders": "new/k=b/part.3.parquet",
    "append": "old/part.10.parquet",
    "overwrite": "old/new.3.parquet",
    "to_csv": "new/deep/3.csv",
    "single file": "new/one.csv",
    "to_json": "new/j/3.part",
    "to_parquet later": "new/a/part.3.parquet",
    "folders later": "new/k=b/part.3.parquet",
    "to_csv later": "new/3.csv",
    "single file later": "new/one.csv",
}


def listed(folder):
    return sorted((str(p.relative_to(folder)), p.read_bytes() if p.is_file() else None) for p in folder.rglob("*"))


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, "write", "argument"], ids=str)
@pytest.mark.parametrize("name", WRITES)
def test_a_failed_write_leaves_nothing(tmp_path, name, error):
    good = dd.from_pandas(pd.DataFrame({"x": range(12), "k": list("aabb") * 3}), npartitions=7)
    good.to_parquet(tmp_path / "old")
    if error == "write":
        (tmp_path / IN_THE_WAY[name]).mkdir(parents=True)
    before = listed(tmp_path)

    def part(p, info=None):
        if p.x.max() > 8:
            raise error()
        return p

    bad = good if isinstance(error, str) else good.map_partitions(part, meta=good._meta)
    if error == "argument":
        with pytest.raises((TypeError, ValueError)):
            good.to_csv(tmp_path / "new" / "*.csv", nope=1)
    else:
        with pytest.raises(OSError if error == "write" else error):
            WRITES[name](bad, tmp_path)
    assert listed(tmp_path) == before


INTERRUPTED = """
import os, pathlib, signal, threading, time
import pandas as pd
import muster.dataframe as dd
from muster import config


def slow(part):
    time.sleep(0.2)
    return part


def interrupt():
    while not list(pathlib.Path("new").rglob("*.csv")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


if os.environ["PLACE"] == "cluster":
    from muster.distributed import Client

    client = Client(n_workers=2, threads_per_worker=1, dashboard_address=None)
else:
    config.set(scheduler=os.environ["PLACE"])
df = dd.from_pandas(pd.DataFrame({"x": range(60)}), npartitions=60).map_partitions(slow, meta={"x": "int64"})
threading.Thread(target=interrupt).start()
try:
    later = df.to_csv("new/deep/*.csv", compute=os.environ["WHEN"] == "now")
    later.compute()
except KeyboardInterrupt:
    print("interrupted")
end = time.monotonic() + 20
while os.path.exists("new") and time.monotonic() < end:
    time.sleep(0.05)
print(os.listdir())
"""


@pytest.mark.parametrize("where, when", [("threads", "now"), ("processes", "later"), ("cluster", "later")])
def test_an_interrupted_write_leaves_nothing(python, where, when):
    out = python(INTERRUPTED, PLACE=where, WHEN=when)
    assert out.stdout.splitlines() == ["interrupted", "['program.py']"], out.stderr


@pytest.mark.parametrize("protocol", [pytest.param("memory", marks=pytest.mark.this_process("each process has a file system in memory of its own")), "local"])
@pytest.mark.parametrize("name", WRITES)
def test_a_failed_write_leaves_nothing_behind_a_url(tmp_path, name, protocol):
    import fsspec

    system = fsspec.filesystem(protocol)
    good = dd.from_pandas(pd.DataFrame({"x": range(12), "k": list("aabb") * 3}), npartitions=7)

    class Url(str):
        def __truediv__(self, name):
            return Url(f"{self}/{name}")

    root = Url(f"{protocol}://{tmp_path}")
    good.to_parquet(str(root / "old"))
    before = {path: (system.cat_file(path) if system.isfile(path) else None) for path in system.find(root, withdirs=True)}

    def part(p, info=None):
        if p.x.max() > 8:
            raise ZeroDivisionError
        return p

    bad = good.map_partitions(part, meta=good._meta)
    with pytest.raises(ZeroDivisionError):
        WRITES[name](bad, root)
    assert {path: (system.cat_file(path) if system.isfile(path) else None) for path in system.find(root, withdirs=True)} == before
    WRITES[name](good, root)
    assert system.find(root) != [path for path, content in before.items() if content is not None]
    system.rm(root, recursive=True)


def test_a_full_disk_is_named(tmp_path):
    if os.system(f"mount -t tmpfs -o size=200k tmpfs {tmp_path} 2>/dev/null"):
        pytest.skip("no file system of its own can be mounted")
    try:
        df = dd.from_pandas(pd.DataFrame({"x": np.random.default_rng(0).random(100_000)}), npartitions=3)
        for write in (lambda: df.to_parquet(tmp_path / "new"), lambda: df.to_csv(tmp_path / "new" / "*.csv")):
            with pytest.raises(OSError, match="No space left.*new"):
                write()
            assert listed(tmp_path) == []
    finally:
        os.system(f"umount {tmp_path}")


INDEXES = {
    "zone": pd.date_range("2020", periods=4, tz="Europe/Berlin"),
    "date": pd.Index([__import__("datetime").date(2020, 1, i) for i in range(1, 5)]),
    "decimal": pd.Index([__import__("decimal").Decimal(i) for i in range(4)]),
    "period": pd.period_range("2020", periods=4, freq="M"),
    "duration": pd.to_timedelta([1, 2, 3, 4], unit="D"),
    "category": pd.CategoricalIndex(list("abab")),
    "category of integers": pd.CategoricalIndex([1, 2, 1, 2]),
    "interval": pd.interval_range(0, 4),
    "Int64": pd.Index([1, 2, 3, 4], dtype="Int64"),
    "two levels": pd.MultiIndex.from_product([[1, 2], pd.date_range("2020", periods=2, tz="UTC")]),
}


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_that_only_the_arrow_schema_tells(tmp_path, kind, named):
    index = INDEXES[kind]
    index = index.set_names(["p", "q"][: index.nlevels] if named else [None] * index.nlevels)
    frame = pd.DataFrame({"x": range(4)}, index=index)
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "a.parquet").compute(), pd.read_parquet(tmp_path / "a.parquet"), check_freq=False)
    assert dd.read_parquet(tmp_path / "a.parquet").x.sum().compute() == 6


COLUMNS = {
    "duration": pa.array([1, 2, None], pa.duration("us")),
    "seconds": pa.array([1, 2, None], pa.timestamp("s")),
    "category": pa.array(["1", "2", None]).dictionary_encode(),
    "category of integers": pa.array([1, 2, None]).dictionary_encode(),
    "nothing": pa.nulls(3),
    "uint64": pa.array([1, 2**64 - 1, None], pa.uint64()),
    "uint32": pa.array([1, 2**32 - 1, None], pa.uint32()),
    "zone": pa.array([1, 2, None], pa.timestamp("us", "+02:00")),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_that_only_the_arrow_schema_tells(tmp_path, kind):
    pq.write_table(pa.table({"y": COLUMNS[kind], "x": [1, 2, 3]}), tmp_path / "a.parquet", row_group_size=2)
    ours = dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True)
    pd.testing.assert_frame_equal(ours.compute(), pd.read_parquet(tmp_path / "a.parquet"))
    assert ours.x.sum().compute() == 6


@pytest.mark.parametrize("dtype", ["int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "timestamp[us][pyarrow]", "Int8", "boolean", "string"])
def test_dtypes_that_pandas_wrote_down(tmp_path, dtype):
    values = {"b": [True, None, False], "t": [pd.Timestamp("2020"), None, pd.Timestamp("2021")], "s": ["a", None, "b"]}.get(dtype[0], [1, None, 3])
    frame = pd.DataFrame({"y": pd.array([2**53 + 1, None, 3] if dtype == "int64[pyarrow]" else values, dtype=dtype), "x": range(3)})
    dd.from_pandas(frame, npartitions=2).to_parquet(tmp_path / "a")
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path / "a").compute(), frame)


def test_folders_of_any_text(tmp_path):
    texts = ["a/b", "c%d", "e=f", " x", "\u00e4", "a+b", "%2F", "*?[x]", ".", "a:b", "x\ny", "\\", "#"]
    frame = pd.DataFrame({"k=/%": texts, "x": range(len(texts))})
    dd.from_pandas(frame, npartitions=2).to_parquet(tmp_path / "a", partition_on="k=/%", write_index=False)
    out = dd.read_parquet(tmp_path / "a").compute().sort_values("x")
    assert out["k=/%"].tolist() == texts and out.x.tolist() == frame.x.tolist()


def test_bad_files(tmp_path, frame):
    path = tmp_path / "a.parquet"
    frame[NATIVE].to_parquet(path)
    whole = path.read_bytes()
    for cut in (3, 100, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(OSError, match="a.parquet"):
            dd.read_parquet(path)
    path.write_bytes(whole[:-20] + b"\xff" * 12 + whole[-8:])
    with pytest.raises(OSError, match="a.parquet"):
        dd.read_parquet(path)
    for at in range(4, len(whole) // 2, 97):  # pages
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        os.utime(path, ns=(at, at))
        try:
            dd.read_parquet(path).compute()
        except (OSError, NotImplementedError, ValueError) as error:
            assert "a.parquet" in str(error)
    with pytest.raises(FileNotFoundError):
        dd.read_parquet(tmp_path / "nothing.parquet")
    with pytest.raises(KeyError, match="nope"):
        path.write_bytes(whole)
        dd.read_parquet(path, columns=["nope"])


def test_different_schemas(tmp_path):
    pd.DataFrame({"x": [1], "y": ["a"]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"x": ["1"], "y": ["a"]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="column 'x'.*b.parquet"):
        dd.read_parquet(tmp_path)
    assert dd.read_parquet(tmp_path, columns=["y"]).compute().y.tolist() == ["a", "a"]  # what nobody asks for may be anything


FOLDERS = {
    "wider": (pa.array([1, 2], pa.int32()), pa.array([2**40], pa.int64()), "int64"),
    "narrower": (pa.array([2**40], pa.int64()), pa.array([1, 2], pa.int32()), "int64"),
    "sign": (pa.array([200], pa.uint8()), pa.array([-1], pa.int8()), "int16"),
    "no common integer": (pa.array([2**63], pa.uint64()), pa.array([-1], pa.int64()), "float64"),
    "fraction": (pa.array([1, None]), pa.array([1.5]), "float64"),
    "floats": (pa.array([1.5], pa.float32()), pa.array([0.1]), "float64"),
    "text then nothing": (pa.array(["a", "b"]), pa.nulls(2), "str"),
    "numbers then nothing": (pa.array([1, 2]), pa.nulls(2), "float64"),
    "times then nothing": (pa.array([1, 2], pa.timestamp("us")), pa.nulls(2), "datetime64[us]"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_dtypes_that_differ_between_files(tmp_path, kind):
    *arrays, dtype = FOLDERS[kind]
    for i, array in enumerate(arrays):
        pq.write_table(pa.table({"y": array, "x": list(range(len(array)))}), tmp_path / f"{i}.parquet")
    ours = dd.read_parquet(tmp_path)
    theirs = pd.concat([a.to_pandas() for a in arrays]).astype(dtype)
    out = ours.compute()
    assert str(out.y.dtype) == dtype and str(ours.dtypes["y"]) == dtype
    pd.testing.assert_series_equal(out.y.reset_index(drop=True), theirs.reset_index(drop=True), check_names=False)


def test_nothing_then_text(tmp_path):
    for i, array in enumerate([pa.nulls(2), pa.array(["a"])]):
        pq.write_table(pa.table({"y": array, "x": list(range(len(array)))}), tmp_path / f"{i}.parquet")
    out = dd.read_parquet(tmp_path).compute()
    assert out.y.isna().tolist() == [True, True, False] and out.y.iloc[2] == "a"


ZONED = [pa.timestamp(unit, "Europe/Berlin") for unit in ("ms", "ns")]
MIXED = {
    "units": (pa.array([1, None], pa.timestamp("ms")), pa.array([5], pa.timestamp("us")), pa.array([7], pa.timestamp("ns"))),
    "units of zones": (pa.array([1, None], ZONED[0]), pa.array([5], ZONED[1])),
    "durations": (pa.array([1, None], pa.duration("s")), pa.array([5], pa.duration("us"))),
    "scales": (pa.array([Decimal("1.25")], pa.decimal128(5, 2)), pa.array([Decimal("1.0625"), None], pa.decimal128(9, 4))),
    "nothing then decimals": (pa.nulls(2), pa.array([Decimal("1.25")], pa.decimal128(5, 2))),
    "dictionaries": (pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "a"]).dictionary_encode()),
    "nothing then dates": (pa.nulls(1), pa.array([17000], pa.date32())),
    "nullable": (pd.array([1, None], "Int64"), pd.array([1, 2], "int64")),
    "bools then nothing": (pa.array([True, False]), pa.nulls(1)),
    "texts": (pa.array(["a", None]), pa.array(["b"], pa.large_string())),
    "lists": (pa.array([[1, 2]], pa.list_(pa.int32())), pa.array([[3]], pa.list_(pa.int64()))),
}
DECIDED = {  # pandas.concat makes objects of two kinds
    "categories then text": (pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", None]), pd.Series(["a", "b", "c", None], dtype="str")),
    "categories then numbers": (pa.array([5, 7]).dictionary_encode(), pa.array([1]), pd.Series([5, 7, 1])),
    "dates then times": (pa.array([1], pa.date32()), pa.array([5], pa.timestamp("us")), pd.Series(np.array([86_400_000_000, 5], "datetime64[us]"))),
    "decimals then numbers": (pa.array([Decimal("1.25")], pa.decimal128(5, 2)), pa.array([2]), pd.Series([Decimal("1.25"), Decimal("2.00")], dtype=object)),
}


def _files_of(tmp_path, arrays):
    for i, array in enumerate(arrays):
        frame = pd.DataFrame({"n": range(len(array))})
        carried = isinstance(array, pd.api.extensions.ExtensionArray)
        table = pa.Table.from_pandas(frame.assign(y=array)) if carried else pa.Table.from_pandas(frame).append_column("y", array)
        pq.write_table(table, tmp_path / f"{i}.parquet")
    return dd.read_parquet(tmp_path)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", MIXED)
def test_types_that_differ_between_files(tmp_path, kind, turned):
    ours = _files_of(tmp_path, MIXED[kind][:: -1 if turned else 1])
    theirs = pd.concat([pd.read_parquet(f) for f in sorted(tmp_path.iterdir())], ignore_index=True)
    if kind == "dictionaries":
        theirs["y"] = pd.Categorical(theirs.y, ours.y.compute().cat.categories)
    elif kind == "bools then nothing":
        theirs["y"] = theirs.y.where(theirs.y.notna(), np.nan)
    out = ours.compute()
    if out.y.dtype == object and len(out.y.dropna()) and hasattr(out.y.dropna().iloc[0], "tolist"):
        out["y"], theirs["y"] = out.y.map(list), theirs.y.map(list)
    pd.testing.assert_frame_equal(out, theirs)
    pd.testing.assert_frame_equal(ours[ours.y.notna()].compute(), theirs[theirs.y.notna()]) if kind not in ("lists", "bools then nothing") else None


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", DECIDED)
def test_types_that_pandas_would_leave_side_by_side(tmp_path, kind, turned):
    *arrays, expected = DECIDED[kind]
    if turned:
        arrays = arrays[::-1]
        expected = pd.concat([expected.iloc[len(arrays[1]) :], expected.iloc[: len(arrays[1])]])
    out = _files_of(tmp_path, arrays).compute()
    pd.testing.assert_series_equal(out.y.reset_index(drop=True), expected.reset_index(drop=True), check_names=False)


@pytest.mark.parametrize(
    "arrays",
    [
        (pa.array([1]), pa.array(["1"])),
        (pa.array([True]), pa.array([1])),
        (pa.array([1], ZONED[0]), pa.array([1], pa.timestamp("ms", "UTC"))),
        (pa.array([1], ZONED[0]), pa.array([1], pa.timestamp("ms"))),
        (pa.array([b"1"]), pa.array(["1"])),
        (pa.array([[1]]), pa.array([1])),
    ],
)
def test_types_without_anything_in_common(tmp_path, arrays):
    for turned in (arrays, arrays[::-1]):
        with pytest.raises(ValueError, match=r"column 'y' is .*parquet' and .*parquet'"):
            _files_of(tmp_path, turned)


def test_filters_of_promoted_columns(tmp_path):
    for i, array in enumerate([pa.array([1, 2], pa.int32()), pa.array([2**40, None]), pa.array([1.5, 2.0])]):
        pq.write_table(pa.table({"y": array}), tmp_path / f"{i}.parquet")
    df, pdf = dd.read_parquet(tmp_path), pd.concat([pd.read_parquet(f) for f in sorted(tmp_path.iterdir())], ignore_index=True)
    for keep in (lambda d: d.y > 1.75, lambda d: d.y == 2, lambda d: d.y >= 2**40, lambda d: d.y.isin([1, 1.5]), lambda d: d.y != 2, lambda d: d.y.isna()):
        pd.testing.assert_frame_equal(df[keep(df)].compute(), pdf[keep(pdf)])
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path, filters=[("y", ">", 1.75)]).compute(), pdf[pdf.y > 1.75])
    for i, unit in enumerate(["ms", "us"]):
        pq.write_table(pa.table({"y": pa.array([1000, 2000], pa.timestamp(unit))}), tmp_path / f"{i}.parquet")
    (tmp_path / "2.parquet").unlink()
    df, pdf = dd.read_parquet(tmp_path), pd.concat([pd.read_parquet(f) for f in sorted(tmp_path.iterdir())], ignore_index=True)
    when = pd.Timestamp("1970-01-01 00:00:00.0015")
    pd.testing.assert_frame_equal(df[df.y > when].compute(), pdf[pdf.y > when])
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path, filters=[("y", ">", when)]).compute(), pdf[pdf.y > when])


@pytest.mark.parametrize("turned", [False, True])
def test_columns_that_some_files_do_not_have(tmp_path, turned):
    frames = [
        pd.DataFrame({"i": [1, 2], "t": ["a", "b"], "f": [0.5, 1.5]}),
        pd.DataFrame(
            {
                "f": [2.5], "b": [True], "c": pd.Categorical(["x"]), "n": pd.array([7], "Int64"),
                "d": pd.to_datetime(["2020-01-01"]).astype("datetime64[us]"),
            }
        ),  # fmt: skip
        pd.DataFrame({"i": [3, 4], "z": [9, 9]}),
    ][:: -1 if turned else 1]
    for i, frame in enumerate(frames):
        frame.to_parquet(tmp_path / f"{i}.parquet")
    expected, df = pd.concat(frames, ignore_index=True), dd.read_parquet(tmp_path)
    pd.testing.assert_frame_equal(df.compute(), expected)
    for columns in (["t"], ["c", "i"], ["z", "f"]):
        pd.testing.assert_frame_equal(dd.read_parquet(tmp_path, columns=columns).compute(), expected[columns])
    for keep in (lambda d: d.i > 1, lambda d: d.t == "a", lambda d: d.d.isna(), lambda d: d.n > 1):
        pd.testing.assert_frame_equal(df[keep(df)].compute().drop(columns=["b", "c"]), expected[keep(expected).fillna(False)].drop(columns=["b", "c"]))
    assert len(df) == len(expected) and df.z.sum().compute() == expected.z.sum()
    indexed = [frame.set_index("f") for frame in frames if "f" in frame]
    for i, frame in enumerate(indexed):
        frame.to_parquet(tmp_path / f"{i}.parquet")
    (tmp_path / "2.parquet").unlink()
    pd.testing.assert_frame_equal(dd.read_parquet(tmp_path).compute(), pd.concat(indexed))


@pytest.mark.parametrize("alone", [True, False])
def test_times_beyond_nanoseconds(tmp_path, alone):
    times = pa.array([253402214400000000, 0, None], pa.timestamp("us"))
    table = pa.table({"y": times} if alone else {"y": times, "x": [1, 2, 3]})
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    pd.testing.assert_series_equal(dd.read_parquet(tmp_path / "a.parquet").y.compute(), times.to_pandas().rename("y"))
    pq.write_table(table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True, store_schema=False)
    with pytest.raises(NotImplementedError, match="a.parquet.*'y'.*int96"):
        dd.read_parquet(tmp_path / "a.parquet").compute()


def test_nested_decimal_and_dates(tmp_path):
    import datetime

    table = pa.table(
        {
            "i": [1, 2], "l": [[1], [2, 3]], "d": [Decimal("1.5"), None], "t": [datetime.date(2020, 1, 1), None], "s": [{"a": 1}, {"a": 2}],
            "b": [b"x", b"y"],
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    ours, theirs = dd.read_parquet(tmp_path / "a.parquet").compute(), pd.read_parquet(tmp_path / "a.parquet")
    for c in theirs:
        assert [repr(v) for v in ours[c]] == [repr(v) for v in theirs[c]]
    assert dd.read_parquet(tmp_path / "a.parquet").i.sum().compute() == 3


def test_polars_and_duckdb_frames(frame):
    table = pa.Table.from_pandas(frame[NATIVE])
    same(dd.from_arrow(table, npartitions=3), frame[NATIVE])
    again = pa.table(dd.from_pandas(frame[NATIVE], npartitions=2))
    pd.testing.assert_frame_equal(again.to_pandas(), frame[NATIVE], check_column_type=False)


def test_text_files(tmp_path, frames):
    pdf, df = frames
    plain = ["i", "f", "s"]
    files = df[plain].to_csv(tmp_path / "out-*.csv", index=False)
    assert len(files) == df.npartitions
    back = pd.concat([pd.read_csv(f, keep_default_na=False, na_values=[""]) for f in files if os.path.getsize(f)], ignore_index=True)
    np.testing.assert_allclose(back.f, pdf.f)
    df[plain].to_csv(tmp_path / "one.csv", single_file=True)
    assert (tmp_path / "one.csv").read_text() == pdf[plain].to_csv()
    df[plain].to_json(tmp_path / "json-*.json")
    same(dd.read_json(str(tmp_path / "json-*.json")).i.reset_index(drop=True), pdf.i.reset_index(drop=True))
    same(dd.read_json(str(tmp_path / "json-*.json"), blocksize=500).s.reset_index(drop=True), pdf.s.reset_index(drop=True))
    df[plain].to_csv(tmp_path / "z-*.csv.gz", compression="gzip", index=False)
    assert len(dd.read_csv(str(tmp_path / "z-*.csv.gz"))) == len(pdf)


def test_from_map_and_array():
    made = dd.from_map(lambda i, j: pd.DataFrame({"x": [i, j]}), [1, 2], [3, 4], divisions=None)
    assert made.npartitions == 2 and made.x.compute().tolist() == [1, 3, 2, 4]
    with pytest.raises(TypeError):
        dd.from_map(3, [1])
    same(dd.from_array(np.arange(10).reshape(5, 2), chunksize=2, columns=["a", "b"]), pd.DataFrame(np.arange(10).reshape(5, 2), columns=["a", "b"]))


# The place of a program that has a limit in its environment.
AT = {
    "threads": "contextlib.nullcontext()",
    "synchronous": 'muster.config.set(scheduler="synchronous")',
    "cluster": 'Client(n_workers=2, threads_per_worker=1, memory_limit=os.environ["MUSTER_MEMORY_LIMIT"], dashboard_address=None)',
    "processes": 'muster.config.set(scheduler="processes", num_workers=2)',
}


def test_many_groups_spill(tmp_path, python):
    pd.DataFrame({"k": np.random.default_rng(0).permutation(300_000), "v": 1.5, "s": "text"}).to_parquet(tmp_path / "a.parquet", row_group_size=30_000)
    program = f"""
import contextlib, os
import muster, muster.dataframe as dd
from muster import _core
from muster.distributed import Client
with {AT[PLACE]}:
    df = dd.read_parquet({str(tmp_path / "a.parquet")!r}, split_row_groups=True)
    r = df.groupby("k").agg({{"v": ["sum", "median", "nunique"], "s": "max"}}).compute()
    assert len(r) == 300_000 and (r.v["sum"] == 1.5).all() and (r.v["median"] == 1.5).all() and (r.v["nunique"] == 1).all() and (r.s["max"] == "text").all()
    assert r.index.tolist() == list(range(300_000))
    assert df.k.nunique().compute() == 300_000
    print(_core.spilled_bytes())
"""
    here = PLACE in ("threads", "synchronous")  # else workers spill, which nobody counts from outside
    spilled = int(python(program, MUSTER_MEMORY_LIMIT="40MB").stdout)
    assert spilled > 0 or not here
    assert int(python(program, MUSTER_MEMORY_LIMIT="8GB").stdout) == 0
    if PLACE != "processes":  # whose workers have a limit of their own
        failed = python(program, MUSTER_MEMORY_LIMIT="40MB", MUSTER_TEMPORARY_DIRECTORY="/nowhere", check=False)
        assert failed.returncode and "MUSTER_TEMPORARY_DIRECTORY" in failed.stderr


@pytest.fixture(scope="module")
def many_groups(tmp_path_factory):
    path = tmp_path_factory.mktemp("groups") / "many.parquet"
    rng = np.random.default_rng(0)
    pd.DataFrame({"k": rng.permutation(4_000_000) * 7, "v": rng.random(4_000_000)}).to_parquet(path, row_group_size=250_000)
    return path


@pytest.mark.parametrize(
    "query",
    [
        "df.groupby('k').v.sum()", "df.groupby('k', sort=False).v.sum()", "df.groupby('k').v.median()", "df.drop_duplicates('k')", "df.nunique()",
        "df.k.value_counts()", "df",
    ],
)  # fmt: skip
def test_the_limit_holds_while_groups_are_many(many_groups, python, query):
    program = f"""
import muster.dataframe as dd, pandas as pd

def high_water():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) << 10

small = dd.from_pandas(pd.DataFrame({{"k": [1, 2], "v": [0.5, 1]}}), npartitions=2)
for warm in (small.groupby("k").v.sum(), small.drop_duplicates("k"), small.nunique(), small.k.value_counts()):
    warm.compute()
before = high_water()
df = dd.read_parquet({str(many_groups)!r})
result = {query}.compute()
assert len(result) in (2, 4_000_000)
print(high_water() - before)
"""
    limit, result = 200_000_000, 4_000_000 * 3 * 8  # rows of two columns and an index
    assert int(python(program, MUSTER_MEMORY_LIMIT=str(limit)).stdout) < limit + result, "more than the limit and the result"


def test_damaged_footers_and_pages(tmp_path, frame):
    import random

    draw, path = random.Random(5), tmp_path / "a.parquet"
    frame[NATIVE].to_parquet(path, row_group_size=100, data_page_size=300)
    whole = path.read_bytes()
    for i in range(400):
        bytes_ = bytearray(whole)
        for _ in range(draw.choice([1, 2, 5])):
            bytes_[draw.randrange(4, len(bytes_) - 8)] = draw.randrange(256)
        path.write_bytes(bytes_)
        os.utime(path, ns=(i, i))
        try:
            dd.read_parquet(path).compute()
        except (OSError, NotImplementedError, ValueError) as error:
            assert "a.parquet" in str(error) or isinstance(error, NotImplementedError)


@pytest.mark.parametrize("index", [pd.RangeIndex(5, 9), pd.RangeIndex(0, 8, 2, name="r"), pd.RangeIndex(4, 0, -1), pd.to_timedelta([1, 2, 3, 4], unit="s")])
def test_indexes_that_are_ranges_or_durations(tmp_path, index):
    frame = pd.DataFrame({"x": [1, 2, 3, 4]}, index=index)
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=2)
    df = dd.read_parquet(tmp_path / "a.parquet", split_row_groups=True)
    same(df, frame)
    same(df[df.x > 2].x + 1, frame[frame.x > 2].x + 1)
    dd.from_pandas(frame, npartitions=2, sort=False).to_parquet(tmp_path / "out")
    same(dd.read_parquet(tmp_path / "out"), frame)


@pytest.mark.parametrize(
    "values",
    [
        [Decimal("1.50"), Decimal("2.25")],
        [datetime.date(2020, 1, 1), datetime.date(1969, 1, 1)],
        [[1, 2], [3]],
        [b"a", b"bc"],
        [{"a": 1}, {"a": 2}],
    ],
)
def test_partitions_without_a_value_of_an_object_column(values, tmp_path):
    frame = pd.DataFrame({"o": [None] * 3 + values + [None], "n": range(6)})
    frame["o"] = frame["o"].astype(object)
    frame.loc[[0, 1, 2, 5], "o"] = None
    df = dd.from_map(lambda part: part, [frame[:3], frame[3:3], frame[3:5], frame[5:]], meta=frame[:0])
    df.to_parquet(tmp_path / "all")
    back = dd.read_parquet(tmp_path / "all").compute()
    assert back.n.tolist() == list(range(6)) and back.index.tolist() == list(range(6))
    assert [None if pd.api.types.is_scalar(v) and pd.isna(v) else v.tolist() if hasattr(v, "tolist") else v for v in back.o] == frame.o.tolist()
    df[df.n > 2].to_parquet(tmp_path / "some")
    assert dd.read_parquet(tmp_path / "some").n.compute().tolist() == [3, 4, 5]


@pytest.mark.parametrize("query", ["k > 10", "k < 10", "k == 1", "k > 100", "k != 1"])
def test_rows_that_are_filtered_out_still_say_dtypes(tmp_path, query):
    """Of files that are not read, too: what a column is does not change with the rows that are wanted of it."""
    parts = [
        pd.DataFrame({"k": [1, 2], "c": pd.Categorical(["a", "b"]), "b": [True, None]}),
        pd.DataFrame({"k": [11, 12], "c": pd.Categorical(["x", "y"]), "b": [True, False]}),
        pd.DataFrame({"k": [21], "c": pd.Categorical(["a"]), "b": [False]}),
    ]
    for i, part in enumerate(parts):
        part.to_parquet(tmp_path / f"{i}.parquet")
    whole = pd.read_parquet(tmp_path)
    for ours in (dd.read_parquet(tmp_path), dd.read_parquet(tmp_path).persist()):
        kept = ours.query(query).compute().reset_index(drop=True)
        theirs = whole.query(query).reset_index(drop=True)
        pd.testing.assert_frame_equal(kept.astype({"c": "str"}).fillna("none"), theirs.astype({"c": "str"}).fillna("none"))
        assert set(kept.c.cat.categories) == set(theirs.c.cat.categories) == {"a", "b", "x", "y"}


def test_filters_of_read_parquet_keep_values_and_declared_dtypes(tmp_path):
    pq.write_table(pa.table({"k": [1, 2], "i": pa.array([None, 1], pa.int64()), "b": [True, None]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"k": [11, 12], "i": pa.array([5, 6], pa.int64()), "b": [True, False]}), tmp_path / "1.parquet")
    for filters in ([("k", ">", 10)], [("k", "<", 10)], [("k", "==", 2)], [("k", ">", 100)]):
        ours, theirs = dd.read_parquet(tmp_path, filters=filters), pd.read_parquet(tmp_path, filters=filters)
        result = ours.compute()
        assert result.k.tolist() == theirs.k.tolist() and result.i.isna().tolist() == theirs.i.isna().tolist()
        assert result.i.dropna().tolist() == theirs.i.dropna().tolist() and result.b.dropna().tolist() == theirs.b.dropna().tolist()
        assert result.i.dtype == ours.dtypes["i"] and result.b.dtype in (bool, object)


OF_OBJECTS = {
    "bytes": [b"a", b"b", None, b"c"],
    "decimal": [Decimal("1.5"), Decimal("2.5"), None, Decimal(3)],
    "time": [datetime.time(1), datetime.time(2), None, datetime.time(3)],
    "date": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), None, datetime.date(2021, 1, 1)],
    "zoned": pa.array([datetime.datetime(2020, 1, 1), None, datetime.datetime(2020, 1, 3), datetime.datetime(2021, 1, 1)], pa.timestamp("us", "UTC")),
    "duration": pa.array([1, None, 3, 4], pa.duration("us")),
}
ASKED = {
    "bytes": [b"b"],
    "decimal": [Decimal("2.50")],
    "time": [datetime.time(2)],
    "date": [datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2), datetime.datetime(2020, 1, 2, 3), pd.Timestamp("2020-01-02")],
    "zoned": [pd.Timestamp("2020-01-03", tz="UTC"), pd.Timestamp("2020-01-03 01:00", tz="Europe/Berlin")],
    "duration": [datetime.timedelta(microseconds=3), pd.Timedelta(3, "us")],
}


@pytest.mark.parametrize("kind", OF_OBJECTS)
def test_filters_of_any_value(tmp_path, kind):
    for i in range(2):
        pq.write_table(pa.table({"k": [4 * i + n for n in range(4)], "x": OF_OBJECTS[kind]}), tmp_path / f"{i}.parquet", row_group_size=2)
    for value in ASKED[kind]:
        for op in ("==", "!=", "<", "<=", ">", ">=", "in", "not in"):
            if op == "not in" and value == datetime.datetime(2020, 1, 2, 3):
                continue  # Arrow cuts the time off
            for more in ([], [("k", ">", 2)]):
                filters = [("x", op, [value, value] if "in" in op else value), *more]
                theirs = pd.read_parquet(tmp_path, filters=filters).k.tolist()
                assert dd.read_parquet(tmp_path, filters=filters).k.compute().tolist() == theirs, filters
        either = [[("x", "==", value)], [("k", "==", 0)]]
        assert dd.read_parquet(tmp_path, filters=either).k.compute().tolist() == pd.read_parquet(tmp_path, filters=either).k.tolist()


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (0, 1, 0), (0, 2), (2, 1, 0)], ids=str)
def test_ordered_categories_in_some_files(tmp_path, numbers):
    ordered = pd.DataFrame({"x": [1, 2], "c": pd.Categorical(["hi", "lo"], ["lo", "hi"], ordered=True)})
    kinds = [ordered, ordered[["x"]], ordered.assign(c=pd.Categorical(["mid", "lo"], ["lo", "mid"], ordered=True))]
    frames = [kinds[i] for i in numbers]
    for i, frame in enumerate(frames):
        frame.to_parquet(tmp_path / f"{i}.parquet")
    out = dd.read_parquet(tmp_path).compute()
    expected = pd.concat(frames)
    assert out.c.dtype == expected.c.dtype or set(out.c.dtype.categories) == {"lo", "mid", "hi"} and not out.c.dtype.ordered
    pd.testing.assert_frame_equal(out.astype({"c": "str"}).reset_index(drop=True), expected.astype({"c": "str"})[out.columns].reset_index(drop=True))


def test_filters_of_a_column_that_no_file_has(tmp_path):
    pd.DataFrame({"x": [1, 2, 3]}, index=pd.Index([5, 6, 7], name="i")).to_parquet(tmp_path / "a.parquet")
    assert dd.read_parquet(tmp_path / "a.parquet", filters=[("i", ">", 5)]).x.compute().tolist() == [2, 3]
    for filters in ([("ix", ">", 0)], [[("x", ">", 1)], [("x", "==", 1), ("nope", "in", [1])]]):
        with pytest.raises(KeyError, match="filters.*ix.*did you mean|filters.*nope"):
            dd.read_parquet(tmp_path / "a.parquet", filters=filters)
