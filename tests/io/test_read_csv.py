"""read_csv against pandas.read_csv: the pitfalls, the arguments, types that outgrow the sample, blocks cut anywhere."""

import bz2
import collections
import gzip
import lzma
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster.dataframe as dd
from conftest import same

BLOCKSIZES = (None, 1, 7, 16, 33, 1000)


def check(text, tmp_path, blocksizes=BLOCKSIZES, pandas=None, **kwargs):
    """Compare with pandas for several blocksizes; both may raise."""
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    theirs, refused = None, None
    try:
        theirs = pd.read_csv(path, **(kwargs if pandas is None else pandas))
    except Exception as error:
        refused = error
    for blocksize in blocksizes:
        if refused is not None:
            with pytest.raises(ValueError):
                dd.read_csv(str(path), blocksize=blocksize, **kwargs).compute()
        else:
            same(dd.read_csv(str(path), blocksize=blocksize, **kwargs), theirs)


CORPUS = {
    "plain": "a,b\n1,x\n2,y\n",
    "no final newline": "a,b\n1,x\n2,y",
    "crlf": "a,b\r\n1,x\r\n2,y\r\n",
    "bare returns": "a,b\r1,x\r2,y\r",
    "mixed line ends": "a,b\n1,x\r\n2,y\r3,z\n",
    "blank lines": "a,b\n\n1,x\n\n\n2,y\n\n",
    "lines of blanks": "a,b\n  \n1,x\n\t\n2,y\n",
    "one column": "a\n1\n\n2\n",
    "quoted separators": 'a,b\n"1,5",x\n"2",y\n',
    "quoted newlines": 'a,b\n"line\nbreak",1\n"two\n\nbreaks",2\nz,3\n',
    "doubled quotes": 'a,b\n"say ""hi""",1\n"""",2\n"",3\n',
    "quote in the middle": 'a,b\n5" pipe,1\nx"y"z,2\n',
    "text after a closing quote": 'a,b\n"ab"c,1\n"ab" ,2\n',
    "quoted numbers": 'a,b\n"1","2.5"\n"3","4"\n',
    "quoted missing": 'a,b\n"NA",1\n"x",2\n',
    "short rows": "a,b,c\n1\n1,2\n1,2,3\n",
    "too many fields": "a,b\n1,2\n1,2,3\n",
    "only a header": "a,b\n",
    "bom": b"\xef\xbb\xbfa,b\n1,2\n",
    "unclosed quote": 'a,b\n1,"x\n2,y\n',
    "duplicate names": "a,a,a\n1,2,3\n",
    "empty names": ",b,\n1,2,3\n",
    "quoted names": '"a b","c,d"\n1,2\n',
    "floats": "a\n1.5\n-2e3\n+4\n.5\n5.\ninf\n-Infinity\nnan\n1e400\n1e-400\n",
    "integers and floats": "a\n1\n2.5\n",
    "integers and missing": "a,b\n1,1\n,2\n3,3\n",
    "large integers": "a,b\n9223372036854775807,1\n9223372036854775808,2\n",
    "larger integers": "a,b\n18446744073709551616,1\n1,2\n",
    "minus and large": "a,b\n-1,1\n9223372036854775808,2\n",
    "booleans": "a,b\nTrue,false\nFALSE,TRUE\n",
    "booleans and missing": "a,b\nTrue,1\n,2\n",
    "integers with blanks": "a,b\n 1,2\n2 ,3\n+3,4\n",
    "leading zeros": "a,b\n007,1\n-00,2\n",
    "all missing": "a,b\n,1\n,2\n",
    "the missing texts": "a,b\n"
    + "".join(
        f"{x},1\n"
        for x in [
            "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None",
            "n/a", "nan", "null",
        ]
    )
    + "x,2\n",
    "nearly missing": "a\nna\nNone \nNAN\nnull0\n",
    "utf-8": "a,b\nünï,1\n日本,2\n",
    "hexadecimal is text": "a\n0x10\n1\n",
    "numbers and text": "a\n1\n2\nx\n",
    "exponents": "a\n1e5\n2E-3\n",
    "long numbers": "a,b\n123456789012.5,1234567890123\n0.1234567890123456789,1\n3.141592653589793,2\n",
    "rows one longer than the header": "a,b\n1,2,3\nx,5,6\n",
    "rows ending with a separator": "a,b\n1,2,\n4,5,\n",
    "trailing separators": "a,b,\n1,2,\n3,4,\n",
}


