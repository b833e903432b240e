"""read_fwf: blocks of lines of fixed widths, as pandas reads the file."""

import gzip

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import same

HEAD = "name    number   real day\n"
LINES = [f"{name:<8}{number:>6} {real:>6} 2020-01-{day:02}\n" for name, number, real, day in [
    ("fig", 1, 2.5, 1), ("apple", 20, "", 2), ("kiwi", 300, 1.25, 3), ("", 4000, -1.5, 4), ("plum", 50_000, "", 5), ("date", 6, 0.5, 6),
]]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(HEAD + "".join(LINES) * 7)
    return str(path)


def numbered(frame):
    frame = frame.compute() if hasattr(frame, "_expr") else frame
    return frame.reset_index(drop=True)


@pytest.mark.parametrize("blocksize", [None, 40, "1kB"])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"widths": [8, 6, 7, 11]}, {"colspecs": [(0, 8), (8, 14)]}, {"header": None}, {"names": list("abcd"), "header": 0}, {"skiprows": 3, "header": None},
        {"usecols": ["number", "day"]}, {"dtype": {"number": "float32"}}, {"dtype": "str"}, {"parse_dates": ["day"]}, {"converters": {"name": str.upper}},
        {"na_values": ["fig"]}, {"infer_nrows": 2}, {"skiprows": [0, 2], "header": None}, {"skipfooter": 2},
    ],
    ids=str,
)  # fmt: skip
def test_is_pandas_frame(path, blocksize, options):
    expected = pd.read_fwf(path, **options)
    ours = dd.read_fwf(path, blocksize=blocksize, **options)
    if blocksize == 40 and not {"skiprows", "skipfooter"} & options.keys():
        assert ours.npartitions > 10
    same(numbered(ours), numbered(expected))


def test_many_files_and_their_paths(tmp_path, path):
    (tmp_path / "b.txt").write_text(HEAD + LINES[2])
    both = [pd.read_fwf(path), pd.read_fwf(tmp_path / "b.txt")]
    same(numbered(dd.read_fwf(f"{tmp_path}/*.txt", blocksize=100)), numbered(pd.concat(both)))
    ours = dd.read_fwf([path, str(tmp_path / "b.txt")], include_path_column="from").compute()
    assert ours["from"].tolist() == [path] * 42 + [str(tmp_path / "b.txt")]
    with pytest.raises(ValueError, match="already contain"):
        dd.read_fwf(path, include_path_column="name")


def test_what_follows_the_sample(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a    b    c\n" + "1    2    x\n" * 30 + "     2    7\n" * 3 + "1.5  2    \n")
    same(numbered(dd.read_fwf(path, blocksize=60, sample=100, widths=[5, 5, 1])), numbered(pd.read_fwf(path)))
    path.write_text("a    b\n" + "1    2\n" * 30 + "1    x\n")
    with pytest.raises(ValueError, match="column 'b'.*'x'.*dtype"):
        dd.read_fwf(path, blocksize=60, sample=100).compute()
    same(numbered(dd.read_fwf(path, blocksize=60, sample=100, dtype={"b": "str"})), numbered(pd.read_fwf(path)))
    assert dd.read_fwf(path, sample=100, blocksize=60, assume_missing=True, dtype={"b": "str"}).compute().a.dtype == np.dtype("float64")


def test_blanks_comments_encodings_and_compression(tmp_path):
    path = tmp_path / "a.txt"
    text = "# what it is\n\nname  x\nfïg   1\n\napple 2 # no\nkiwi  3\n"
    path.write_text(text, encoding="latin-1")
    same(numbered(dd.read_fwf(path, blocksize=8, comment="#", encoding="latin-1")), numbered(pd.read_fwf(path, comment="#", encoding="latin-1")))
    path.write_text(text, encoding="utf-16")
    same(numbered(dd.read_fwf(path, blocksize=8, comment="#", encoding="utf-16")), numbered(pd.read_fwf(path, comment="#", encoding="utf-16")))
    with gzip.open(tmp_path / "a.gz", "wt") as file:
        file.write("name  x\nfig   1\napple 2\n")
    packed = dd.read_fwf(str(tmp_path / "a.gz"), blocksize=5)
    assert packed.npartitions == 1
    same(numbered(packed), pd.DataFrame({"name": ["fig", "apple"], "x": [1, 2]}))


def test_no_newline_at_the_end_and_none_but_labels(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("name  x\nfig   1\napple 2")
    for blocksize in (1, 9, 100):
        same(numbered(dd.read_fwf(path, blocksize=blocksize)), numbered(pd.read_fwf(path)))
    path.write_text("name  x\n")
    assert dd.read_fwf(path).compute().columns.tolist() == ["name", "x"]


def test_on_a_cluster(client, path):
    same(numbered(client.compute(dd.read_fwf(path, blocksize=100)).result()), numbered(pd.read_fwf(path)))


def test_refuses(path, tmp_path):
    with pytest.raises(ValueError, match="index_col"):
        dd.read_fwf(path, index_col="name")
    with pytest.raises(ValueError, match="nrows"):
        dd.read_fwf(path, nrows=3)
    with pytest.raises(ValueError, match="blocksize"):
        dd.read_fwf(path, blocksize=0)
    with pytest.raises(FileNotFoundError):
        dd.read_fwf(str(tmp_path / "nothing*"))
