"""SQL: tables and queries by ranges of a column, and tables from partitions, whole or not there."""

import contextlib
import getpass
import glob
import os
import pickle
import shutil
import socket
import subprocess

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import raised, same

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed: pip install sqlalchemy")

SECRET = "hunter2secret"


def rows(n=60):
    draw = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "x": draw.integers(0, 100, n), "late": np.where(np.arange(n) > 50, np.nan, np.arange(n) * 1.0), "f": draw.normal(size=n),
            "s": draw.choice(["a", "b", None], n), "b": draw.random(n) < 0.5, "t": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), "h"),
            "empty": pd.Series([None] * n, dtype="str"),
        },
        index=pd.Index(np.arange(n) * 3 + 5, name="id"),
    ).astype({"s": "str"})  # fmt: skip


def stored(uri, pdf=None, name="things", **kwargs):
    engine = sqlalchemy.create_engine(uri)
    (rows() if pdf is None else pdf).to_sql(name, engine, **{"index": True, **kwargs})
    engine.dispose()
    return uri


def tables(uri):
    engine = sqlalchemy.create_engine(uri)
    names = sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()
    return sorted(names)


def fetched(uri, name, index=None):
    engine = sqlalchemy.create_engine(uri)
    found = pd.read_sql_table(name, engine, index_col=index)
    engine.dispose()
    return found


