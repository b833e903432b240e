"""What users do with collections besides computing: look, assign, rename, keep, call Python, several threads, Ctrl-C, configuration."""

import asyncio
import io
import itertools
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import muster
import muster.bag as db
import muster.dataframe as dd
from conftest import same
from muster.diagnostics import ProgressBar


def test_selection(frames):
    pdf, df = frames
    same(df["i"], pdf["i"])
    same(df.i, pdf.i)
    same(df[["f", "i"]], pdf[["f", "i"]])
    same(df[df.b], pdf[pdf.b])
    same(df[(df.i > 0) & ~df.b].s, pdf[(pdf.i > 0) & ~pdf.b].s)
    same(df.i[df.b], pdf.i[pdf.b])
    same(df[df.i > 1000], pdf[pdf.i > 1000])
    same(df, pdf)
    with pytest.raises(KeyError, match="columns are"):
        df["nope"]
    with pytest.raises(AttributeError):
        df.nope
    with pytest.raises(TypeError, match="boolean"):
        df[df.i]


def test_assign_rename_drop(frames):
    pdf, df = frames
    same(df.assign(z=df.i * 2, c=1, t="k"), pdf.assign(z=pdf.i * 2, c=1, t="k").astype({"t": "str"}))
    same(df.assign(z=lambda d: d.i + 1), pdf.assign(z=lambda d: d.i + 1))
    same(df.rename(columns={"i": "I", "nope": "x"}), pdf.rename(columns={"i": "I"}))
    same(df.rename(columns=str.upper), pdf.rename(columns=str.upper))
    same(df.drop(columns=["i", "f"]), pdf.drop(columns=["i", "f"]))
    same(df.drop("i", axis=1), pdf.drop("i", axis=1))
    same(df.drop(columns=["i", "nope"], errors="ignore"), pdf.drop(columns=["i"]))
    same(df.i.rename("x"), pdf.i.rename("x"))
    same(df.i.to_frame(), pdf.i.to_frame())
    same(df.assign(one=1).one.sum(), len(pdf))
    with pytest.raises(KeyError, match="nope"):
        df.drop(columns=["nope"])
    with pytest.raises(NotImplementedError):
        df.drop([1, 2])
    same(df.select_dtypes("number"), pdf.select_dtypes("number"))


def test_assignment_in_place(frames):
    pdf, df = frames
    pdf = pdf.copy()
    before = df._name
    df["z"] = df.i + 1
    pdf["z"] = pdf.i + 1
    df["i"] = 0
    pdf["i"] = 0
    del df["f"]
    del pdf["f"]
    same(df, pdf)
    assert df._name != before
    df.columns = [c.upper() for c in df.columns]
    pdf.columns = [c.upper() for c in pdf.columns]
    same(df, pdf)
    with pytest.raises(ValueError, match="Length mismatch"):
        df.columns = ["a"]


def test_repeated_and_odd_labels():
    pdf = pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"])
    same(dd.from_pandas(pdf, npartitions=1), pdf)
    same(dd.from_pandas(pdf, npartitions=1)[["a"]], pdf[["a"]])
    pdf = pd.DataFrame({0: [1, 2], 1: ["x", "y"]})
    same(dd.from_pandas(pdf, npartitions=2), pdf)
    same(dd.from_pandas(pdf, npartitions=2)[0].sum(), 3)
    pdf = pd.DataFrame({("a", 1): [1], ("a", 2): [2]})
    same(dd.from_pandas(pdf, npartitions=1), pdf)


