"""Results put together from many batches: every kind of column."""

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same

ROWS = 60_000


def written(path, n=ROWS, late=False):
    """A CSV file whose batches differ: texts get longer, and some columns miss values only far behind."""
    random = np.random.default_rng(4)
    row = np.arange(n)
    behind = row > n * 3 // 4 if late else row >= 0
    frame = pd.DataFrame(
        {
            "i": random.integers(-(2**40), 2**40, n),
            "f": np.where(random.random(n) < 0.2, np.nan, np.round(random.normal(size=n), 6)),
            "m": np.where(behind & (row % 11 == 3), "", (row % 1000).astype(str)),
            "s": [f"text {k % 97}" + "x" * (k * 60 // n) for k in row],
            "t": np.where(behind & (row % 5 == 2), "", np.where(row % 3 == 0, "ünï", "plain")),
            "b": row % 2 == 0,
            "c": np.where(behind & (row % 7 == 1), "", np.where(row % 2 == 0, "True", "False")),
            "d": (np.datetime64("2019-01-01T00:00:00") + row.astype("timedelta64[s]")).astype(str),
        }
    )
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module", params=[False, True], ids=["missing all over", "missing at the end"])
def file(request, tmp_path_factory):
    path = written(tmp_path_factory.mktemp("results") / "t.csv", late=request.param)
    return path, pd.read_csv(path, parse_dates=["d"])


@pytest.mark.parametrize("blocksize", [None, "3MB", "700kB", "50kB"])
def test_all_columns(file, blocksize):
    path, theirs = file
    ours = dd.read_csv(path, parse_dates=["d"], blocksize=blocksize)
    same(ours, theirs)
    with muster.config.set(scheduler="synchronous"):
        same(ours, theirs)


def test_rows_of_a_filter_and_what_stays(file):
    path, theirs = file
    ours = dd.read_csv(path, parse_dates=["d"], blocksize="700kB")
    same(ours[ours.i > 0], theirs[theirs.i > 0])
    some = ours[["i", "f", "s", "t", "d"]]
    same(some[some.i > 2**50], theirs[theirs.i > 2**50][["i", "f", "s", "t", "d"]])
    kept = ours[["s", "m", "t"]].persist()
    same(kept, theirs[["s", "m", "t"]])
    same(kept[kept.t == "ünï"].s, theirs[theirs.t == "ünï"].s)
    del kept
    one, two = muster.compute(ours.s, ours[["s", "c"]])
    same(one, theirs.s)
    same(two, theirs[["s", "c"]])


def test_results_do_not_share_memory(file):
    path, theirs = file
    ours = dd.read_csv(path, blocksize="700kB")[["i", "s"]].persist()
    first = ours.compute()
    first.loc[:, "i"] = 0
    same(ours, theirs[["i", "s"]])


def test_texts_alone():
    for values in ([], [None], [""], ["a", None, ""], [None] * 9, ["x" * k for k in range(40)]):
        s = pd.Series(values * 11, dtype="str")
        for n in (1, 2, 7):
            same(dd.from_pandas(s, npartitions=n), s)
    same(
        dd.concat([dd.from_pandas(pd.Series([None, "a"], dtype="str"), npartitions=1), dd.from_pandas(pd.Series(["b"], dtype="str"), npartitions=1)]),
        pd.Series([None, "a", "b"], dtype="str", index=[0, 1, 0])
    )


def test_large_results_again_and_again():
    n = 3_000_000  # columns of more than a block of memory each
    frame = pd.DataFrame({"a": np.arange(n), "b": np.arange(n) / 7, "c": np.arange(n, dtype="int32")})
    kept = dd.from_pandas(frame, npartitions=5)
    for factor in (1, 2, 3):
        made = (kept * factor).compute()
        assert (made.a.to_numpy() == frame.a.to_numpy() * factor).all()
        assert (made.b.to_numpy() == frame.b.to_numpy() * factor).all()
        assert (made.c.to_numpy() == frame.c.to_numpy() * factor).all()