# Where pandas gives object: no rows at all, integers beyond 64 bits. muster has no value to tell by, or text.
OTHER_DTYPE = {"only a header", "larger integers"}


@pytest.mark.parametrize("name", CORPUS)
def test_pitfalls(name, tmp_path):
    if name in OTHER_DTYPE:
        (tmp_path / "a.csv").write_text(CORPUS[name])
        ours, theirs = dd.read_csv(str(tmp_path / "a.csv")).compute(), pd.read_csv(tmp_path / "a.csv")
        assert list(ours.columns) == list(theirs.columns)
        assert ours.astype(str).values.tolist() == theirs.astype(str).values.tolist()
    else:
        check(CORPUS[name], tmp_path)


def test_nothing_to_parse(tmp_path):
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(pd.errors.EmptyDataError):
        dd.read_csv(str(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"sep": ";"},
        {"sep": "\t"},
        {"sep": "|"},
        {"sep": r"\s+"},
        {"header": None},
        {"header": None, "names": ["x", "y", "z"]},
        {"names": ["x", "y", "z"], "header": 0},
        {"skiprows": 1},
        {"skiprows": [1]},
        {"header": 1},
        {"usecols": ["a", "c"]},
        {"usecols": [2, 0]},
        {"dtype": str},
        {"dtype": {"a": float, "b": str}},
        {"dtype": {"a": "float32", "c": "int16"}},
        {"na_values": ["x", "7"]},
        {"na_values": [7]},
        {"na_values": {"b": ["x"]}},
        {"keep_default_na": False},
        {"keep_default_na": False, "na_values": ["x"]},
        {"na_filter": False},
        {"true_values": ["yes"], "false_values": ["no"]},
        {"quotechar": "'"},
        {"escapechar": "\\"},
        {"comment": "#"},
        {"skipinitialspace": True},
        {"on_bad_lines": "skip"},
        {"skip_blank_lines": False},
        {"doublequote": False},
        {"quoting": 3},
    ],
    ids=str,
)
def test_arguments(kwargs, tmp_path):
    sep = {r"\s+": " "}.get(kwargs.get("sep"), kwargs.get("sep", ","))
    rows = [["a", "b", "c"], ["1", "x", "7"], ["2", "", "8"], ["3", "yes", "9"], ["4", "NA", "10"], ["5", "'q'", "11"], ["6", "no", "12"]]
    if sep == " ":
        rows = [[x or "empty" for x in r] for r in rows]
    check("\n".join(sep.join(r) for r in rows) + "\n", tmp_path, **kwargs)


def test_words_for_true_and_false(tmp_path):
    check("a,b\nyes,1\nno,2\nTrue,3\n", tmp_path, true_values=["yes"], false_values=["no"])


def test_comments_escapes_and_decimals(tmp_path):
    check("# one\na,b\n1,2 # rest\n# two\n3,4\n", tmp_path, comment="#")
    check('a,b\nx\\,y,1\n"q\\"r",2\n', tmp_path, escapechar="\\")
    check("a;b\n1,5;1.000\n-2,25;2.000\n", tmp_path, sep=";", decimal=",", thousands=".")
    check('a,b\n"1,234",1\n"12,345,678",2\n', tmp_path, thousands=",")
    check("a,b\n1,'x,y'\n2,'it''s'\n", tmp_path, quotechar="'")


def test_bad_lines(tmp_path):
    text = "a,b\n1,2\n1,2,3\n4,5\n"
    check(text, tmp_path, on_bad_lines="skip")
    path = tmp_path / "a.csv"
    with pytest.raises(pd.errors.ParserError, match=r"a\.csv', line 3: Expected 2 fields, saw 3"):
        dd.read_csv(str(path)).compute()
    with pytest.warns(UserWarning, match="line 3"):
        assert len(dd.read_csv(str(path), on_bad_lines="warn").compute()) == 2
    check(text, tmp_path, usecols=["a", "b"])
    with pytest.raises(ValueError, match="on_bad_lines"):
        dd.read_csv(str(path), on_bad_lines="never")