def test_index(frames):
    pdf = pd.DataFrame({"x": [1, 2, 3]}, index=pd.Index(["c", "a", "b"], name="key"))
    df = dd.from_pandas(pdf, npartitions=2)
    same(df, pdf.sort_index())
    same(dd.from_pandas(pdf, npartitions=2, sort=False), pdf)
    assert list(df.index.compute()) == ["a", "b", "c"] and df.index.name == "key"
    pdf = pd.DataFrame({"x": [1, 2, 3]}, index=pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")], names=["k", None]))
    same(dd.from_pandas(pdf, npartitions=2), pdf)


def test_columns_that_are_only_carried():
    pdf = pd.DataFrame(
        {
            "x": [3, 1, 2], "c": pd.Categorical(["a", "b", "a"]), "o": [{"k": 1}, None, [1, 2]], "n": pd.array([1, None, 3], dtype="Int64"),
            "z": pd.date_range("2020", periods=3, tz="UTC"),
        }
    )  # fmt: skip
    df = dd.from_pandas(pdf, npartitions=2)
    same(df, pdf)
    same(df[df.x > 1], pdf[pdf.x > 1])
    same(df.nlargest(2, "x"), pdf.nlargest(2, "x"))
    same(df.n + 1, pdf.n + 1)
    same(df.z + pd.Timedelta("1s"), pdf.z + pd.Timedelta("1s"))
    same(df.c == "a", pdf.c == "a")
    assert (df.dtypes == pdf.dtypes).all()


@pytest.mark.parametrize("kept", [lambda c: c.persist(), lambda c: c.copy(), lambda c: muster.persist(c)[0]], ids=["persist", "copy", "muster.persist"])
def test_a_collection_stays_what_it_is(kept):
    pdf = pd.DataFrame({"x": [3, 1, 2], "y": [1.0, 5.0, 4.0]}, index=pd.Index(["a", "b", "c"], name="k"))
    df = dd.from_pandas(pdf, npartitions=2)
    for ours, theirs in ((df, pdf), (df.x, pdf.x), (df.sum(), pdf.sum()), (df.idxmax(), pdf.idxmax())):
        out = kept(ours)
        assert type(out) is type(ours)
        same(out, theirs)
    assert kept(df.x.sum()).compute() == 6
    assert kept(df.x.idxmin()).compute() == "b"
    pd.testing.assert_index_equal(kept(df.index).compute(), pdf.index)


def test_persist(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,x\n,y\n3,z\n" * 100)
    df = dd.read_csv(str(path), blocksize=100)
    kept = df.persist()
    theirs = pd.read_csv(path)
    path.unlink()
    assert kept.npartitions == df.npartitions
    same(kept, theirs)
    same(kept.groupby("b").a.sum(), theirs.groupby("b").a.sum())
    a, b = muster.persist(kept.a, kept.b)
    same(a, theirs.a)
    same(b, theirs.b)


def test_map_partitions(frames):
    pdf, df = frames
    same(df.map_partitions(lambda part: part.assign(z=part.i * 2)), pdf.assign(z=pdf.i * 2))
    same(df.i.map_partitions(lambda part, n: part + n, 3), pdf.i + 3)
    same(df.map_partitions(lambda part: part.i + part.f), pdf.i + pdf.f, check_names=False)
    same(df.map_partitions(lambda part: part[part.i > 0]).groupby("s").f.sum(), pdf[pdf.i > 0].groupby("s").f.sum())
    same(df.map_partitions(lambda part: part[["i"]].astype("float64"), meta={"i": "float64"}), pdf[["i"]].astype("float64"))
    assert len(df.map_partitions(len).compute()) == df.npartitions
    same(df.map_partitions(lambda part: part.assign(o=[{"i": i} for i in part.i]))[["o"]], pd.DataFrame({"o": [{"i": i} for i in pdf.i]}))


def test_errors_of_user_functions(frames):
    _, df = frames

    class Mine(Exception):
        pass

    def fails(part):
        raise Mine("from partition")

    with pytest.raises(Mine, match="from partition"):
        df.map_partitions(fails, meta=df._meta).compute()
    with pytest.raises(ValueError, match="returned the columns"):
        df.map_partitions(lambda part: part[["i"]], meta={"j": "int64"}).compute()
    with pytest.raises(TypeError):
        df.map_partitions("no function")
    same(df.i.sum(), df.compute().i.sum())  # and the engine goes on


def test_python_functions_count_by_content():
    df = dd.from_dict({"x": [1, 2]}, npartitions=1)
    n = 1

    def add(part):
        return part + n

    first = df.map_partitions(add)._name
    assert df.map_partitions(add)._name == first
    n = 2
    assert df.map_partitions(add)._name != first
    same(df.map_partitions(add), pd.DataFrame({"x": [3, 4]}))


def test_partitions(frames):
    pdf, df = frames
    same(df.partitions[0], pdf.iloc[: -(-len(pdf) // df.npartitions)]) if df.npartitions < 8 else None
    parts = [df.get_partition(i).compute() for i in range(df.npartitions)]
    same(pd.concat(parts), pdf)
    with pytest.raises(ValueError):
        df.get_partition(10**6)
    sizes = [len(part) for part in parts]
    assert df.known_divisions and df.divisions == (*(sum(sizes[:i]) for i in range(len(sizes))), len(pdf) - 1)
    assert df[df.b].divisions == df.divisions == (df.i + 1).persist().divisions
    assert dd.from_pandas(pd.DataFrame({"x": [1, 2]}, index=[1, 1]), npartitions=2).divisions == (1, 1)
    assert df.groupby("s").i.sum().divisions == (None, None)


def test_schedulers(frames):
    pdf, df = frames
    for kwargs in [{"scheduler": "threads"}, {"scheduler": "synchronous"}, {"num_workers": 1}, {"num_workers": 7}]:
        same(df.groupby("s").i.sum().compute(**kwargs), pdf.groupby("s").i.sum())
    with muster.config.set(scheduler="sync"):
        same(df.i.sum(), pdf.i.sum())
    with muster.config.set({"num-workers": 3}):
        same(df.i.sum(), pdf.i.sum())
    for bad in ["nonsense", 5]:
        with pytest.raises((ValueError, NotImplementedError), match=str(bad)):
            df.i.sum().compute(scheduler=bad)
    for number in (-1, 0, 1.5):
        with pytest.raises(ValueError, match="num_workers"):
            df.i.sum().compute(num_workers=number)


def test_several_threads_at_once(frames):
    pdf, df = frames
    expected, results = pdf.groupby("s").i.sum(), []
    threads = [threading.Thread(target=lambda: results.append(df.groupby("s").i.sum().compute())) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 8
    for r in results:
        same(r, expected)


def test_inside_asyncio(frames):
    pdf, df = frames

    async def main():
        one, two = await asyncio.gather(asyncio.to_thread(df.i.sum().compute), asyncio.to_thread(df.f.mean().compute))
        return one, two, await df.i.max(), df.i.min().compute()

    one, two, three, four = asyncio.run(main())
    assert (one, three, four) == (pdf.i.sum(), pdf.i.max(), pdf.i.min()) and two == pytest.approx(pdf.f.mean())


def test_progress_bar(frames):
    _, df = frames
    out = io.StringIO()
    with ProgressBar(out=out) as bar:
        df.i.sum().compute()
    assert "100% Completed" in out.getvalue() and bar.last_duration > 0
    size = len(out.getvalue())
    df.i.sum().compute()
    assert len(out.getvalue()) == size
    bar = ProgressBar(minimum=100, out=out)
    bar.register()
    df.i.sum().compute()
    bar.unregister()
    assert len(out.getvalue()) == size


@pytest.mark.parametrize("body", ["df.groupby('s').i.sum().compute()", "df.map_partitions(lambda part: (time.sleep(30), part)[1], meta=df._meta).compute()"])
def test_ctrl_c(python, tmp_path, body):
    """Stops within 100 ms and leaves the interpreter sound."""
    path = tmp_path / "big.csv"
    path.write_text("s,i\n" + "key,123456\n" * 200_000)
    program = f"""
import os, signal, threading, time
import muster.dataframe as dd
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have had it ignored
df = dd.read_csv([{str(path)!r}] * 400)
df.head()
def interrupt():
    time.sleep(0.3)
    global sent
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    {body}
    print("finished")
except KeyboardInterrupt:
    print("after", time.perf_counter() - sent)
print("sound", dd.from_dict({{"x": [1, 2]}}, npartitions=2).x.sum().compute())
"""
    out = python(program, timeout=20).stdout
    assert "after" in out and "sound 3" in out, out
    assert float(out.split()[1]) < 0.5  # 0.1 s on a quiet machine


def test_budget(python):
    program = """
import muster, muster.dataframe as dd, pandas as pd, numpy as np
df = dd.from_pandas(pd.DataFrame({"x": np.arange(2_000_000), "s": ["a longer text than fits"] * 2_000_000}), npartitions=8)
with muster.config.set({"memory-limit": "20 MB"}):
    try:
        df.assign(y=df.x + 1).compute()
    except MemoryError as error:
        print("MemoryError", error)
    print(df.x.sum().compute())
"""
    out = python(program).stdout
    assert "budget of 20 MB" in out and str(sum(range(2_000_000))) in out


def test_fork(python):
    program = """
import os, warnings
warnings.simplefilter("ignore")
import muster.dataframe as dd
df = dd.from_dict({"x": [1, 2, 3]}, npartitions=3)
os.write(1, b"%d " % df.x.sum().compute())
pid = os.fork()
os.write(1, b"%d " % df.x.sum().compute())
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    assert python(program).stdout.split() == ["6"] * 3


def test_no_thread_at_import(python):
    program = """
import os
import muster, muster.dataframe as dd
print(len(os.listdir("/proc/self/task")))
"""
    assert int(python(program, OPENBLAS_NUM_THREADS="1").stdout) == 1


@pytest.mark.parametrize("question", ["df.map_partitions(lambda part: part).compute()", "df.x.sum().compute()", "df.map_partitions(slow).compute()"])
def test_a_clean_exit_while_daemons_compute(python, question):
    program = f"""
import threading, time
import muster.dataframe as dd
df = dd.from_dict({{"x": list(range(100))}}, npartitions=20)
def slow(part):
    time.sleep(0.005)
    return part
def work():
    while True:
        {question}
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    for _ in range(3):
        done = python(program, timeout=20)
        assert not done.stderr


def test_config(tmp_path, monkeypatch):
    (tmp_path / "muster.yaml").write_text("num-workers: 3\nmine:\n  deep: [1, 2]\n")
    monkeypatch.setenv("MUSTER_CONFIG", str(tmp_path))
    monkeypatch.setenv("MUSTER_MINE__OTHER_KEY", "{'a': 1}")
    try:
        muster.config.refresh()
        assert muster.config.get("num_workers") == 3 and muster.config.get("mine.deep") == [1, 2] and muster.config.get("mine.other-key") == {"a": 1}
        with muster.config.set({"mine.deep": 5}, num_workers=7):
            assert muster.config.get("mine.deep") == 5 and muster.config.get("num-workers") == 7
        assert muster.config.get("mine.deep") == [1, 2]
        assert muster.config.get("nothing", 9) == 9
        with pytest.raises(KeyError, match="nothing.here"):
            muster.config.get("nothing.here")
    finally:
        monkeypatch.undo()
        muster.config.refresh()


def test_keywords_that_are_not_known(client, tmp_path):
    lazy, df = muster.delayed(abs)(-1), dd.from_dict({"x": [1, 2]}, npartitions=2)
    calls = [lazy.compute, lazy.persist, df.compute, df.persist, df.x.sum().compute, db.range(3, 2).compute, db.range(3, 2).persist]
    calls += [lambda call=call, **keywords: call(lazy, **keywords) for call in (muster.compute, muster.persist, client.compute, client.persist)]
    for call in calls:
        with pytest.raises(TypeError, match="optimise_graph.*did you mean 'optimize_graph'"):
            call(optimise_graph=True)
    for call in calls[:7]:
        with pytest.raises(TypeError, match="num_worker'; did you mean 'num_workers'"):
            call(num_worker=2)
        with pytest.raises(TypeError, match="unexpected keyword 'banana'$"):
            call(banana=2)
        with ThreadPoolExecutor(2) as pool:
            call(num_workers=2, pool=pool, optimize_graph=False, rerun_exceptions_locally=True, priority=1, retries=2)
    for collection in (lazy, df, db.range(3, 2)):
        with pytest.raises(TypeError, match="file_name'; did you mean 'filename'"):
            collection.visualize(file_name="x")
        assert collection.visualize(filename=str(tmp_path / "graph.dot"), rankdir="LR").endswith("graph.dot")
    assert lazy.compute(scheduler=client, workers=list(client.nthreads()), resources=None) == 1
    with pytest.raises(TypeError, match="retries"):
        lazy.compute(retries=-1)


@pytest.mark.parametrize(
    "values",
    [
        {"num_workers": 2}, {"temporary-directory": "/tmp"}, {"myproject.x": 1}, {"myproject": {"a": {"b": 1}}}, {"dataframe.shuffle.method": "tasks"},
        {"dataframe": {"convert_string": False}}, {"array.chunk-size": "1MB"}, {"distributed.worker.memory.target": 0.5}, {"delayed_pure": False},
        {"pool": None}, {"jobqueue.slurm.cores": 1}, {"optimization.fuse.active": False}, {"dataframe.parquet.minimum-partition-size": 1},
        {"database.url": "x"}, {"abc": 123},
    ],
)  # fmt: skip
def test_config_keys_that_are_known(values):
    with muster.config.set(values):
        for key, value in values.items():
            assert muster.config.get(key) == value or isinstance(value, dict)


@pytest.mark.parametrize(
    "values, hint",
    [
        ({"shceduler": "threads"}, "did you mean 'scheduler'"), ({"num-wokers": 2}, "did you mean 'num-workers'"),
        ({"memory_limt": 1}, "did you mean 'memory-limit'"), ({"dataframe.dtype": 1}, "dataframe.dtype"),
        ({"dataframe.shufle.method": 1}, "did you mean 'shuffle'"), ({"dataframe": {"convert_strings": 1}}, "did you mean 'convert-string'"),
        ({"datafrme.convert-string": 1}, "did you mean 'dataframe'"),
    ],
)  # fmt: skip
def test_config_keys_that_are_not_known(values, hint):
    with pytest.raises(KeyError, match=hint):
        muster.config.set(values)
    mine = {}
    muster.config.set(values, config=mine)
    assert mine


def test_structure_without_data(frames):
    _, df = frames
    text = repr(df)
    assert "muster DataFrame Structure" in text and f"npartitions={df.npartitions}" in text and "int64" in text
    assert "<table" in df._repr_html_()
    assert "Series Structure" in repr(df.i) and "Index Structure" in repr(df.index) and "Scalar" in repr(df.i.sum())
    assert "i" in dir(df) and "i" in df and list(df)[:2] == ["i", "j"]
    assert repr(df.groupby("s")) and repr(df.groupby("s").i)


def test_names_that_come_later():
    df = dd.from_dict({"x": [1]}, npartitions=1)
    for call in [lambda: dd.from_dask_array(df), lambda: df.to_dask_array()]:
        with pytest.raises(NotImplementedError, match="not there yet"):
            call()


def test_from_pandas_refuses():
    with pytest.raises(TypeError, match="pandas"):
        dd.from_pandas([1, 2], npartitions=1)
    with pytest.raises(ValueError):
        dd.from_pandas(pd.DataFrame({"x": [1]}), npartitions=1, chunksize=1)
    assert dd.from_pandas(pd.DataFrame({"x": range(10)}), chunksize=3).npartitions == 4
    assert dd.from_pandas(pd.DataFrame({"x": range(3)}), npartitions=10).npartitions == 3


def test_warnings_are_quiet(frames):
    _, df = frames
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        df.groupby("s").i.mean().compute()


def test_show_versions(capsys):
    muster.show_versions()
    assert '"muster": "0.1.0"' in capsys.readouterr().out




def test_computing_inside_a_partition(frames):
    pdf, df = frames
    small = dd.from_dict({"x": [1, 2, 3]}, npartitions=3)
    out = df.map_partitions(lambda part: part.i + small.x.sum().compute(num_workers=2), meta=("i", "int64"))
    same(out.compute(num_workers=2), pdf.i + 6)


def test_later_changes_of_the_users_frame_are_not_seen():
    pdf = pd.DataFrame({"x": [1, 2, 3], "s": ["a", "b", "c"]})
    df = dd.from_pandas(pdf, npartitions=2)
    pdf.loc[0, "x"] = 100
    pdf["s"] = "z"
    same(df, pd.DataFrame({"x": [1, 2, 3], "s": ["a", "b", "c"]}))


def test_log(caplog, tmp_path):
    import logging

    path = tmp_path / "a.csv"
    path.write_text("a\n" + "1\n" * 100_000 + "1.5\n")
    with caplog.at_level(logging.INFO, "muster"):
        dd.read_csv(str(path)).a.sum().compute()
    assert "wider than the sample" in caplog.text and "took" in caplog.text


def test_errors_say_where(tmp_path):
    df = dd.from_dict({"x": [1, 2]}, npartitions=2)
    with pytest.raises(ZeroDivisionError) as caught:
        df.map_partitions(lambda part: 1 / 0, meta=df._meta).compute()
    assert any("partition" in note for note in caught.value.__notes__)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(ValueError, match=r"a\.csv', line 3.*\n.*in read_csv, partition 0"):
        dd.read_csv(str(path)).compute()


SOURCES = {
    "from_pandas": lambda frame: dd.from_pandas(frame, npartitions=2),
    "persisted": lambda frame: dd.from_pandas(frame, npartitions=2).persist(),
    "computed": lambda frame: dd.from_pandas(frame, npartitions=1).assign(y=1),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("rows", [6, 50_000])
def test_writing_into_a_result_changes_nothing_else(source, rows):
    half = rows // 2
    frame = pd.DataFrame(
        {
            "x": range(rows), "f": np.arange(rows) / 2, "b": [True, False] * half, "n": pd.array([1, None] * half, dtype="Int64"),
            "t": pd.date_range("2020", periods=rows), "c": pd.Categorical(["a", "b"] * half),
        }
    )  # fmt: skip
    before, df = frame.copy(deep=True), SOURCES[source](frame)
    known = df.compute().copy(deep=True)
    for written in (df.compute(), df.partitions[0].compute(), df.x.compute(), df.n.compute(), df.t.compute()):
        written.iloc[0] = written.iloc[1]
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(df.compute(), known)


@pytest.mark.parametrize("rows", [3, 2048, 2049, 5000])  # a partition: short ones are copied
@pytest.mark.parametrize("source", SOURCES)
def test_functions_that_write_into_their_rows_change_nothing_else(source, rows):
    n = 2 * rows
    columns = {"x": range(n), "f": np.arange(n) / 2, "y": range(n), "s": "a", "b": True, "t": pd.Timestamp("2020"), "o": [[i] for i in range(n)]}
    frame = pd.DataFrame(columns)
    df = SOURCES[source](frame)
    known = df.compute()

    def writes(part):
        part.iloc[0, 0] = -1
        part.loc[:, "y"] = 0
        part.loc[part.index[-1], "s"] = "b"
        part["f"] += 1
        part.iloc[1:, 4] = False
        return part

    def writes_first(part):
        part.iloc[0] = -1
        return part

    expected = pd.concat([writes(p.compute()) for p in df.partitions])
    pd.testing.assert_frame_equal(df.map_partitions(writes).compute(), expected)
    assert (df.x.map_partitions(writes_first).compute() == -1).sum() == df.npartitions
    pd.testing.assert_frame_equal(df.compute(), known)


def test_columns_of_every_dtype_go_through_functions():
    n = 40
    frame = pd.DataFrame(
        {
            "i": range(n), "i2": range(n), "i8": np.arange(n, dtype="int8"), "u": np.arange(n, dtype="uint64"), "f": np.arange(n) / 3,
            "f4": np.arange(n, dtype="float32"), "b": [True, False] * (n // 2), "b2": [False, True] * (n // 2), "s": ["a", None] * (n // 2),
            "t": pd.date_range("2020", periods=n), "t2": pd.Series([pd.Timestamp("2020"), pd.NaT] * (n // 2)),
            "ms": pd.date_range("2020", periods=n).astype("datetime64[ms]"), "d": pd.to_timedelta(range(n)),
            "z": pd.date_range("2020", periods=n, tz="Europe/Rome"), "c": pd.Categorical(["a", "b"] * (n // 2)),
            "n": pd.array([1, None] * (n // 2), dtype="Int64"), "a": pd.array([1, None] * (n // 2), dtype="int64[pyarrow]"),
            "o": [[i] for i in range(n)], "o2": [(i, "x") for i in range(n)], "p": pd.period_range("2020", periods=n),
        }
    )  # fmt: skip
    for index in (frame.index, frame.index + 5, pd.Index(frame.s), pd.MultiIndex.from_arrays([frame.i, frame.t], names=["k", None])):
        for labels in (frame.columns, pd.RangeIndex(frame.shape[1]), pd.Index(["same"] * frame.shape[1])):
            given = frame.set_axis(index).set_axis(labels, axis=1)
            for npartitions in (1, 7):
                df = dd.from_pandas(given, npartitions=npartitions, sort=False)
                pd.testing.assert_frame_equal(df.map_partitions(lambda part: part).compute(), given)
                pd.testing.assert_frame_equal(df.map_partitions(lambda part: part.iloc[:, ::-1].copy()).compute(), given.iloc[:, ::-1])
                pd.testing.assert_frame_equal(df.map_partitions(lambda part: part[::-1][::-1]).compute(), given)


@pytest.mark.parametrize("rows", [3, 5000])
@pytest.mark.parametrize("give", [lambda frame: frame, lambda frame: frame["a"], lambda frame: frame[["b", "a"]]], ids=["itself", "a column", "columns"])
def test_functions_that_write_into_what_they_returned(rows, give):
    outer = pd.DataFrame({"a": np.arange(rows), "b": 1.0})
    calls = itertools.count(1)

    def function(part):
        outer.iloc[0, 0] = next(calls)
        return give(outer)

    out = dd.from_pandas(pd.DataFrame({"x": range(3)}), npartitions=3).map_partitions(function, meta=give(outer).iloc[:0]).compute(scheduler="synchronous")
    first = out if out.ndim == 1 else out["a"]
    assert first.iloc[[0, rows, 2 * rows]].tolist() == [1, 2, 3]


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_frames_and_tasks_are_one_job(scheduler, tmp_path):
    """What both need runs once, also where the frame's plan is made again because a part is wider than the first."""
    ran = []

    @muster.delayed
    def base():
        ran.append("base")
        return 1

    @muster.delayed
    def part(i, one):
        ran.append(i)
        return pd.DataFrame({"x": [i + one, i / 2 if i == 5 else i]})

    one = base()
    parts = [part(i, one) for i in range(7)]
    frame = muster.dataframe.from_delayed(parts, meta=pd.DataFrame({"x": [1.0]}))
    total, first, other = muster.compute(frame.x.sum(), muster.delayed(len)(parts[0]), one + 1, scheduler=scheduler)
    assert (total, first, other) == (sum(i + 1 + i for i in range(7)) - 2.5, 2, 2)
    assert sorted(map(str, ran)) == sorted(map(str, ["base", *range(7)]))
    ran.clear()
    wider = muster.dataframe.from_delayed(parts)  # the first part is computed for its dtypes
    ran.clear()
    total, other = muster.compute(wider.x.sum(), muster.delayed(lambda value: ran.append("other") or value)(one), scheduler=scheduler)
    assert (total, other) == (sum(i + 1 + i for i in range(7)) - 2.5, 1)
    assert ran.count("other") == 1
    with pytest.raises(ZeroDivisionError):
        muster.compute(frame.x.sum(), muster.delayed(lambda: 1 / 0)(), scheduler=scheduler)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_partitions_of_calls_are_used_up_before_others_are_made(scheduler):
    alive, most = [], [0]

    def make(i):
        time.sleep(0.01)
        made = pd.DataFrame({"x": [i]})
        alive.append(weakref.ref(made))
        return made

    def use(part):
        most[0] = max(most[0], sum(a() is not None for a in alive))
        return part.x

    df = dd.from_delayed([muster.delayed(make)(i) for i in range(20)], meta=pd.DataFrame({"x": [1]}))
    assert df.map_partitions(use, meta=("x", "int64")).sum().compute(scheduler=scheduler, num_workers=2) == 190
    assert most[0] <= 6  # of twenty
