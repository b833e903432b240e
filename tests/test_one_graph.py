"""Frames and calls in one graph: calls over frames, frames over calls, in turns; on threads, in the calling thread, on a cluster."""

import operator
import os
import threading
import time
import traceback
import weakref

import numpy as np
import pandas as pd
import pytest

import muster
import muster.bag
import muster.dataframe as dd
from conftest import same
from muster import delayed
from muster._collections import running


@pytest.fixture(params=["threads", "synchronous", "cluster"])
def where(request):
    if request.param == "cluster":
        request.getfixturevalue("client")
        with muster.config.set(scheduler="distributed"):
            yield request.param
    else:
        with muster.config.set(scheduler=request.param):
            yield request.param


@pytest.fixture(params=["threads", "synchronous"])
def here(request):
    with muster.config.set(scheduler=request.param):
        yield request.param


@pytest.fixture
def pdf():
    random = np.random.default_rng(0)
    texts = [f"text {i % 37}" for i in range(500)]
    return pd.DataFrame({"k": random.integers(0, 5, 500), "x": random.integers(0, 99, 500), "y": random.random(500), "s": texts})


def of_csv(pdf, path, n):
    pdf.to_csv(path / "x.csv", index=False)
    return dd.read_csv(path / "x.csv", blocksize=-(-os.path.getsize(path / "x.csv") // n))


def of_parquet(pdf, path, n):
    for i in range(n):
        pdf.iloc[i * len(pdf) // n : (i + 1) * len(pdf) // n].to_parquet(path / f"{i}.parquet")
    return dd.read_parquet(path / "*.parquet")


SOURCES = {"pandas": lambda pdf, path, n: dd.from_pandas(pdf, npartitions=n), "csv": of_csv, "parquet": of_parquet}


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("source", SOURCES)
def test_calls_over_frames(where, source, n, pdf, tmp_path):
    df = SOURCES[source](pdf, tmp_path, n)
    parts = df.to_delayed()
    again = dd.from_delayed([delayed(lambda p: p.assign(z=p.x * 2))(p) for p in parts], meta=pdf.iloc[:0].assign(z=0))
    lazy = [
        delayed(len)(df),
        delayed(lambda s: int(s))(df.x.sum()),
        delayed(lambda a, b, c: (int(a), len(b), c))(df.x.max(), df.y, 3),
        delayed(lambda **kw: {k: len(v) for k, v in kw.items()})(a=[df, {"b": df.x}], b=df.s),
        delayed(sum)([delayed(lambda p: int(p.x.sum()))(p) for p in parts]),
        delayed(list)([p.x for p in parts]),
        dd.from_delayed(parts, meta=pdf.iloc[:0]).y.sum(),
        again.z.sum(),
        delayed(len)(again[again.k == 3]),
        delayed(lambda part, mean: float((part.y - mean).sum()))(df, df.y.mean()),
        df.groupby("k").x.sum(),
        delayed(dict)(df.groupby("k").x.sum()),
        df.x.to_bag().map(int).sum() if n > 1 else delayed(int)(df.x.sum()),
    ]
    out = muster.compute(*lazy)
    total = int(pdf.x.sum())
    assert out[:5] == (500, total, (int(pdf.x.max()), 500, 3), {"a": 2, "b": 500}, total)
    same(pd.concat(out[5]).reset_index(drop=True), pdf.x)
    assert out[6] == pytest.approx(pdf.y.sum()) and out[7:9] == (2 * total, (pdf.k == 3).sum()) and abs(out[9]) < 1e-9
    same(out[10], pdf.groupby("k").x.sum())
    assert out[11] == dict(pdf.groupby("k").x.sum()) and out[12] == total
    for one, whole in zip(lazy, out, strict=True):  # each alone
        alone = one.compute()
        same(alone, whole) if isinstance(whole, pd.Series) else None
        assert type(alone) is type(whole)


def test_labels_of_partitions(where, pdf, tmp_path):
    """Row numbers of a file's partitions go on, also where only one is asked for."""
    df = SOURCES["csv"](pdf, tmp_path, 7)
    got = muster.compute([delayed(lambda p: p.index.tolist())(p) for p in df.to_delayed()])[0]
    assert sum(got, []) == list(range(500)) and len(got) > 5
    fresh = SOURCES["csv"](pdf.assign(x=pdf.x + 1), tmp_path, 7)
    assert delayed(lambda p: p.index.tolist())(fresh.partitions[3]).compute() == got[3]


def test_nested_twice_and_more(where, pdf):
    """Calls over frames over calls over frames."""
    df, want = dd.from_pandas(pdf, npartitions=5), pdf
    for i in range(3):
        calls = [delayed(lambda p, top, i=i: p.assign(x=p.x + int(top) + i))(p, df.x.max()) for p in df.to_delayed()]
        df = dd.from_delayed(calls, meta=pdf.iloc[:0])
        want = want.assign(x=want.x + want.x.max() + i)
    total, one, frame = muster.compute(df.x.sum(), delayed(int)(df.x.min()), df)
    assert (total, one) == (want.x.sum(), want.x.min())
    same(frame, want)


def test_no_frame_is_computed_for_itself(here, pdf, monkeypatch):
    """All of it is one run, and a frame that several calls take is made once."""
    runs, read = [], []
    timed = running._timed
    monkeypatch.setattr(running, "_timed", lambda *args: runs.append(threading.get_ident()) or timed(*args))

    def noted(part):
        read.append(len(part))
        return part

    df = dd.from_pandas(pdf, npartitions=5).map_partitions(noted, meta=pdf.iloc[:0])
    read.clear()
    calls = [delayed(len)(df), delayed(int)(df.x.sum()), *(delayed(len)(p) for p in df.to_delayed()), delayed(len)(df.y)]
    out = muster.compute(*calls)
    assert out == (500, pdf.x.sum(), *[100] * 5, 500)
    assert runs == [threading.get_ident()]
    assert sum(read) <= 1000  # by each partition alone, and all of them
    out = muster.compute(df.x.sum(), delayed(len)(df.s), delayed(operator.add)(df.x.max(), 1))
    assert out == (pdf.x.sum(), 500, pdf.x.max() + 1) and len(runs) == 2


def test_a_call_starts_when_its_partition_is_there(here, pdf):
    alive, most, order = [], [0], []

    def make(part):
        order.append(("read", int(part.index[0])))
        return part.copy()

    def use(part):
        alive.append(weakref.ref(part))
        order.append(("call", int(part.index[0])))
        most[0] = max(most[0], sum(a() is not None for a in alive))
        time.sleep(0.003)
        return len(part)

    df = dd.from_pandas(pdf, npartitions=20).map_partitions(make, meta=pdf.iloc[:0])
    order.clear()
    assert delayed(sum)([delayed(use)(p) for p in df.to_delayed()]).compute(num_workers=2) == 500
    ahead = [sum(kind == "read" for kind, _ in order[:i]) - sum(kind == "call" for kind, _ in order[:i]) for i in range(len(order))]
    assert most[0] <= 4 and max(ahead) <= 5, (most, order)


def test_partitions_are_not_all_held(python):
    """Calls over partitions of 8 times the limit: what they have read is given up before more is read."""
    python(
        """
import numpy as np, pandas as pd, muster, muster.dataframe as dd

rows, partitions = 800_000, 16
pdf = pd.DataFrame({"k": np.random.default_rng(0).permutation(rows), "x": np.arange(rows) * 0.5, "y": np.arange(rows) % 7})
for i in range(partitions):
    pdf.iloc[i * rows // partitions : (i + 1) * rows // partitions].to_parquet(f"{i:02}.parquet", row_group_size=10_000, index=False)
for scheduler in ("threads", "synchronous"):
    with muster.config.set({"memory-limit": "5 MB", "num-workers": 2, "scheduler": scheduler}):
        df = dd.read_parquet("*.parquet")
        assert df.npartitions == partitions
        parts = df.to_delayed()
        sums = tuple(pdf.x.iloc[i * 50_000 : (i + 1) * 50_000].sum() for i in range(partitions))
        assert muster.compute(*[muster.delayed(lambda p: float(p.x.sum()))(p) for p in parts]) == sums
        again = dd.from_delayed([muster.delayed(lambda p: p[p.y == 3])(p) for p in parts], meta=pdf.iloc[:0])
        assert again.x.sum().compute() == pdf.x[pdf.y == 3].sum()
        try:
            muster.delayed(len)(df).compute()
        except MemoryError as error:
            assert "memory" in str(error)
""",
        timeout=120,
    )


def test_errors(where, pdf):
    df = dd.from_pandas(pdf, npartitions=5)

    def broken_in_the_call(part):
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as raised:
        muster.compute([delayed(broken_in_the_call)(p) for p in df.to_delayed()], df.x.sum())
    assert "broken_in_the_call" in "".join(traceback.format_exception(raised.value))

    class Own(Exception):
        pass

    def broken_in_the_plan(part):
        if len(part) and part.index[0] == 200:
            raise Own("as it should")
        return part

    bad = df.map_partitions(broken_in_the_plan, meta=pdf.iloc[:0])
    of_parts = dd.from_delayed([delayed(lambda p: p)(p) for p in bad.to_delayed()], meta=pdf.iloc[:0])
    for question in (delayed(len)(bad), delayed(sum)([delayed(len)(p) for p in bad.to_delayed()]), delayed(len)(of_parts)):
        with pytest.raises(Own, match="as it should") as raised:
            question.compute()
        assert "broken_in_the_plan" in "".join(traceback.format_exception(raised.value))
    assert delayed(len)(bad.partitions[0]).compute() == 100
    assert delayed(len)(df).compute() == 500


@pytest.mark.parametrize("late", ["1.5", "text", "99999999999999999999", ""])
def test_wider_columns(where, late, tmp_path):
    """A call sees the values of its own partition, whatever the sample had promised; what has run does not run again."""
    n = 3000
    values = [str(i) for i in range(n)]
    values[2 * n // 3] = late
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{v},{i}\n" for i, v in enumerate(values)))
    df = dd.read_csv(tmp_path / "x.csv", blocksize=3000, sample=1000)
    marks = tmp_path / "marks"
    marks.mkdir()

    def seen(part):
        with open(marks / str(part.b.iloc[0]), "a") as file:
            file.write("x")
        return part

    whole = pd.read_csv(tmp_path / "x.csv")
    parts = muster.compute([delayed(seen)(p) for p in df.to_delayed()])[0]
    assert len(parts) == df.npartitions > 6
    got = ["" if pd.isna(v) else str(v).removesuffix(".0") for p in parts for v in p.a]
    assert got == values
    assert sum((p.index.tolist() for p in parts), []) == list(range(n))
    if where != "cluster":
        assert {len(m.read_text()) for m in marks.iterdir()} == {1}
    total, frame = muster.compute(df.b.sum(), delayed(lambda f: f)(df))
    assert total == whole.b.sum()
    same(frame, df.compute())
    same(frame.b, whole.b)


def test_wider_columns_that_a_kernel_refuses(where, tmp_path):
    """pandas takes over where a column turns out to be text, as where the frame itself is computed."""
    (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{i if i != 2500 else 'text'},{i}\n" for i in range(3000)))
    df = dd.read_csv(tmp_path / "x.csv", blocksize=3000, sample=1000)
    whole = pd.read_csv(tmp_path / "x.csv")
    assert delayed(str)(df.a.max()).compute() == "text"
    frame, other = muster.compute(delayed(lambda f: f)(df.a.value_counts()), delayed(lambda: 3)())
    assert other == 3 and frame.sum() == len(whole)


def test_quoted_newlines(where, tmp_path):
    """Partitions begin where the one in front ends."""
    want = pd.DataFrame({"a": range(400), "s": [f'line\n{i},"{i}' if i % 3 else "plain" for i in range(400)]})
    want.to_csv(tmp_path / "x.csv", index=False)
    df = dd.read_csv(tmp_path / "x.csv", blocksize=500)
    assert df.npartitions > 10
    parts = muster.compute([delayed(lambda p: p)(p) for p in df.to_delayed()])[0]
    same(pd.concat(parts), want)


def test_bags_of_partitions(where, pdf):
    df = dd.from_pandas(pdf, npartitions=4)
    assert df.to_bag().map(lambda row: row[1]).sum().compute() == pdf.x.sum()
    back = df.to_bag(format="dict").filter(lambda r: r["k"] == 1).to_dataframe(meta=pdf.iloc[:0])
    total, count = muster.compute(back.x.sum(), df[["k", "x"]].to_bag().count())
    assert (total, count) == (pdf.x[pdf.k == 1].sum(), 500)


def test_persisted_and_shared(where, pdf):
    df = dd.from_pandas(pdf, npartitions=4)
    call = delayed(lambda p: p.x.sum())(df)
    kept = call.persist()
    assert kept.compute() == pdf.x.sum()
    frame = dd.from_delayed([delayed(lambda p: p)(p) for p in df.to_delayed()], meta=pdf.iloc[:0]).persist()
    assert delayed(len)(frame).compute() == 500


def test_results_are_the_callers_own(here, pdf):
    """What a call does to the object it gets is seen by nobody else."""

    def spoil(part):
        part["x"] = -1
        part.iloc[:, 1:2] = -2
        return part

    before = pdf.copy()
    df = dd.from_pandas(pdf, npartitions=2)
    spoiled, fine, frame = muster.compute(delayed(spoil)(df), delayed(lambda p: int(p.x.sum()))(df), df)
    assert (spoiled.x < 0).all() and fine == before.x.sum()
    same(frame, before)
    same(pdf, before)


def test_annotated_and_named_frames(here, pdf):
    """Scalars, indices, series and single values arrive as what they are."""
    df = dd.from_pandas(pdf.set_index("s", drop=False).sort_index(), npartitions=3)
    of_rows = (df, df.x, df.index, df.x.sum(), df.sum(numeric_only=True), df.describe(), df.x.nunique(), df.head(3, compute=False))
    kinds = muster.compute([delayed(lambda v: type(v).__name__)(v) for v in of_rows])[0]
    numbers = [type(number.compute()).__name__ for number in (df.x.sum(), df.x.nunique())]
    assert kinds == ["DataFrame", "Series", "Index", numbers[0], "Series", "DataFrame", numbers[1], "DataFrame"]


def test_callbacks_hear_of_calls_over_frames(here, pdf):
    heard, values, runs = [], [], []

    class Hears(muster.callbacks.Callback):
        def _start(self, dsk):
            runs.append("start")

        def _pretask(self, key, dsk, state):
            heard.append(key)

        def _posttask(self, key, value, dsk, state, worker):
            values.append(value)

    df = dd.from_pandas(pdf, npartitions=3)
    with Hears():
        assert delayed(len)(df).compute() == 500
    assert len(heard) == 2 and any(isinstance(v, pd.DataFrame) for v in values) and isinstance(values[-1], int)


def test_what_runs_inside_a_task_shares_its_limit(here, pdf):
    from muster import _core

    df = dd.from_pandas(pdf, npartitions=2)
    told = []

    def inner(limit):
        with muster.config.set({"memory-limit": "1 GB"}):
            return df.x.sum().compute()

    set_limit = _core.set_memory_limit
    try:
        _core.set_memory_limit = lambda size: (told.append(size), set_limit(size))
        with muster.config.set({"memory-limit": "200 MB"}):
            assert delayed(inner)(1).compute() == pdf.x.sum()
            assert df.map_partitions(lambda p: (inner(1), p)[1], meta=pdf.iloc[:0]).x.sum().compute() == pdf.x.sum()
    finally:
        _core.set_memory_limit = set_limit
    assert 1_000_000_000 not in told, told


@pytest.mark.parametrize("kind", ["own", "ours"])
def test_a_get_function(pdf, monkeypatch, kind):
    """It runs the calls; what they take of frames, and what frames are made of, is one run before, in this thread's graph."""
    runs, inside, ran = [], [], []
    timed = running._timed
    monkeypatch.setattr(running, "_timed", lambda *args: runs.append(bool(inside)) or timed(*args))

    def one_by_one(dsk, keys, **kwargs):
        done = {}

        def value(v):
            if type(v) is tuple and v and callable(v[0]):
                return v[0](*map(value, v[1:]))
            if type(v) is list:
                return [value(x) for x in v]
            return value_of(v) if type(v) is str and v in dsk else v

        def value_of(key):
            if key not in done:
                inside.append(key)
                done[key] = value(dsk[key])
                inside.pop()
            return done[key]

        return [value_of(k) for k in keys]

    get = one_by_one if kind == "own" else muster.threaded.get
    df = dd.from_pandas(pdf, npartitions=5)
    made = delayed(lambda: ran.append("made") or pdf)()
    frame = dd.from_delayed([made], meta=pdf.iloc[:0])
    runs.clear()
    question = [
        delayed(len)(df), delayed(int)(df.x.sum()), delayed(sum)([delayed(len)(p) for p in df.to_delayed()]), delayed(len)(frame), delayed(len)(made),
        delayed(lambda n: n + 1)(delayed(len)(dd.from_delayed([delayed(lambda p: p)(p) for p in df.to_delayed()], meta=pdf.iloc[:0]))),
    ]  # fmt: skip
    assert muster.compute(*question, scheduler=get) == (500, pdf.x.sum(), 500, 500, 500, 501)
    assert runs == [False]
    assert ran == ["made"]
    runs.clear()
    total, n = muster.compute(df.x.sum(), delayed(len)(df), scheduler=get)
    assert (total, n, runs) == (pdf.x.sum(), 500, [False])
    runs.clear()
    assert muster.compute(delayed(sum)([1, 2]), scheduler=get) == (3,)
    assert not runs
    kept = delayed(len)(df).persist(scheduler=get)
    assert kept.compute() == 500
    with pytest.raises(ZeroDivisionError):
        delayed(lambda p: 1 / 0)(df).compute(scheduler=get)


@pytest.mark.parametrize("write", ["to_csv", "to_parquet", "to_json"])
def test_later_writes(where, write, pdf, tmp_path):
    out = tmp_path / "out"
    df = dd.from_pandas(pdf, npartitions=4)
    later = getattr(df, write)(str(out), compute=False)
    assert not out.exists()
    muster.compute(later, delayed(len)(df))
    assert sum(f.is_file() for f in out.rglob("*")) == 4 and sorted(os.listdir(tmp_path)) == ["out"]

    def broken(part):
        if part.index[0] > 300:
            raise ZeroDivisionError
        return part

    bad = getattr(df.map_partitions(broken, meta=pdf.iloc[:0]), write)(str(tmp_path / "bad"), compute=False)
    with pytest.raises(ZeroDivisionError):
        muster.compute(bad, delayed(len)(df))
    assert sorted(os.listdir(tmp_path)) == ["out"]
    for i in range(6):
        with pytest.raises(ZeroDivisionError):
            muster.compute(getattr(df, write)(str(tmp_path / f"third{i}"), compute=False), delayed(lambda i=i: time.sleep(0.02 * i) or 1 / 0)())
        if (tmp_path / f"third{i}").exists():  # it was written before the other failed
            assert sum(f.is_file() for f in (tmp_path / f"third{i}").rglob("*")) == 4
        assert not [f for f in tmp_path.rglob("*.tmp")]
