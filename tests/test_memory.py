"""The memory limit: what can wait waits, what cannot be done within it is refused with an estimate."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd

_FRAME = """
import numpy as np, pandas as pd, muster, muster.dataframe as dd

rows, partitions = 400_000, 8
pdf = pd.DataFrame({"k": np.random.default_rng(0).permutation(rows), "x": np.arange(rows) * 0.5, "s": "a text"})
for i in range(partitions):
    pdf.iloc[i * rows // partitions : (i + 1) * rows // partitions].to_parquet(f"{i}.parquet", row_group_size=10_000, index=False)
df = dd.read_parquet("*.parquet")
assert df.npartitions == partitions
"""


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_partitions_wait_for_memory(python, threads):
    """A partition takes 2 MB, all of them 16: each fits alone, or none does. Answers are right, and nothing runs twice that a user wrote."""
    program = f"""{_FRAME}
from collections import Counter

calls = Counter()

def double(part):
    calls[part.k.iloc[0]] += 1
    return part.assign(y=part.x * 2)

refused = 0
for limit in (1.5, 2.5, 3, 4, 5, 7, 12):
    with muster.config.set({{"memory-limit": int(limit * 1e6), "num-workers": {threads}}}):
        try:
            calls.clear()
            assert df.map_partitions(double).y.sum().compute() == pdf.x.sum() * 2
            assert len(calls) == partitions + 1 and max(calls.values()) == 1, calls  # and once the first rows, to see what it returns
            df.to_parquet("out", overwrite=True)
            assert df.map_partitions(len, meta=(None, "int64")).compute().tolist() == [50_000] * 8
        except MemoryError as error:
            assert "a partition needs" in str(error) or "about" in str(error), error
            refused = limit
        assert df.x.sum().compute() == pdf.x.sum()
assert refused < 7, refused
pd.testing.assert_frame_equal(dd.read_parquet("out").compute(), pdf)
"""
    python(program, timeout=300)


def test_a_result_beyond_the_limit_is_refused_with_an_estimate(python):
    program = f"""{_FRAME}
for limit, query, size in (
    (5, lambda: df.compute(), 16),
    (5, lambda: df.assign(y=df.x + 1).persist(), 19),
    (4, lambda: df.groupby(["k", "s"]).x.sum().compute(), 14),
    (4, lambda: df.drop_duplicates("k").compute(), 16),
    (4, lambda: df.groupby("s").x.apply(len, meta=("x", "int64")).compute(), 36),  # pandas has a copy, and makes as much again
    (4, lambda: df.repartition(npartitions=3).compute(), 16),
):
    for workers in (1, 4):
        with muster.config.set({{"memory-limit": f"{{limit}} MB", "num-workers": workers}}):
            try:
                query()
            except MemoryError as error:
                text = str(error)
                assert f"the memory budget of {{limit}} MB is too small" in text and "memory-limit" in text, text
                about = int(text.split("about ")[1].split()[0])
                assert size / 3 < about < size * 3, text
            else:
                raise AssertionError("not refused")
            assert df.x.max().compute() == pdf.x.max()
"""
    python(program, timeout=300)


def test_groups_are_refused_long_before_all_rows_are_read(python):
    """How many groups there are is counted as rows are read: the first that are too many end the run, with the estimate."""
    program = f"""{_FRAME}
import re

queries = (lambda: df.groupby("k").x.sum(), lambda: df.drop_duplicates("k"), lambda: df.groupby("k").x.sum().head(compute=False), lambda: df.k.value_counts())
for query in queries:
    for workers in (1, 3):
        with muster.config.set({{"memory-limit": "2 MB", "num-workers": workers}}):
            try:
                query().compute()
            except MemoryError as error:
                text = str(error)
                about, groups, made, count = map(int, re.search(r"about (\\d+) MB if .* MB for (\\d+) groups after (\\d+) of (\\d+) tasks", text).groups())
                assert count == partitions and made <= 5 and abs(groups / (50_000 * made) - 1) < 0.1, text  # those that ran beside it may be told of
                assert 10 <= about < 50, text
            else:
                raise AssertionError("not refused")
with muster.config.set({{"memory-limit": "2 MB"}}):
    assert df.groupby(df.k // 100).x.sum().compute().equals(pdf.groupby(pdf.k // 100).x.sum())
"""
    python(program, timeout=300)


def test_groups_keep_their_first_rows_where_memory_is_short(python):
    """Tables, rows and what is spilled of both, in any order within and between partitions: the first of a group's rows comes first."""
    program = """
import numpy as np, pandas as pd, muster, muster.dataframe as dd
from muster import _core

partitions, block = 80, 5_000
for seed in range(2):
    draw = np.random.default_rng(seed)
    kinds = [
        lambda at: at * block + np.arange(block),
        lambda at: draw.integers(0, 40, block),
        lambda at: draw.integers(0, 3 * block, block),
        lambda at: np.repeat(at * block + np.arange(block // 5), 5),
    ]
    keys = np.concatenate([kinds[draw.integers(len(kinds))](at) for at in range(2 * partitions)])
    pdf = pd.DataFrame({"k": keys, "x": np.arange(len(keys)), "s": pd.Series([f"{i}" for i in draw.permutation(len(keys))], dtype="str")})
    df = dd.from_pandas(pdf, npartitions=partitions)
    right = pdf.groupby("k").agg({"x": ["first", "last", "sum"], "s": ["first", "min"]})
    first = pdf.drop_duplicates("k")
    done = 0
    for limit in (20, 80):
        with muster.config.set({"memory-limit": f"{limit} MB", "num-workers": 2}):
            try:
                pd.testing.assert_frame_equal(df.groupby("k").agg({"x": ["first", "last", "sum"], "s": ["first", "min"]}).compute(), right)
                pd.testing.assert_frame_equal(df.drop_duplicates("k").compute(), first)
                assert df.groupby("k").x.last().sum().compute() == right["x", "last"].sum()
                done += 1
            except MemoryError:
                assert limit < 80
    assert done
assert _core.spilled_bytes() > 0
"""
    python(program, timeout=300)


def test_quantiles_are_exact_within_little_memory(python):
    """Values that do not fit are spilled, and found again by counting."""
    program = """
import numpy as np, pandas as pd, muster, muster.dataframe as dd
from muster import _core

rows = 300_000
draw = np.random.default_rng(0)
wild = draw.normal(size=rows) * 10.0 ** draw.integers(-300, 300, rows)
wild[::1000], wild[1::1000], wild[2::7] = np.inf, -np.inf, np.nan
pdf = pd.DataFrame({
    "k": draw.permutation(rows), "few": draw.integers(0, 50, rows), "wild": wild,
    "half": np.where(draw.random(rows) < 0.5, 7, draw.integers(-10**18, 10**18, rows)),
    "ends": draw.choice(np.array([-(2**63), 2**63 - 1]), rows), "u": draw.integers(0, 2**64, rows, dtype="uint64"),
    "small": draw.integers(-128, 128, rows).astype("int8"),
    "f": draw.normal(size=rows).astype("float32"), "one": 5, "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 10**9, rows), unit="s"),
})
finite = [name for name in pdf if name not in ("wild", "ends", "day")]
q = [0, 0.001, 0.25, 0.5, 0.77, 1]
for partitions in (1, 9, 70):
    df = dd.from_pandas(pdf, npartitions=partitions)
    for limit in ("2 MB", "20 MB", "2 GB"):
        before = _core.spilled_bytes()
        with muster.config.set({"memory-limit": limit, "num-workers": 2}):
            pd.testing.assert_frame_equal(df[finite].quantile(q).compute(), pdf[finite].quantile(q).astype({"f": "float32"}))
            pd.testing.assert_series_equal(df.day.quantile(q).compute(), pdf.day.quantile(q))
            assert df.wild.median().compute() == pdf.wild.median() and df.ends.quantile(0.3).compute() == pdf.ends.quantile(0.3)
            pd.testing.assert_frame_equal(df[["k", "f"]].describe().compute(), pdf[["k", "f"]].describe())
        spilled = _core.spilled_bytes() - before
        assert spilled > 0 if limit == "2 MB" else spilled == 0 or limit != "2 GB", (limit, partitions)
"""
    python(program, timeout=300)


def test_rows_are_sorted_beyond_memory(python):
    """Runs that lie on disk: the order is that in memory, equal rows included, and row by row nothing is lost."""
    program = f"""{_FRAME}
import muster
from muster import _core

draw = np.random.default_rng(0)
rows = 600_000
pdf = pd.DataFrame({{
    "few": draw.integers(-5, 5, rows), "f": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(size=rows).round(3)),
    "s": pd.Series(draw.choice(["b", "a", "", None, "the same beginning of all", "the same beginning of all the others"], rows), dtype="str"),
    "x": np.arange(rows),
}})
for partitions, limit, spills in ((1, "300 MB", False), (6, "40 MB", True), (40, "28 MB", True), (40, "2 GB", False)):
    df = dd.from_pandas(pdf, npartitions=partitions)
    before = _core.spilled_bytes()
    with muster.config.set({{"memory-limit": limit, "num-workers": 2}}):
        for by, ascending in ((["s", "f"], [False, True]), ("few", True), (["few", "s", "f"], False)):
            kwargs = dict(by=by, ascending=ascending, na_position="first")
            order = df.sort_values(**kwargs).map_partitions(lambda part: part[["x"]]).x.compute()  # all columns travel
            assert (order == pdf.sort_values(kind="stable", **kwargs).x).all(), (partitions, limit, by)
    assert (_core.spilled_bytes() > before) == spills, (limit, partitions, _core.spilled_bytes() - before)
"""
    python(program, timeout=300)


def test_merges_exchange_rows_where_the_other_side_does_not_fit(python):
    """Nobody says so: the plan is made again, also of two merges one behind the other, and the next plan starts from it."""
    program = f"""{_FRAME}
import muster
from muster import _core

draw = np.random.default_rng(0)
rows = 600_000
left = pd.DataFrame({{"k": draw.integers(0, rows, rows), "x": draw.random(rows)}})
right = pd.DataFrame({{"k": draw.integers(0, rows, rows), "y": draw.random(rows), "z": np.arange(rows)}})
exchanges = lambda m: "order_rows" in _core.explain([_core.revised(m._expr)])
for limit, short in (("400 MB", False), ("20 MB", True)):
    with muster.config.set({{"memory-limit": limit, "num-workers": 2}}):
        a = dd.from_pandas(left.rename(columns={{"x": "x" + limit}}), npartitions=10)
        b = dd.from_pandas(right.rename(columns={{"y": "y" + limit}}), npartitions=10)
        for how in ("inner", "left", "right", "leftsemi", "leftanti"):
            m = a.merge(b, on="k", how=how)
            semi = how in ("leftsemi", "leftanti")
            theirs = left[left.k.isin(right.k) == (how == "leftsemi")] if semi else left.merge(right, on="k", how=how)
            ours = muster.compute(m["x" + limit].sum(), m["x" + limit].count(), m.k.sum())
            assert np.allclose(ours, (theirs.x.sum(), theirs.x.count(), theirs.k.sum())), (how, limit)
            assert exchanges(m) == short, (how, limit)
            assert m.npartitions == 10 and sum(len(m.partitions[i]) for i in range(10)) == len(theirs)
        twice = a.merge(b, on="k").merge(b.rename(columns={{"z": "w"}})[["k", "w"]], on="k")
        theirs = left.merge(right, on="k").merge(right.rename(columns={{"z": "w"}})[["k", "w"]], on="k")
        assert int(twice.w.sum().compute()) == theirs.w.sum() and int(twice.z.sum().compute()) == theirs.z.sum()
"""
    python(program, timeout=300)


@pytest.mark.parametrize("way", ["made", "refused", "fails", "interrupted", "killed"])
def test_nothing_is_left_in_the_folder_of_spills(python, tmp_path, way):
    """What is spilled lies in a file without a name: whatever becomes of the run, the folder is empty."""
    folder = tmp_path / "spilled"
    folder.mkdir()
    program = f"""
import os, signal, sys, threading, time
import numpy as np, pandas as pd, muster, muster.dataframe as dd
from muster import _core

way, rows = {way!r}, 300_000
df = dd.from_pandas(pd.DataFrame({{"k": np.random.default_rng(0).permutation(rows) // 2, "x": np.arange(rows)}}), npartitions=30)

def spilled_then(signals):
    while not _core.spilled_bytes():
        time.sleep(0.001)
    os.kill(os.getpid(), signals)

def fails(part):
    while not _core.spilled_bytes():  # by the other thread
        time.sleep(0.001)
    raise ValueError("broken")

with muster.config.set({{"memory-limit": "4 MB", "num-workers": 2}}):
    if way in ("interrupted", "killed"):
        threading.Thread(target=spilled_then, args=(signal.SIGINT if way == "interrupted" else signal.SIGKILL,)).start()
    try:
        if way == "refused":
            df.groupby(["k", "x"]).x.sum().compute()
        elif way == "fails":
            muster.compute(df.k.nunique(), df.partitions[29].map_partitions(fails, meta=(None, "int64")).sum())
        else:
            for _ in range(1 if way == "made" else 1000):
                assert df.nunique().compute().tolist() == [rows // 2, rows]
    except MemoryError:
        assert way == "refused"
    except ValueError as error:
        assert way == "fails" and "broken" in str(error), error
    except KeyboardInterrupt:
        assert way == "interrupted"
    else:
        assert way == "made" and _core.spilled_bytes() > 0
    assert os.listdir(os.environ["MUSTER_TEMPORARY_DIRECTORY"]) == []
"""
    done = python(program, check=False, timeout=120, MUSTER_TEMPORARY_DIRECTORY=str(folder))
    assert done.returncode == (-9 if way == "killed" else 0), done.stderr
    assert os.listdir(folder) == []


def test_what_is_spilled_hardly_takes_memory(python):
    """Eleven columns of 100 partitions, each in 256 parts on disk: hundreds of thousands of parts, known by a number each. What they are counted by is never
    all there.
    """
    program = """
import pathlib
import numpy as np, pandas as pd, muster, muster.dataframe as dd
from muster import _core

def status(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) << 10

rows, partitions = 400_000, 100
pdf = pd.DataFrame({f"c{i}": np.random.default_rng(i).permutation(rows) // 2 for i in range(11)})
df = dd.from_pandas(pdf, npartitions=partitions)
df.c0.head(compute=False).nunique().compute()
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is the present
before, spilled = status("VmRSS"), _core.spilled_bytes()
with muster.config.set({"memory-limit": "10 MB", "num-workers": 2}):
    assert df.nunique().compute().tolist() == [rows // 2] * 11
assert _core.spilled_bytes() - spilled > 20e6
assert status("VmHWM") - before < 60e6, status("VmHWM") - before
"""
    python(program, timeout=300)


def test_rows_behind_a_filter_leave_the_dictionary_they_came_with(python):
    """One row of a thousand keeps a text, not the dictionary of its row group: 30 MB of dictionaries for 800 rows."""
    program = """
import pathlib
import numpy as np, pandas as pd, muster, muster.dataframe as dd

def status(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) << 10

rows, partitions = 20_000, 40
for i in range(partitions):
    ids = np.random.default_rng(i).permutation(np.repeat(np.arange(rows // 2), 2))
    pd.DataFrame({"x": np.arange(rows), "s": pd.array([f"text {i} {n} " + "s" * 50 for n in ids], "str")}).to_parquet(f"{i:02}.parquet", index=False)
df = dd.read_parquet("*.parquet")
small = df[df.x % 1000 == 3]
right = small.partitions[:2].compute()
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is the present
before = status("VmRSS")
with muster.config.set({"num-workers": 1}):
    kept = small.persist()
    out = kept.compute()
assert len(out) == 20 * partitions and out.head(len(right)).equals(right) and kept.s.str.len().min().compute() > 50
assert status("VmHWM") - before < 25e6, status("VmHWM") - before
"""
    python(program, timeout=300)


def test_columns_have_huge_pages_where_no_host_takes_them():
    smaps = pathlib.Path("/proc/self/smaps")
    reported = pathlib.Path("/sys/module/page_reporting/parameters/page_reporting_order")
    if not smaps.exists() or "THPeligible" not in smaps.read_text():
        pytest.skip("the system does not tell")
    values = (dd.from_pandas(pd.Series(np.arange(3_000_000)), npartitions=3) + 1).compute().to_numpy()
    flags = ""
    for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps.read_text()):
        begin, end = (int(x, 16) for x in mapping.split(" ", 1)[0].split("-"))
        if begin <= values.ctypes.data < end:
            flags = re.search("VmFlags: (.*)", mapping)[1].split()
    taken = reported.exists() and 0 <= int(reported.read_text()) < 64
    assert ("nh" if taken else "hg") in flags


def test_the_limit_holds_for_every_operation(tmp_path):
    """Within the limit, one task's inputs and outputs and the result, or a MemoryError with an estimate; and right answers."""
    long = os.environ.get("MUSTER_EXAMPLES") == "long"
    program = pathlib.Path(__file__).with_name("memory.py")
    done = subprocess.run(
        [sys.executable, program, tmp_path / "frame", *(["10000000", "64", "256", "512"] if long else ["400000", "32"])], capture_output=True, text=True,
        timeout=36_000 if long else 900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "71 operations, 0 wrong" in done.stdout