@contextlib.contextmanager
def postgres(folder):
    """A PostgreSQL of its own in a folder, listening on loopback; its URI."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    data, secret = folder / "data", folder / "secret"
    secret.write_text(SECRET)
    user = {"user": "nobody"} if getpass.getuser() == "root" else {}  # it refuses to run as root
    if user:
        for place in (folder, secret):
            shutil.chown(place, "nobody")
        for parent in folder.parents:
            if parent != parent.parent and not os.access(parent, os.X_OK):
                pytest.skip("the folder of the test cannot be reached by another user")
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)
    run = {"check": True, "capture_output": True, "cwd": folder, **user}
    how = ["-U", "muster", "-A", "password", "--pwfile", secret, "-N", "--locale-provider=icu", "--icu-locale=en-US", "-E", "UTF8"]
    subprocess.run([f"{programs[-1]}/initdb", "-D", data, *how], **run)
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    control = [f"{programs[-1]}/pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        yield f"postgresql+psycopg://muster:{SECRET}@127.0.0.1:{port}/postgres", lambda: subprocess.run([*control, "-m", "immediate", "stop"], **run)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], cwd=folder, capture_output=True, **user)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    if not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'psycopg[binary]'")
    with postgres(tmp_path_factory.mktemp("postgres")) as (uri, _):
        yield uri


@pytest.fixture
def file(tmp_path):
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def uri(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    uri = request.getfixturevalue("server")
    yield uri
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE"))
        connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
    engine.dispose()


def test_reads_ranges(uri):
    stored(uri)
    for npartitions in (1, 5):
        reads_ranges(uri, npartitions)


def reads_ranges(uri, npartitions):
    ours = dd.read_sql_table("things", uri, index_col="id", npartitions=npartitions)
    expected = fetched(uri, "things", "id")
    assert ours.npartitions == npartitions and ours.known_divisions and (ours.divisions[0], ours.divisions[-1]) == (5, 182)
    for part, low, high in zip(ours.partitions, ours.divisions, ours.divisions[1:], strict=False):
        index = part.compute().index
        assert index.min() >= low and (index.max() < high or high == 182)
    same(ours.compute().sort_index(), expected)
    same(ours.x.sum(), expected.x.sum())
    same(ours.loc[20:50], expected.loc[20:50])


def test_all_ways_to_say_ranges(file):
    stored(file)
    expected = fetched(file, "things", "id")
    for npartitions, limits in [(3, (20, 80)), (1, (20, 20)), (4, (0, 10_000))]:
        same(dd.read_sql_table("things", file, "id", npartitions=npartitions, limits=limits), expected.loc[limits[0] : limits[1]])
    given = dd.read_sql_table("things", file, "id", divisions=[5, 50, 100, 182])
    assert given.divisions == (5, 50, 100, 182)
    same(given, expected)
    by_size = dd.read_sql_table("things", file, "id", bytes_per_chunk=1000)
    assert by_size.npartitions > 2
    same(by_size, expected)
    with pytest.raises(ValueError, match="bytes_per_chunk must be at least 1 byte, got 0"):
        dd.read_sql_table("things", file, "id", bytes_per_chunk=0)
    assert dd.read_sql_table("things", file, "id").npartitions == 1
    few = dd.read_sql_table("things", file, "id", npartitions=500)
    assert few.npartitions <= 177
    same(few, expected)


def test_times_floats_and_texts_divide(uri):
    stored(uri)
    by_time = dd.read_sql_table("things", uri, "t", npartitions=3)
    assert by_time.known_divisions and by_time.divisions[0] == pd.Timestamp("2020-01-01")
    expected = fetched(uri, "things", "t").sort_index()
    same(by_time.compute().sort_index(), expected)
    same(dd.read_sql_table("things", uri, "t", npartitions=2, limits=(expected.index[3], expected.index[9].to_pydatetime())), expected.iloc[3:10])
    by_float = dd.read_sql_table("things", uri, "f", npartitions=5)
    assert by_float.npartitions == 5 and by_float.known_divisions
    same(by_float.compute().sort_index(), fetched(uri, "things", "f").sort_index())
    with pytest.raises(TypeError, match="give divisions"):
        dd.read_sql_table("things", uri, "s", npartitions=3)
    by_text = dd.read_sql_table("things", uri, "s", divisions=["a", "b", "c"])
    assert len(by_text) == rows().s.notna().sum() and by_text.divisions == ("a", "b", "c")


def test_columns_and_expressions(file):
    stored(file)
    expected = fetched(file, "things", "id")
    same(dd.read_sql_table("things", file, "id", npartitions=2, columns=["s", "x"]), expected[["s", "x"]])
    same(dd.read_sql_table("things", file, "id", npartitions=2, columns=["id", "x"]), expected[["x"]])
    twice = (sqlalchemy.column("x", sqlalchemy.Integer) * 2).label("twice")
    same(dd.read_sql_table("things", file, "id", npartitions=2, columns=["x", twice]), expected[["x"]].assign(twice=expected.x * 2))
    with pytest.raises(ValueError, match="no column 'no'.*'late'"):
        dd.read_sql_table("things", file, "id", columns=["no"])
    with pytest.raises(ValueError, match="no column 'no'"):
        dd.read_sql_table("things", file, "no")


def test_queries(file):
    stored(file)
    expected = fetched(file, "things", "id")
    things = sqlalchemy.Table("things", sqlalchemy.MetaData(), *(sqlalchemy.Column(c, sqlalchemy.Integer) for c in ("id", "x")))
    ours = dd.read_sql_query(sqlalchemy.select(things).where(things.c.x > 50), file, index_col="id", npartitions=3)
    same(ours, expected.loc[expected.x > 50, ["x"]])
    counted = sqlalchemy.select(things.c.x, sqlalchemy.func.count().label("n")).group_by(things.c.x)
    same(dd.read_sql(counted, file, "x", npartitions=2).compute().n.sort_index(), expected.x.value_counts().sort_index().rename("n"))
    first = sqlalchemy.select(things).order_by(things.c.id).limit(10)
    same(dd.read_sql(first, file, "id", npartitions=3), expected[["x"]].head(10))
    same(dd.read_sql("things", file, "id", npartitions=2), expected)
    with pytest.raises(TypeError, match="sqlalchemy.select"):
        dd.read_sql_query("SELECT * FROM things", file, "id")


def test_dtypes_are_those_of_all_rows(file):
    pdf = pd.DataFrame(
        {
            "late_missing": [1, 2, 3, 4, None, None], "late_present": [None, None, None, None, 5, 6], "text": [None, None, None, "a", "b", None],
            "flag": pd.Series([True, False, True, None, None, False], dtype=object),
        },
        index=pd.Index([1, 2, 3, 4, 5, 6], name="id"),
    )
    integer = {"late_missing": sqlalchemy.Integer(), "late_present": sqlalchemy.Integer(), "flag": sqlalchemy.Boolean()}
    stored(file, pdf, dtype=integer)
    for head_rows, divisions in [(2, [1, 4, 7]), (2, [1, 2, 3, 4, 5, 7]), (1, [1, 6, 7]), (6, [1, 3, 5, 7])]:
        ours = dd.read_sql_table("things", file, "id", divisions=divisions, head_rows=head_rows)
        same(ours.compute().astype({"flag": "boolean"}), fetched(file, "things", "id").astype({"flag": "boolean"}))


def test_meta_is_kept(file):
    stored(file)
    meta = rows()[["x", "s"]].astype({"x": "float32"}).iloc[:0]
    ours = dd.read_sql_table("things", file, "id", npartitions=3, columns=["x", "s"], meta=meta)
    assert ours.compute().dtypes.to_dict() == meta.dtypes.to_dict()
    with pytest.raises(Exception, match="a|b|could not convert") as found:
        dd.read_sql_table("things", file, "id", npartitions=3, columns=["s"], meta=rows()[["s"]].iloc[:0].astype("int64")).compute()
    assert "read_sql_table: partition" in str(found.value)


def test_rows_without_an_index_value_are_there(file):
    pdf = rows(20).reset_index().astype({"id": "float64"})
    pdf.loc[[3, 7, 19], "id"] = np.nan
    stored(file, pdf.astype({"id": "Int64"}), index=False)
    ours = dd.read_sql_table("things", file, "id", npartitions=3)
    assert ours.npartitions == 4 and not ours.known_divisions
    same(ours.compute().reset_index().sort_values(["id", "x", "f"], ignore_index=True), pdf.sort_values(["id", "x", "f"], ignore_index=True), check_dtype=False)
    assert len(dd.read_sql_table("things", file, "id", npartitions=3, limits=(0, 1000))) == 17
    things = sqlalchemy.table("things", sqlalchemy.column("id"), sqlalchemy.column("x"))
    assert len(dd.read_sql_query(sqlalchemy.select(things).where(things.c.id.is_(None)), file, "id")) == 3


def test_a_table_without_rows(file):
    stored(file, rows().iloc[:0])
    ours = dd.read_sql_table("things", file, "id", npartitions=3)
    assert len(ours) == 0 and list(ours.columns) == list(rows().columns)
    assert len(dd.read_sql_table("things", file, "id", divisions=[1, 5, 9]).compute()) == 0


@pytest.mark.parametrize("npartitions, parallel", [(1, False), (3, False), (4, True)])
def test_writes_what_it_reads(uri, npartitions, parallel):
    pdf = rows()
    assert dd.from_pandas(pdf, npartitions=npartitions).to_sql("written", uri, parallel=parallel) is None
    found = fetched(uri, "written", "id")
    same(found.sort_index() if parallel else found, pdf, check_dtype=False)
    assert tables(uri) == ["written"]
    stored(uri, pdf, name="by_pandas")
    engine = sqlalchemy.create_engine(uri)
    there = sqlalchemy.inspect(engine)
    ours, theirs = ([(c["name"], str(c["type"])) for c in there.get_columns(name)] for name in ("written", "by_pandas"))
    assert ours == theirs
    assert [i["column_names"] for i in there.get_indexes("written")] == [["id"]] and there.get_indexes("written")[0]["name"] == "ix_written_id"
    engine.dispose()
    same(dd.read_sql_table("written", uri, "id", npartitions=3).compute().sort_index(), fetched(uri, "written", "id").sort_index())


def test_what_is_there_already(uri):
    pdf = rows(10)
    df = dd.from_pandas(pdf, npartitions=3)
    df.to_sql("t", uri)
    with pytest.raises(ValueError, match="already exists"):
        df.to_sql("t", uri)
    with pytest.raises(ValueError, match="already exists"):
        dd.to_sql(df, "t", uri, compute=False)
    df.to_sql("t", uri, if_exists="append")
    assert len(fetched(uri, "t")) == 20
    df[["x"]].to_sql("t", uri, if_exists="replace", index_label="number")
    assert list(fetched(uri, "t").columns) == ["number", "x"] and len(fetched(uri, "t")) == 10
    with pytest.raises(ValueError, match="no column 'id'.*'number'"):
        df.to_sql("t", uri, if_exists="append")
    with pytest.raises(ValueError, match="if_exists"):
        df.to_sql("t", uri, if_exists="perhaps")
    df.to_sql("new", uri, if_exists="append", index=False)
    assert tables(uri) == ["new", "t"] and len(fetched(uri, "new")) == 10


def test_series_options_and_later(uri):
    s = dd.from_pandas(pd.Series([1, 2, 3], name="v"), npartitions=2)
    s.to_sql("s", uri, index=False, method="multi", chunksize=2, dtype={"v": sqlalchemy.SmallInteger()})
    assert fetched(uri, "s").v.tolist() == [1, 2, 3]
    later = s.to_sql("later", uri, compute=False)
    assert "later" not in tables(uri)
    later.compute()
    assert fetched(uri, "later").columns.tolist() == ["index", "v"]
    dd.from_pandas(pd.DataFrame({"o": pd.to_datetime(["2020", "2021"]).date, "a:b": [1, 2]}), npartitions=2).to_sql("o", uri)
    found = fetched(uri, "o")
    assert pd.to_datetime(found.o).dt.year.tolist() == [2020, 2021] and found["a:b"].tolist() == [1, 2]


def _unique_rows(table, connection, keys, rows):
    rows = list(rows)
    connection.execute(table.table.insert(), [dict(zip(keys, row, strict=True)) for row in rows])
    if len(set(row[-1] for row in rows)) < len(rows):
        raise sqlalchemy.exc.IntegrityError("a row twice", None, ValueError("twice"))


@pytest.mark.parametrize("if_exists, parallel", [("fail", True), ("append", False), ("replace", True)])
def test_nothing_is_left_of_a_write_that_fails(uri, parallel, if_exists):
    def broken(part):
        if 30 in part.x.tolist():
            raise RuntimeError("no more")
        return part

    df = dd.from_pandas(pd.DataFrame({"x": range(40)}), npartitions=8)
    if if_exists != "fail":
        df.head(3, compute=False).to_sql("t", uri)
    twice = df.assign(x=df.x.where(df.x != 36, 37))  # refused where the table is to have each but once
    for bad, options in ((df.map_partitions(broken, meta=df._meta), {}), (twice, {"method": _unique_rows})):
        with pytest.raises((RuntimeError, sqlalchemy.exc.SQLAlchemyError, pd.errors.DatabaseError)):
            bad.to_sql("t", uri, if_exists=if_exists, parallel=parallel, **options)
    assert tables(uri) == ([] if if_exists == "fail" else ["t"])
    assert if_exists == "fail" or fetched(uri, "t").x.tolist() == [0, 1, 2]


def test_on_a_cluster(uri, client):
    pdf = rows()
    client.compute(dd.from_pandas(pdf, npartitions=4).to_sql("t", uri, compute=False)).result()
    ours = dd.read_sql_table("t", uri, "id", npartitions=4)
    same(client.compute(ours).result(), fetched(uri, "t", "id"))
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE t"))
    engine.dispose()
    error = raised(client.compute(ours).result)
    assert isinstance(error, pd.errors.DatabaseError), error
    assert "read_sql_table: partition" in str(error) and "FROM t" in str(error) and SECRET not in str(error)


def test_a_database_that_goes_away(tmp_path, server):
    with postgres(tmp_path) as (uri, stop):
        stored(uri)
        ours = dd.read_sql_table("things", uri, "id", npartitions=3)
        stop()
        error = raised(ours.compute)
    assert isinstance(error, sqlalchemy.exc.OperationalError)
    for said in (str(error), str(pickle.loads(pickle.dumps(error)))):
        assert "read_sql_table: partition" in said and "WHERE things.id >=" in said, said
    assert SECRET not in f"{error!r} {error} {error.orig}"


def test_passwords_are_nowhere(server, capsys):
    uri = stored(server, if_exists="replace")
    ours = dd.read_sql_table("things", uri, "id", npartitions=2)
    ours.explain()
    shown = f"{ours!r} {ours._name} {capsys.readouterr().out} {ours.__dask_tokenize__()} {list(ours.to_delayed())!r} {ours.to_sql('n', uri, compute=False)!r}"
    assert SECRET not in shown
    wrong = uri.replace(SECRET, f"not{SECRET}")
    error = raised(lambda: dd.read_sql_table("things", wrong, "id"))
    assert isinstance(error, sqlalchemy.exc.OperationalError) and SECRET not in f"{error!r} {error}"


def test_collections_pickle_and_differ_by_call(tmp_path):
    uri = stored(f"sqlite:///{tmp_path}/a.db")
    ours = dd.read_sql_table("things", uri, "id", npartitions=2)
    same(pickle.loads(pickle.dumps(ours)), fetched(uri, "things", "id"))
    assert ours._name != dd.read_sql_table("things", uri, "id", npartitions=2)._name


def test_an_order_that_is_not_pythons_is_refused(server):
    engine = sqlalchemy.create_engine(server)
    pd.DataFrame({"k": ["a", "B", "c"], "x": [1, 2, 3]}).to_sql("mixed", engine, index=False, if_exists="replace")
    engine.dispose()
    ours = dd.read_sql_table("mixed", server, "k", divisions=["a", "b", "d"])
    with pytest.raises(ValueError, match="'B'.*orders values otherwise"):
        ours.compute()


def test_refuses(tmp_path):
    uri = stored(f"sqlite:///{tmp_path}/a.db")
    engine = sqlalchemy.create_engine(uri)
    with pytest.raises(TypeError, match="URI"):
        dd.read_sql_table("things", engine, "id")
    with pytest.raises(TypeError, match="named by a str"):
        dd.read_sql_table(sqlalchemy.table("things"), uri, "id")
    with pytest.raises(ValueError, match="one connection"):
        dd.read_sql_table("things", "sqlite://", "id")
    with pytest.raises(ValueError, match="ascend"):
        dd.read_sql_table("things", uri, "id", divisions=[3, 1])
    with pytest.raises(ValueError, match="head_rows"):
        dd.read_sql_table("things", uri, "id", head_rows=0)
    with pytest.raises(TypeError, match="'chunksize'"):
        dd.read_sql_table("things", uri, "id", chunksize=3)
    with pytest.raises(sqlalchemy.exc.NoSuchTableError):
        dd.read_sql_table("nothing", uri, "id")
    with pytest.raises(ImportError, match="pip install"):
        dd.read_sql_table("things", "mysql+pymysql://a:b@localhost/c", "id")


def test_says_what_is_missing(python):
    program = """import sys; sys.modules["sqlalchemy"] = None
import muster.dataframe as dd
dd.read_sql_table("t", "sqlite:///x", "i")
"""
    assert "ImportError: read_sql_table needs SQLAlchemy, and the driver of the database: pip install sqlalchemy" in python(program, check=False).stderr
