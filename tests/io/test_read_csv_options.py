"""Options of read_csv that the engine leaves to pandas' reader."""

import decimal
import os

import pandas as pd
import pytest

import muster
import muster.dataframe as dd

TEXT = "a,b,c\n1,x,2020-01-01 10:00:00+01:00\n2,y,2020-01-02 11:30:00+01:00\n,,\n"
OPTIONS = {
    "nullable": {"dtype": {"a": "Int64", "b": "string"}},
    "arrow": {"dtype": {"a": "int64[pyarrow]", "b": pd.ArrowDtype(__import__("pyarrow").string())}},
    "all nullable": {"dtype_backend": "numpy_nullable"},
    "all arrow": {"dtype_backend": "pyarrow"},
    "zones": {"parse_dates": ["c"]},
    "converters": {"converters": {"a": lambda text: decimal.Decimal(text or 0), "b": str.upper}},
    "header": {"header": [0, 1]},
    "footer": {"skipfooter": 1, "engine": "python"},
    "columns by a function": {"usecols": lambda name: name != "b"},
    "rows by a function": {"skiprows": lambda line: line == 1},
    "names": {"names": ["p", "q"], "header": 0},
}


def expected(paths, **options):
    return pd.concat([pd.read_csv(p, **options) for p in paths])


@pytest.fixture(params=[1, 3])
def paths(request, tmp_path):
    out = [tmp_path / f"{i}.csv" for i in range(request.param)]
    for path in out:
        path.write_text(TEXT)
    return out


@pytest.mark.parametrize("name", OPTIONS)
def test_option(paths, name, capsys):
    ours = dd.read_csv([str(p) for p in paths], **OPTIONS[name])
    ours.explain()
    assert "python:" in capsys.readouterr().out
    theirs = expected(paths, **OPTIONS[name])
    pd.testing.assert_frame_equal(ours.compute(), theirs, check_column_type=False)
    pd.testing.assert_frame_equal(ours.compute(scheduler="synchronous"), theirs, check_column_type=False)


def test_separators_of_several_characters(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.csv").write_text("a::b\n1::x,y\n2::z\n")
    options = {"sep": "::", "engine": "python"}
    ours = dd.read_csv(str(tmp_path / "*.csv"), **options)
    pd.testing.assert_frame_equal(ours.compute(), expected(sorted(tmp_path.iterdir()), **options))
    assert ours.a.sum().compute() == 6
    ours = dd.read_csv(str(tmp_path / "*.csv"), include_path_column=True, **options)
    assert set(ours.compute()["path"]) == {str(p) for p in tmp_path.iterdir()}


def test_categories_of_all_files(tmp_path):
    (tmp_path / "0.csv").write_text("a,b\nx,1\ny,2\n")
    (tmp_path / "1.csv").write_text("a,b\nz,3\nx,4\n")
    ours = dd.read_csv(str(tmp_path / "*.csv"), dtype={"a": "category"}).compute()
    assert isinstance(ours.a.dtype, pd.CategoricalDtype) and sorted(ours.a.cat.categories) == ["x", "y", "z"]
    assert ours.a.tolist() == ["x", "y", "z", "x"]


@pytest.mark.parametrize("errors", ["replace", "ignore"])
def test_bytes_of_another_encoding(tmp_path, errors):
    (tmp_path / "a.csv").write_bytes(b"a,b\n\xe4x,1\n")
    options = {"encoding_errors": errors}
    pd.testing.assert_frame_equal(dd.read_csv(tmp_path / "a.csv", **options).compute(), expected([tmp_path / "a.csv"], **options))
    with pytest.raises(ValueError):
        dd.read_csv(tmp_path / "a.csv", encoding_errors="strict").compute()


@pytest.mark.filterwarnings("ignore:Length of header")
@pytest.mark.parametrize("options", [{}, {"index_col": False}])
@pytest.mark.parametrize("text", ["a,b\n1,2,\n3,4,\n", "a,b,\n1,2,\n3,4,\n"])
def test_a_delimiter_at_the_end_of_each_row(tmp_path, text, options):
    (tmp_path / "a.csv").write_text(text)
    pd.testing.assert_frame_equal(dd.read_csv(tmp_path / "a.csv", **options).compute(), pd.read_csv(tmp_path / "a.csv", **options))


def test_an_open_quote_in_the_sample(tmp_path):
    for text, line in (('a,b\n1,2\n3,"x\n4,5\n', 3), ('a,"b\n1,2\n', 1), ('a,b\n"1,2\n', 2)):
        (tmp_path / "a.csv").write_text(text)
        with pytest.raises(pd.errors.ParserError, match=rf"a.csv', line {line}: EOF inside string"):
            dd.read_csv(tmp_path / "a.csv").compute()


def test_a_cell_much_longer_than_a_block(tmp_path):
    frame = pd.DataFrame({"a": ["x", "long, \n" * 300_000, "y"], "b": [1, 2, 3]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    pd.testing.assert_frame_equal(dd.read_csv(tmp_path / "a.csv", blocksize=1 << 19).compute().reset_index(drop=True), frame)


def test_a_folder_without_permission(tmp_path, python):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a\n1\n")
    (tmp_path / "in").chmod(0)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and any("pytest" in part for part in folder.parts):
            folder.chmod(0o755)
    try:
        program = f"""
import os, muster.dataframe as dd
import pandas
if os.getuid() == 0:
    os.setegid(65534), os.seteuid(65534)
for read in (dd.read_csv, dd.read_parquet):
    for path in ({str(tmp_path / "in")!r}, {str(tmp_path / "in")!r} + "/*.csv", {str(tmp_path / "in")!r} + "/a.csv"):
        try:
            read(path)
        except PermissionError as error:
            assert "/in" in str(error), error
        else:
            raise AssertionError(path)
"""
        python(program)
    finally:
        (tmp_path / "in").chmod(0o755)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "0.csv").write_text("a\n1\n")
    (tmp_path / "1.csv").write_text("a\nx\n")
    with pytest.raises(ValueError) as raised:
        dd.read_csv(str(tmp_path / "*.csv"), dtype={"a": "Int64"}).compute()
    assert "1.csv" in "".join([str(raised.value), *getattr(raised.value, "__notes__", [])])
    with pytest.raises(FileNotFoundError):
        dd.read_csv(str(tmp_path / "no*.csv"), sep="::")
    with pytest.raises(TypeError, match="nope"):
        dd.read_csv(str(tmp_path / "0.csv"), nope=1)


@pytest.mark.this_process("it sets this process' limit")
def test_a_file_that_is_read_at_once_is_no_larger_than_the_limit(tmp_path):
    path = tmp_path / "x.csv"
    pd.DataFrame({"a": range(200_000)}).to_csv(path, index=False)
    df = dd.read_csv(path, converters={"a": int}, blocksize=1000)
    assert df.a.sum().compute() == 200_000 * 199_999 // 2
    with muster.config.set({"memory-limit": 1_000_000}), pytest.raises(MemoryError, match=r"x\.csv.*converters"):
        df.a.sum().compute()


def test_engines(tmp_path):
    pd.DataFrame({"x": [1, 2]}).to_csv(tmp_path / "a.csv", index=False)
    for engine in ("c", "python", "pyarrow", None):
        assert dd.read_csv(tmp_path / "a.csv", engine=engine).x.sum().compute() == 3
    with pytest.raises(ValueError, match="Unknown engine: fortran"):
        dd.read_csv(tmp_path / "a.csv", engine="fortran")