def test_types_beyond_the_sample(tmp_path):
    """The first 300 KB say integer, then something else comes: pandas decides over the whole column."""
    head = "".join(f"{i},{i},{i},True\n" for i in range(30_000))
    for late in ["1.5,x,,False\n", ",1,2,\n", "9223372036854775808,1,1,x\n", "-1,1,99999999999999999999x,True\n"]:
        path = tmp_path / "a.csv"
        path.write_text("a,b,c,d\n" + head + late)
        theirs = pd.read_csv(path, low_memory=False)
        for blocksize in (None, 100_000):
            df = dd.read_csv(str(path), blocksize=blocksize)
            assert list(df.dtypes.astype(str)) == ["int64", "int64", "int64", "bool"]
            same(df, theirs)
            same(df[df.b == df.b], theirs[theirs.b == theirs.b])
            same(df.a.max(), theirs.a.max())


def test_a_filter_does_not_hide_what_decides_the_dtype(tmp_path):
    path = tmp_path / "a.csv"
    rows = "".join(f"{i % 7},{i}\n" for i in range(30_000))
    path.write_text("k,x\n" + rows + "100,\n")
    theirs = pd.read_csv(path)
    df = dd.read_csv(str(path), blocksize=50_000)
    assert str(df.x.dtype) == "int64" and str(theirs.x.dtype) == "float64"
    same(df[df.k < 3], theirs[theirs.k < 3])
    same(df[df.k < 3].x.sum(), theirs[theirs.k < 3].x.sum())
    same(df[df.k < 3].groupby("k").x.max(), theirs[theirs.k < 3].groupby("k").x.max())
    same(df[df.k < 3].groupby("x").k.sum(), theirs[theirs.k < 3].groupby("x").k.sum())
    path.write_text("k,x\n" + rows + "100,1.5\n")
    theirs = pd.read_csv(path)
    same(dd.read_csv(str(path)).pipe(lambda d: d[d.k < 3]), theirs[theirs.k < 3])


def test_nanoseconds_behind_the_sample(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "2020-01-01 00:00:00.125000000\n" * 10_000 + "2020-01-01 00:00:00.000000001\n")
    df = dd.read_csv(str(path), parse_dates=["a"], blocksize=50_000)
    assert str(df.a.dtype) == "datetime64[us]"
    same(df.a.min(), pd.Timestamp("2020-01-01 00:00:00.000000001"))
    same(df, pd.read_csv(path, parse_dates=["a"]))


def test_forced_dtypes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\nx,3\n")
    with pytest.raises(ValueError, match=r"column 'a'.*'x'.*a\.csv', line 3"):
        dd.read_csv(str(path), dtype={"a": int}).compute()
    same(dd.read_csv(str(path), dtype={"a": int}).b.sum(), 5)  # a column that no step reads is no error
    path.write_text("a,b\n1,2\n,3\n")
    with pytest.raises(ValueError, match="NA values"):
        dd.read_csv(str(path), dtype={"a": int}).compute()
    path.write_text("a\n0\n1\n")
    same(dd.read_csv(str(path), dtype={"a": bool}), pd.read_csv(path, dtype={"a": bool}))
    with pytest.raises(TypeError):
        dd.read_csv(str(path), dtype={"a": "no such"})
    same(dd.read_csv(str(path), assume_missing=True), pd.DataFrame({"a": [0.0, 1.0]}))


