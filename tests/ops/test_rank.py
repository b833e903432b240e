"""Ranks of columns and in groups against pandas: values, dtypes, index and order, at any number of partitions and where groups lie in several."""

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import PARTITIONS, raised, same
from muster import _core

N = 90
METHODS = ("average", "min", "max", "first", "dense")
RANDOM = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "j": RANDOM.integers(0, 4, N),
        "t": pd.Series(["x", "y", None, "z", "x", ""] * 15, dtype="str"),
        "g": pd.Series([1.5, np.nan, -0.0, 0.0, 2.5] * 18),
        "d": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05"] * 30)),
        "c": pd.Series(list("aba") * 30, dtype="category"),
        "i": RANDOM.integers(-3, 4, N),
        "n": RANDOM.integers(-128, 128, N).astype("int8"),
        "u": pd.Series([0, 2**64 - 1, 2**63, 7, 7, 2**63 + 1] * 15, dtype="uint64"),
        "f": np.where(RANDOM.random(N) < 0.3, np.nan, RANDOM.integers(0, 5, N) * 0.5),
        "h": pd.Series([1.25, np.inf, -np.inf, np.nan, -0.0, 0.0] * 15, dtype="float32"),
        "l": pd.Series([-(2**63), 2**63 - 1, 2**53, 2**53 + 1, 0] * 18),
        "b": RANDOM.random(N) < 0.4,
        "e": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05", "1999-01-01", "2020-01-01"] * 18)),
        "w": pd.Series(pd.to_timedelta([1, None, 3] * 30, unit="s")),
        "m": np.full(N, np.nan),
        "s": pd.Series(["a", None, "b", "ab"] * 22 + ["a", "b"], dtype="str"),
        "q": pd.Series([1, None, 3] * 30, dtype="Int64"),
    },
    index=np.arange(N) * 2 + 5,
)
NATIVE = list("inufhlbewm")
KEYS = {"integers": "j", "texts": "t", "numbers": "g", "times": "d", "several": ["j", "t", "g"], "constant": "m"}
OPTIONS = [
    {"method": m, "ascending": a, "na_option": o, "pct": p} for m in METHODS for a in (True, False) for o in ("keep", "top", "bottom") for p in (True, False)
]


def compare(call, ours, theirs):
    if (error := raised(lambda: call(theirs))) is not None:
        with pytest.raises(type(error)):
            call(ours).compute()
        return
    same(call(ours), call(theirs))


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(str(v) for v in o.values()))
@pytest.mark.parametrize("npartitions", (1, 13))
def test_columns(options, npartitions):
    ours = dd.from_pandas(FRAME, npartitions=npartitions)
    same(ours[NATIVE].rank(**options), FRAME[NATIVE].rank(**options))
    same(ours.groupby("j")[NATIVE].rank(**options), FRAME.groupby("j")[NATIVE].rank(**options))
    same(ours.groupby(["t", "g"]).f.rank(**options), FRAME.groupby(["t", "g"]).f.rank(**options))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("dropna", (True, False))
def test_keys(key, dropna):
    ours = dd.from_pandas(FRAME, npartitions=5)
    for method in METHODS:
        values = ["i", "f", "b"] if dropna else ["i", "f", "e"]  # pandas ranks NaT among times where it drops keys
        compare(lambda d, method=method, values=values: d.groupby(KEYS[key], dropna=dropna)[values].rank(method), ours, FRAME)
    assert "python" not in _core.explain([ours.groupby(KEYS[key], dropna=dropna).f.rank()._expr])


@pytest.mark.parametrize("npartitions", PARTITIONS)
def test_partitions(npartitions):
    n = 1000
    theirs = pd.DataFrame({"k": RANDOM.integers(0, 3, n), "x": RANDOM.integers(0, 6, n) * 1.0, "y": RANDOM.random(n), "z": np.ones(n)})
    theirs.loc[::7, "x"] = np.nan
    theirs.loc[:900, "z"] = np.nan
    ours = dd.from_pandas(theirs, npartitions=npartitions)
    for method in METHODS:
        for option in ("keep", "top", "bottom"):
            same(ours[["x", "y", "z"]].rank(method=method, na_option=option, pct=True), theirs[["x", "y", "z"]].rank(method=method, na_option=option, pct=True))
        same(ours.groupby("k").rank(method), theirs.groupby("k").rank(method))
    same(ours.assign(r=ours.groupby("k").x.rank(), s=ours.y.rank(ascending=False)).query("r < 20"),
         theirs.assign(r=theirs.groupby("k").x.rank(), s=theirs.y.rank(ascending=False)).query("r < 20"))  # fmt: skip


