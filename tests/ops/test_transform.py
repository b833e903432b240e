"""Aggregates of groups beside the rows against pandas: values, dtypes, index and order, natively; what is not aggregated runs through pandas."""

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd
from conftest import PARTITIONS, raised, same
from muster import _core
from muster.dataframe._group_values import ALIKE

pytestmark = pytest.mark.filterwarnings("ignore:.*meta", "ignore:You did not provide metadata")

N = 60
FRAME = pd.DataFrame(
    {
        "j": np.arange(N) * 7 % 5,
        "t": pd.Series(["x", "y", None, "z", "x", ""] * 10, dtype="str"),
        "g": pd.Series([1.5, np.nan, -0.0, 0.0] * 15),
        "d": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05"] * 20)),
        "o": pd.Series([(1,), None, (2,)] * 20, dtype=object),
        "c": pd.Series(list("ab") * 30, dtype="category"),
        "i": np.arange(N) * 11 % 13,
        "n": (np.arange(N) * 3 % 7).astype("int8"),
        "u": (np.arange(N) % 9).astype("uint16"),
        "f": np.where(np.arange(N) % 4 == 1, np.nan, np.arange(N) * 0.5),
        "h": (np.arange(N) * 0.25).astype("float32"),
        "b": np.arange(N) % 3 == 0,
        "s": pd.Series(["a", None, "b", "ab"] * 15, dtype="str"),
        "e": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-05", "1999-01-01"] * 15)),
        "w": pd.Series(pd.to_timedelta([1, None, 3] * 20, unit="s")),
        "q": pd.Series([1, None, 3] * 20, dtype="Int64"),
        "p": pd.Series(["a", "b", None] * 20, dtype="category"),
    },
    index=np.arange(N) * 2 + 5,
)
VALUES = list("inufhbsewqp")
KEYS = {"integers": "j", "texts": "t", "numbers": "g", "times": "d", "several": ["j", "t"], "objects": "o", "categories": "c"}


def compare(call, ours, theirs):
    if (error := raised(lambda: call(theirs))) is not None:
        with pytest.raises(type(error)):
            call(ours).compute()
        return
    same(call(ours), call(theirs))


@pytest.mark.parametrize("function", sorted(ALIKE))
@pytest.mark.parametrize("key", KEYS)
def test_any_column(key, function):
    ours = dd.from_pandas(FRAME, npartitions=3)
    for value in [v for v in VALUES if (key, v) != ("categories", "h")]:  # means of float32 by category: pandas' dtype differs between two rows and more
        for dropna in (True, False):
            compare(lambda d, value=value, dropna=dropna: d.groupby(KEYS[key], dropna=dropna, observed=True)[value].transform(function), ours, FRAME)


@pytest.mark.parametrize("npartitions", PARTITIONS)
@pytest.mark.parametrize("function", sorted(ALIKE))
def test_partitions(function, npartitions):
    ours, numbers = dd.from_pandas(FRAME, npartitions=npartitions), ["i", "f", "h"]
    made = ours.groupby("t")[numbers].transform(function)
    same(made, FRAME.groupby("t")[numbers].transform(function))
    assert made.npartitions == ours.npartitions and made.divisions == ours.divisions
    plan = _core.explain([made._expr])
    assert "groupby.transform" in plan and "python:" not in plan, plan


OTHERS = {
    "of a filter": lambda d: d[d.i > 4].groupby("t").f.transform("mean"),
    "assigned": lambda d: d.assign(m=d.i - d.groupby("j").i.transform("max"))[["i", "m"]],
    "filtered by it": lambda d: d[d.groupby("j").i.transform("size") > 5][["i", "j"]],
    "part of it": lambda d: d.assign(m=d.groupby("t").i.transform("sum"))[d.i > 6][["i", "m"]],
    "grouped again": lambda d: d.assign(m=d.groupby("j").i.transform("sum")).groupby("t").m.max(),
    "by a Series": lambda d: d.groupby(d.i % 3).f.transform("sum"),
    "by a Series and a label": lambda d: d.groupby([d.i % 3, "t"]).f.transform("last"),
    "of a Series": lambda d: d.f.groupby(d.j).transform("sum"),
    "of the key": lambda d: d.groupby("j")["j"].transform("sum"),
    "of all columns": lambda d: d[["j", "i", "f", "b"]].groupby("j").transform("sum"),
    "sizes": lambda d: d.groupby("t").transform("size"),
    "without the index": lambda d: d.groupby("j", as_index=False).i.transform("sum"),
    "numbered rows": lambda d: d.reset_index(drop=True).groupby("j").i.transform("sum"),
    "no rows": lambda d: d[d.i > 100].groupby("j").i.transform("sum"),
    "a function": lambda d: d.groupby("j").i.transform(lambda s: s - s.min()),
    "not aggregated": lambda d: d.groupby("j").i.transform("cumsum"),
    "with arguments": lambda d: d.groupby("j").i.transform("sum", min_count=100),
    "its sum": lambda d: d.groupby("j").f.transform("mean").sum(),
}


@pytest.mark.parametrize("npartitions", [1, 4])
@pytest.mark.parametrize("operation", OTHERS)
def test_what_is_behind(operation, npartitions):
    compare(OTHERS[operation], dd.from_pandas(FRAME, npartitions=npartitions), FRAME)


def test_of_files(tmp_path):
    pd.concat([FRAME[["j", "i", "t"]]] * 50).to_csv(tmp_path / "a.csv", index=False)
    ours, theirs = dd.read_csv(tmp_path / "a.csv", blocksize=5000), pd.read_csv(tmp_path / "a.csv")
    assert ours.npartitions > 1
    same(ours.groupby("t").i.transform("sum"), theirs.groupby("t").i.transform("sum"))
    same(ours.assign(m=ours.groupby("j").i.transform("mean")), theirs.assign(m=theirs.groupby("j").i.transform("mean")))


def test_meta():
    ours = dd.from_pandas(FRAME, npartitions=2)
    assert "python:" not in _core.explain([ours.groupby("j").i.transform("sum", meta=("i", "int64"))._expr])
    promised = ours.groupby("j").i.transform("sum", meta=("i", "float64"))
    same(promised, FRAME.groupby("j").i.transform("sum").astype("float64"))