def test_dates(tmp_path):
    text = "y,m,d,when,other\n1990,1,2,1990-01-02 03:04:05,01/31/2020\n1991,12,31,,02/01/2020\n"
    check(text, tmp_path, parse_dates=["when"])
    check(text, tmp_path, parse_dates=["when", "other"])
    check(text, tmp_path, parse_dates=[3])
    check(text, tmp_path, parse_dates=["other"], date_format="%m/%d/%Y")
    check("a,b\n2020-01-01,1\n,2\nNaT,3\n", tmp_path, parse_dates=["a"])
    check("a\n1500-01-01\n2021-01-01 10:11:12\n".replace(" 10:11:12", ""), tmp_path, parse_dates=["a"])
    check("a\n2020-01-01 00:00:00.123456789\n", tmp_path, parse_dates=["a"])
    check("a\n01/12/2020\n02/01/2021\n", tmp_path, parse_dates=["a"], dayfirst=True)
    check("a\n31/12/2020\n01/01/2021\n", tmp_path, parse_dates=["a"])
    path = tmp_path / "a.csv"
    path.write_text("a\n2020-01-01T00:00:00Z\n")
    pd.testing.assert_frame_equal(dd.read_csv(str(path), parse_dates=["a"]).compute(), pd.read_csv(path, parse_dates=["a"]))
    path.write_text(text)
    theirs = pd.read_csv(path)
    dates = pd.to_datetime(theirs[["y", "m", "d"]].rename(columns={"y": "year", "m": "month", "d": "day"})).astype("datetime64[us]")
    df = dd.read_csv(str(path), parse_dates={"Date": [0, 1, 2]})
    assert list(df.columns) == ["Date", "when", "other"]
    same(df.Date, dates.rename("Date"))
    same(dd.read_csv(str(path), parse_dates=[["y", "m", "d"]]).y_m_d, dates.rename("y_m_d"))
    same(dd.read_csv(str(path), parse_dates=True), theirs)
    with pytest.raises(ValueError, match="parse_dates.*nope"):
        dd.read_csv(str(path), parse_dates=["nope"])
    path.write_text("a\nnot a date\n2020-01-01\n")
    same(dd.read_csv(str(path), parse_dates=["a"]), pd.read_csv(path, parse_dates=["a"]))


TIMES = {  # as pandas takes them, with and without a format
    "two digits of a year": ("1/2/20\n12/31/21\n", {}),
    "two digits of a year and hours": ("1/2/20 10:11\n12/31/69 23:59\n", {}),
    "noon and midnight": ("1/2/2020 3:04 PM\n1/2/2020 12:00 AM\n", {}),
    "words": ("Jan 5 2020\nFeb 6 2021\n", {}),
    "any form": ("2020-01-01\n3 Feb 2021\n", {"date_format": "mixed"}),
    "ISO 8601": ("2020-01-01\n2020-01-01T10:00:00.456\n", {"date_format": "ISO8601"}),
    "ISO 8601 with zones": ("2020-01-01T00:00:00Z\n2020-01-01T10:00:00.456Z\n", {"date_format": "ISO8601"}),
    "ISO 8601 by column": ("2020-01-01\n2020-01-02\n", {"date_format": {"a": "ISO8601"}}),
    "digits that are no time": ("5 of 9\n2020-01-01\n", {}),
}


@pytest.mark.parametrize("name", TIMES)
def test_forms_of_times(name, tmp_path):
    text, options = TIMES[name]
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + text.replace("\n", ",1\n"))
    for blocksize in (None, 9):
        ours = dd.read_csv(str(path), blocksize=blocksize, parse_dates=["a"], **options).compute()
        pd.testing.assert_frame_equal(ours, pd.read_csv(path, parse_dates=["a"], **options))


def test_times_that_are_all_missing_at_first(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + ",1\n" * 100_000 + "2020-01-02,3\n")
    df = dd.read_csv(str(path), parse_dates=["a"], blocksize=50_000)
    assert df.a.dtype == "datetime64[us]"
    same(df, pd.read_csv(path, parse_dates=["a"]))


def test_dtype_of_the_columns_that_are_not_named(tmp_path):
    text = "a,b,c,d\n1,2,3,2020-01-01\n4,5,6,2020-01-02\n"
    for kind in (float, str, "int32", "Int64"):
        check(text, tmp_path, dtype=collections.defaultdict(lambda kind=kind: kind, a="str"), parse_dates=["d"])
    check("a\n1\nx\n", tmp_path, dtype="O", pandas={"dtype": str})


def test_skipped_lines_with_quotes(tmp_path):
    for skiprows in (1, [0], [1], 2):
        check('"x\ny",2\n"p\nq",4\na,b\n5,6\n', tmp_path, skiprows=skiprows)
    check('a,b\n"x\ny",2\n3,4\n5,6\n', tmp_path, skiprows=[1])