def test_rows():
    """Of filtered rows, of some partitions, of frames behind each other, of a sorted frame."""
    ours = dd.from_pandas(FRAME, npartitions=6)
    part = lambda d: d.groupby("j").f.rank()  # noqa: E731
    same(part(ours[ours.i > 0]), part(FRAME[FRAME.i > 0]))
    chosen = ours.partitions[[1, 4]]
    same(part(chosen), part(chosen.compute()))
    same(chosen.i.rank(), chosen.compute().i.rank())
    both = dd.concat([ours, ours])
    same(part(both), part(pd.concat([FRAME, FRAME])))
    same(part(ours).partitions[[2, 5]], part(FRAME).loc[ours.partitions[[2, 5]].compute().index])
    ordered = ours.sort_values("f")
    same(part(ordered), part(ordered.compute()))
    same(part(part(ours).to_frame("f").assign(j=ours.i)), part(part(FRAME).to_frame("f").assign(j=FRAME.i)))
    same(part(ours[ours.i > 100]), part(FRAME[FRAME.i > 100]))
    same(ours[ours.i > 100].i.rank(), FRAME[FRAME.i > 100].i.rank())


def test_files(tmp_path):
    theirs = pd.DataFrame({"k": RANDOM.integers(0, 5, 5000), "x": RANDOM.integers(0, 50, 5000)})
    theirs.to_csv(tmp_path / "x.csv", index=False)
    ours = dd.read_csv(tmp_path / "x.csv", blocksize=5000)
    assert ours.npartitions > 3
    result = ours[ours.x > 3].groupby("k").x.rank("first").compute()
    expected = theirs[theirs.x > 3].groupby("k").x.rank("first")
    assert result.tolist() == expected.tolist()
    text = (tmp_path / "x.csv").read_text()
    (tmp_path / "x.csv").write_text(text + "1,\n")
    ours, theirs = dd.read_csv(tmp_path / "x.csv", blocksize=5000), pd.read_csv(tmp_path / "x.csv")
    assert ours.groupby("k").x.rank(na_option="bottom").compute().tolist() == theirs.groupby("k").x.rank(na_option="bottom").tolist()


def test_through_pandas():
    """Texts, nullable dtypes, categories and rows of columns are pandas'."""
    ours = dd.from_pandas(FRAME, npartitions=4)
    for call in (
        lambda d: d.s.rank(), lambda d: d.q.rank(), lambda d: d[["i", "f"]].rank(axis=1), lambda d: d.groupby("c", observed=True).f.rank(),
        lambda d: d.groupby("j").s.rank(), lambda d: d.groupby("j").q.rank(), lambda d: d[["i", "s"]].rank(numeric_only=True),
        lambda d: d[["i", "f"]].rank(method="other"), lambda d: d.f.rank(na_option="other"), lambda d: d.groupby("j").f.rank("other"),
        lambda d: d.groupby("j", as_index=False).f.rank(), lambda d: d.f.groupby(d.j).rank(), lambda d: d.i.rank(ascending=False, method="dense"),
        lambda d: d[["s", "i"]].rank(), lambda d: d[[]].rank()
    ):  # fmt: skip
        compare(call, ours, FRAME)


def test_many_rows():
    """Groups of several sizes, one of which has half of the rows; batches of several."""
    n = 300_000
    keys = np.where(RANDOM.random(n) < 0.5, 7, RANDOM.integers(0, 20_000, n))
    theirs = pd.DataFrame({"k": keys, "x": RANDOM.normal(size=n).round(2), "i": RANDOM.integers(0, 9, n)})
    ours = dd.from_pandas(theirs, npartitions=3)
    for method in ("average", "first", "dense"):
        same(ours.groupby("k").rank(method), theirs.groupby("k").rank(method))
        same(ours.rank(method=method), theirs.rank(method=method))


@pytest.mark.this_process("memory-limit of this process")
@pytest.mark.parametrize("groups", (1, 5000))
def test_within_a_memory_limit(tmp_path, groups):
    """Rows lie on disk between the exchanges; those of one group, which would be too many for a partition, are put in order instead."""
    n = 50_000
    for k in range(24):
        part = pd.DataFrame({"k": RANDOM.integers(0, groups, n), "x": RANDOM.integers(0, 1000, n) * 0.5})
        part.to_parquet(tmp_path / f"{k:02}.parquet", index=False)
    whole = pd.concat([pd.read_parquet(tmp_path / f"{k:02}.parquet") for k in range(24)], ignore_index=True)
    df = dd.read_parquet(str(tmp_path))
    with muster.config.set({"memory-limit": "12 MB", "num-workers": 2}):
        for method in ("average", "dense"):
            ours, theirs = df.groupby("k").x.rank(method, pct=True), whole.groupby("k").x.rank(method, pct=True)
            assert (ours * df.x).sum().compute() == pytest.approx((theirs * whole.x).sum(), rel=1e-12)
        assert (df.x.rank() * df.x).sum().compute() == pytest.approx((whole.x.rank() * whole.x).sum(), rel=1e-12)