def test_many_files(tmp_path):
    frames = []
    for i in range(5):
        frame = pd.DataFrame({"x": np.arange(i * 3), "s": [f"{i}-{j}" for j in range(i * 3)]})
        frame.to_csv(tmp_path / f"part-{i}.csv", index=False)
        frames.append(pd.read_csv(tmp_path / f"part-{i}.csv"))
    theirs = pd.concat(frames[1:])
    paths = [str(tmp_path / f"part-{i}.csv") for i in range(1, 5)]
    same(dd.read_csv(paths), theirs)
    os.remove(tmp_path / "part-0.csv")
    same(dd.read_csv(str(tmp_path / "*.csv")), theirs)
    same(dd.read_csv(str(tmp_path)), theirs)
    same(dd.read_csv(tmp_path / "*.csv", blocksize=10), theirs)
    df = dd.read_csv(str(tmp_path / "*.csv"), include_path_column=True)
    assert df.npartitions == 4 and list(df.columns) == ["x", "s", "path"]
    assert df.path.nunique().compute() == 4
    assert list(df.groupby("path").x.count().compute()) == [3, 6, 9, 12]
    last = dd.read_csv(str(tmp_path / "*.csv"), blocksize=10).tail(2)
    same(last, theirs.tail(len(last)))  # of the last partition, numbered within its file


def test_compression(tmp_path):
    text = b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i) for i in range(50_000))
    (tmp_path / "a.csv").write_bytes(text)
    theirs = pd.read_csv(tmp_path / "a.csv")
    writers = {"gz": gzip.compress(text) + gzip.compress(b"1,second member\n"), "bz2": bz2.compress(text), "xz": lzma.compress(text)}
    import pyarrow as pa

    with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / "a.csv.zst"), "wb"), "zstd") as out:
        out.write(text)
    for ending, data in writers.items():
        (tmp_path / f"a.csv.{ending}").write_bytes(data)
    for ending in ["bz2", "xz", "zst"]:
        df = dd.read_csv(str(tmp_path / f"a.csv.{ending}"), blocksize=1000)
        assert df.npartitions == 1
        same(df, theirs)
    assert len(dd.read_csv(str(tmp_path / "a.csv.gz"))) == 50_001
    (tmp_path / "b.csv.gz").write_bytes(writers["gz"][:2000])
    with pytest.raises(OSError, match=r"b\.csv\.gz"):
        dd.read_csv(str(tmp_path / "b.csv.gz")).compute()
    (tmp_path / "c.csv.gz").write_bytes(b"this is no gzip")
    with pytest.raises(OSError, match=r"c\.csv\.gz"):
        dd.read_csv(str(tmp_path / "c.csv.gz"))
    with pytest.raises(ValueError, match="compression"):
        dd.read_csv(str(tmp_path / "a.csv"), compression="rar")


@pytest.mark.parametrize("protocol", [pytest.param("memory", marks=pytest.mark.this_process("each process has a file system in memory of its own")), "local"])
def test_urls(tmp_path, protocol):
    import fsspec

    text = "a,b\n" + "".join(f"{i},{i * 2}\n" for i in range(1000))
    fs, folder = fsspec.filesystem(protocol), f"{protocol}://{tmp_path}"
    fs.makedirs(tmp_path, exist_ok=True)
    for i in (1, 2):
        fs.pipe(f"{tmp_path}/x{i}.csv", text.encode())
    theirs = pd.concat([pd.read_csv(f"{folder}/x{i}.csv") for i in (1, 2)])
    df = dd.read_csv(f"{folder}/x*.csv", blocksize=3000)
    assert df.npartitions > 2
    same(df, theirs)
    same(df[df.a > 500].groupby("b").a.sum(), theirs[theirs.a > 500].groupby("b").a.sum())
    with pytest.raises(FileNotFoundError):
        dd.read_csv(f"{folder}/none.csv")
    df.to_parquet(f"{folder}/table")
    same(dd.read_parquet(f"{folder}/table").b.sum(), theirs.b.sum())


def test_encodings(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("a,b\nünï,1\nx,2\n".encode("latin-1"))
    same(dd.read_csv(str(path), encoding="latin-1"), pd.read_csv(path, encoding="latin-1"))
    path.write_bytes("a,b\nünï,1\n".encode("utf-16"))
    same(dd.read_csv(str(path), encoding="utf-16"), pd.read_csv(path, encoding="utf-16"))
    path.write_bytes(b"a,b\nx\xff,1\n")
    with pytest.raises(ValueError, match="byte 5.*UTF-8"):
        dd.read_csv(str(path)).compute()


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such"):
        dd.read_csv(str(tmp_path / "no-such.csv"))
    with pytest.raises(FileNotFoundError):
        dd.read_csv(str(tmp_path / "*.csv"))
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("a,c\n1,2\n")
    with pytest.raises(ValueError, match=r"b\.csv' has the header"):
        dd.read_csv([str(path), str(tmp_path / "b.csv")]).compute()
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        dd.read_csv(str(path), nonsense=1)
    with pytest.raises(ValueError, match="Usecols do not match.*did you mean"):
        dd.read_csv(str(path), usecols=["aa"])
    with pytest.raises(ValueError, match="nrows"):
        dd.read_csv(str(path), nrows=5)
    with pytest.raises(ValueError, match="index_col"):
        dd.read_csv(str(path), index_col="a")
    with pytest.raises(KeyError, match="did you mean a"):
        dd.read_csv(str(path))["aa"]
    os.remove(tmp_path / "b.csv")
    df = dd.read_csv(str(tmp_path / "*.csv"))
    os.remove(path)
    with pytest.raises(FileNotFoundError, match=r"a\.csv"):
        df.compute()


def test_a_changed_file_gives_the_new_answer(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n")
    df = dd.read_csv(str(path))
    assert df.a.sum().compute() == 3
    path.write_text("a\n10\n20\n30\n")
    assert df.a.sum().compute() == 60
    assert len(df) == 3


def test_npartitions_follow_the_peers_rule(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n" + "1\n" * 4999)
    for blocksize, expected in [(10_000, 1), (5_000, 2), (3_000, 3), (9_999, 1), (1_000, 10), ("1kB", 10), (None, 1)]:
        assert dd.read_csv(str(path), blocksize=blocksize).npartitions == expected
    assert dd.read_csv(str(path)).npartitions == 1


def test_no_index_where_there_seems_to_be_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2,3\n")
    with pytest.warns(pd.errors.ParserWarning):
        same(dd.read_csv(str(path), index_col=False), pd.read_csv(path, index_col=False))
    path.write_text("a,b\n1,2\n")
    same(dd.read_csv(str(path), index_col=False), pd.read_csv(path, index_col=False))


def test_read_table(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\n1\tx\n")
    same(dd.read_table(str(path)), pd.read_table(path))


FIELD = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["", "NA", "x", 'a"b', "p,q", "two\nlines", "é", " ", "True"]),
)


@given(rows=st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=30), blocksize=st.integers(1, 200), ends=st.sampled_from(["\n", "\r\n"]))
def test_any_table(rows, blocksize, ends, tmp_path_factory):
    """Tables that the csv module writes: quoted newlines across any border of blocks."""
    import csv

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=ends)
        writer.writerow(["a", "b", "c"])
        writer.writerows(rows)
    same(dd.read_csv(str(path), blocksize=blocksize), pd.read_csv(path))


def test_long_rows_and_fields(tmp_path):
    path = tmp_path / "a.csv"
    long = "x" * 700_000
    path.write_text(f'a,b\n{long},1\n"{long}\n{long}",2\nshort,3\n')
    for blocksize in (None, 100_000):
        same(dd.read_csv(str(path), blocksize=blocksize), pd.read_csv(path))


def _cells_of_many_lines(path, rows=200):
    texts = ["a\n1,2\n" * (i % 5) + ",\n" * (i % 7 == 0) + "x" * (i % 11) for i in range(rows)]
    pd.DataFrame({"a": np.arange(rows), "t": texts, "b": np.arange(rows) * 2}).to_csv(path, index=False)
    return pd.read_csv(path)


@pytest.mark.parametrize("blocksize", [60, 97, 400])
@pytest.mark.parametrize("order", [1, -1])
def test_a_partition_read_alone_begins_where_the_whole_says(tmp_path, blocksize, order):
    """A range that begins inside quotes: nothing in the partition itself tells so."""
    path = tmp_path / "x.csv"
    expected = _cells_of_many_lines(path)
    df = dd.read_csv(path, blocksize=blocksize)
    parts = {i: df.partitions[i].compute() for i in range(df.npartitions)[::order]}
    same(pd.concat([parts[i] for i in sorted(parts)]), expected)
    assert sum(df.partitions[i].b.sum().compute() for i in range(df.npartitions)) == expected.b.sum()


def test_some_partitions_are_labelled_as_in_the_whole(tmp_path):
    path = tmp_path / "x.csv"
    expected = _cells_of_many_lines(path)
    df = dd.read_csv(path, blocksize=200)
    for chosen in ([0, 2], [2, 5], [0, 3, 4, 9], [df.npartitions - 1]):
        got = df.partitions[chosen].compute()
        same(got, expected.loc[got.index])
        assert len(got) == len(df.partitions[chosen]) == sum(len(df.partitions[i]) for i in chosen)
    same(dd.read_csv(path, blocksize=2000).tail(3), expected.tail(3))
    same(dd.read_csv(path, blocksize=50).head(7, npartitions=-1), expected.head(7))


def test_an_error_behind_a_wrong_guess_is_not_believed(tmp_path):
    """A cell that looks like rows with too many fields, read alone."""
    path = tmp_path / "x.csv"
    cell = "\n".join(["1,2,3,4,5,6"] * 50)
    pd.DataFrame({"a": [1, 2, 3], "t": ["", cell, ""]}).to_csv(path, index=False)
    df = dd.read_csv(path, blocksize=100)
    assert [len(df.partitions[i]) for i in range(df.npartitions)] == [2] + [0] * (df.npartitions - 2) + [1]


CELLS = [
    "plain", "a,1,2\nb,3,4", "\n\n\n", 'he said "x"\n1,2,3,4,5', "5\n6", "7,8,9,1\n2,3,4,5", "\n,,,\n", "", "long " * 30 + "\n" + "more " * 40,
    "1\n2\n3\n4", "x\r\ny",
]  # fmt: skip
QUESTIONS = {
    "all": lambda d: d,
    "labels": lambda d: d.reset_index(),
    "head": lambda d: d.head(5, npartitions=-1) if hasattr(d, "npartitions") else d.head(5),
    "length": len,
    "sum": lambda d: d.x.sum(),
    "filtered": lambda d: d[d.x % 3 == 0],
    "groups": lambda d: d.groupby("k").x.idxmax(),
    "cumulated": lambda d: d.x.cumsum(),
    "dtypes": lambda d: (d.compute() if hasattr(d, "compute") else d).dtypes.astype(str).to_dict(),
}


@pytest.mark.parametrize("seed", range(4))
def test_cells_that_look_like_rows_on_a_cluster(client, tmp_path, seed):
    """What a misled partition reports, also of a failure, reaches who tells that it was misled; several files, narrow columns in any order."""
    random = np.random.default_rng(seed)
    files, rows, blocksize = ((1, 90, 251), (3, 40, 100), (2, 90, 400), (5, 20, 173))[seed]
    for i in range(files):
        columns = {
            "k": random.choice(["a", "b", "c"], rows), "x": random.permutation(rows), "w": random.choice(CELLS, rows),
            "y": random.normal(size=rows).round(3), "z": random.choice(CELLS, rows),
        }  # fmt: skip
        pd.DataFrame({c: columns[c] for c in np.random.default_rng(seed).permutation(list(columns))}).to_csv(tmp_path / f"{i}.csv", index=False)
    pdf = pd.concat([pd.read_csv(tmp_path / f"{i}.csv") for i in range(files)])
    for name, question in QUESTIONS.items():
        try:
            same(question(dd.read_csv(str(tmp_path / "*.csv"), blocksize=blocksize, sample=200)), question(pdf))
        except Exception as error:
            error.add_note(name)
            raise


def test_a_function_that_fails_on_misread_rows_on_a_cluster(client, tmp_path):
    """The failure is the function's, in an executor, because of rows that are none."""
    path = tmp_path / "x.csv"
    pd.DataFrame({"a": range(300), "t": ["x\ny\nz,1\n2,q"] * 300}).to_csv(path, index=False)
    df = dd.read_csv(path, blocksize=200, dtype={"a": str})

    def numbers(part):
        return part.assign(a=part.a.astype("int64"))

    same(df.map_partitions(numbers, meta=df.assign(a=1)._meta).a.sum(), 300 * 299 // 2)


@pytest.mark.parametrize("blocksize", [None, 30])
@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("t,a\n2024-01-01 10:00,1\n2024-02-03 11:30:05.123456789,2\n", {"date_format": "ISO8601"}),
        ("t,a\n2024-01-01T00:00:00Z,1\n2024-02-02T00:00:00Z,2\n", {"date_format": "ISO8601"}),
        ("t,a\n01/02/2024,1\n2024-02-02,2\n", {"date_format": "ISO8601"}),
        ("t,a\n01/02/2024,1\n2024-02-02,2\n", {"date_format": "mixed"}),
        ("t,a\n2024-032,1\n2024-033,2\n", {"date_format": "%Y-%j"}),
        ("t,a\n1% 2024,1\n2% 2024,2\n", {"date_format": "%d%% %Y"}),
    ],
)
def test_formats_of_dates(tmp_path, text, options, blocksize):
    path = tmp_path / "x.csv"
    path.write_text(text)
    ours = dd.read_csv(path, blocksize=blocksize, parse_dates=["t"], **options).compute()
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), pd.read_csv(path, parse_dates=["t"], **options))


def test_other_line_terminators(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b~1,x\ny~2,z~")
    pd.testing.assert_frame_equal(dd.read_csv(path, lineterminator="~").compute(), pd.read_csv(path, lineterminator="~"))


MISLEADING = (
    b'a,b,c\n""x99999999999999999999NAtrue,ax \n99999999999999999999,\r1e400,,"\xc3\xa9,1 \r\n"""2020-01-01\n"\n99999999999999999999a\r\n,,\r,2.'
    b'5\n1e400aa2020-01-01a99999999999999999999a1e400""NA""\n,,"\n2020-01-01"x,\ny"a"x,\ny"\nNA,\na99999999999999999999\n,\nax,\xff\xff"x,\ny"-7'
    b'a1 99999999999999999999"x,\ny"\xc3\xa9\n2020-01-01true-7\r\n"\n\r\n-799999999999999999999\n""""",NA2.5""aa2.52.5NA-7\n\n\n2020-01-01""\n20'
    b'20-01-01x1e40011999999999999999999992020-01-01""",truea\xff1e400\r\n199999999999999999999\r\xc3\xa92.5,,2020-01-01,-72020-01-011e400aNA"x,'
    b'\ny"NA\xff99999999999999999999-71e400truea,99999999999999999999"x,\ny"\r\n-7\xc3\xa92.599999999999999999999""\r\n,"1e400\n,\n9999999999999'
    b'9999999"",\xff\n2020-01-01x99999999999999999999true,\xc3\xa9\r\n12020-01-01\r\ntrue\n,\n,\xc3\xa9\r\n,,\xff\n\r\n2020-01-01\n-7NA -7,\n\xff'
    b',\ntrue1e400,2.52.5,99999999999999999999\r\n,\xff\n\r12020-01-01\r\n,99999999999999999999,\r\na2.5\n1"trueNA1a\nx\r\n-7"\xff-7NANA ""2.520'
    b'20-01-0199999999999999999999\r\n-7""x,\ny"NA2020-01-01\xfftrue,\xc3\xa9\n-7\xff\n-7 x\xc3\xa91"\r-7,\n\n2.599999999999999999999"x,\ny"\rx9'
    b'9999999999999999999\xff a\n,,\n\xc3\xa92020-01-01, x,,""-7\n,\rtrue1e40099999999999999999999\xff\xff2.5\xc3\xa9truea""x\ntrue\xc3\xa9\r""2'
    b'020-01-01NA1e400,-7true-799999999999999999999'
)


@pytest.mark.parametrize("blocksize", [20, 30])
def test_an_error_behind_guesses_that_mislead(tmp_path, blocksize):
    """Partitions are counted anew while the run that asked for it has read others wrongly: what it says of them is not put over what the count has found."""
    for attempt in range(5):  # threads differ in what they come to see before the error
        path = tmp_path / f"{attempt}.csv"
        path.write_bytes(MISLEADING)
        with pytest.raises(ValueError, match="line 16, near byte 234: not UTF-8|line 28: Expected 3 fields, saw 5"):  # both are there
            dd.read_csv(path, blocksize=blocksize).compute()
