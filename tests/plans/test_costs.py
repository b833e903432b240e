"""What planning costs: with four times as many columns, operations or inputs it takes about four times as long, not sixteen times."""

import os
import sys

import numpy as np
import pandas as pd
import pytest

import muster.dataframe as dd


def _frame(columns):
    return dd.from_pandas(pd.DataFrame(np.arange(3 * columns).reshape(3, columns), columns=[f"c{i}" for i in range(columns)]), npartitions=2)


def _file(path, columns):
    name = path / f"{columns}.csv"
    if not name.exists():
        row = ",".join(str(i) for i in range(columns))
        name.write_text(",".join(f"c{i}" for i in range(columns)) + f"\n{row}\n{row}\n")
    return str(name)


def _assigned(df):
    for i in range(len(df.columns) // 8):
        df[f"k{i}"] = df.c0 + i
    return df


BY_COLUMN = {
    "describe": lambda df: df.describe(),
    "quantile": lambda df: df.quantile([0.2, 0.5]),
    "median": lambda df: df.median(),
    "sum": lambda df: df.sum(),
    "nunique": lambda df: df.nunique(),
    "astype": lambda df: df.astype(dict.fromkeys(df.columns, "float64")),
    "fillna": lambda df: df.fillna(dict.fromkeys(df.columns, 0)),
    "isin": lambda df: df.isin({c: [1, 2] for c in df.columns}),
    "rename": lambda df: df.rename(columns={c: c + "x" for c in df.columns}),
    "drop": lambda df: df.drop(columns=list(df.columns)[::2]),
    "reversed": lambda df: df[list(df.columns)[::-1]],
    "assign": lambda df: df.assign(**{c + "n": 1 for c in df.columns}),
    "set": _assigned,
    "attribute": lambda df: [getattr(df, c) for c in df.columns] and df.c0,
    "contains": lambda df: all(c in df and c + "x" not in df for c in df.columns) and df.c0,
    "beside": lambda df: df - df[list(df.columns)[::-1]],
    "minus mean": lambda df: df - df.mean(),
    "where": lambda df: df.where(df > 1, df + 1),
    "filter": lambda df: df[(df.c1 > 1) & (df.c2 > 1)],
    "dropna": lambda df: df.dropna(),
    "dropna thresh": lambda df: df.dropna(thresh=2),
    "drop_duplicates": lambda df: df.drop_duplicates(),
    "nlargest": lambda df: df.nlargest(2, "c0"),
    "groupby": lambda df: df.groupby("c0").sum(),
    "groupby agg": lambda df: df.groupby("c0").agg({c: "max" for c in df.columns if c != "c0"}),
    "groupby lists": lambda df: df.groupby("c0").agg(["min", "max"]),
    "groupby named": lambda df: df.groupby("c0").agg(**{c + "n": (c, "max") for c in df.columns}),
    "groupby cumsum": lambda df: df.groupby("c0").cumsum(),
    "concat": lambda df: dd.concat([df, df]),
    "cumsum": lambda df: df.cumsum(),
    "ffill": lambda df: df.ffill(),
    "shift": lambda df: df.shift(),
    "replace": lambda df: df.replace(1, 2),
    "clip": lambda df: df.clip(1, 2),
    "sums": lambda df: sum((df[c].sum() for c in df.columns), start=df.c0.sum()),
    "map_partitions": lambda df: df.map_partitions(lambda part: part),
    "repartition": lambda df: df.repartition(npartitions=3),
}


def _series(*_):
    return dd.from_pandas(pd.Series([1, 2, 3], name="c0"), npartitions=2)


def _chain(step, start):
    def run(n):
        out = start(3)
        for i in range(n):
            out = step(out, i)
        return out

    return run


def _masks(n):
    s = _series()
    mask = s > 0
    for i in range(n):
        mask = mask & (s > -i)
    return s[mask]


BY_OPERATION = {
    "plus": _chain(lambda s, i: s + 1, _series),
    "assign": _chain(lambda df, i: df.assign(c1=df.c0 + i), _frame),
    "filters": _chain(lambda df, i: df[df.c0 > -i], _frame),
    "minus mean": lambda n: _chain(lambda s, i: s - s.mean(), _series)(n // 40),  # reads its rows anew for each: the plan is as long as the chain
    "cumsum": lambda n: _chain(lambda s, i: s.cumsum(), _series)(n // 40),
    "masks": _masks,
    "isin": lambda n: _series().isin(range(20 * n)),
    "concat": lambda n: dd.concat([_series()] * n),
    "concat frames": lambda n: dd.concat([_frame(3) for _ in range(n // 4)]).reset_index(),
    "query": lambda n: _frame(3).query(" or ".join(f"c0 == {i}" for i in range(n // 8))),
    "partitions": lambda n: dd.from_pandas(pd.Series(range(4 * n)), npartitions=n).sum(),
}


def _cpu(run):
    before = os.times()
    run()
    after = os.times()
    return after.user + after.system - before.user - before.system


def _grows_slowly(make):
    """The best of several tries of each size, so that a busy machine decides nothing; below some hundredths of a second the clock would."""
    short = long = float("inf")
    for _ in range(8):
        short = min(short, _cpu(lambda: make(250).compute(scheduler="synchronous")))
        long = min(long, _cpu(lambda: make(1000).compute(scheduler="synchronous")))
        if long <= 7 * max(short, 0.02):
            return
    raise AssertionError(f"250: {short:.3f} s, 1000: {long:.3f} s")


@pytest.mark.parametrize("name", BY_COLUMN)
def test_four_times_as_many_columns(name):
    _grows_slowly(lambda n: BY_COLUMN[name](_frame(n)))


@pytest.mark.parametrize("name", ["describe", "sum", "filter", "dropna", "reversed"])
def test_four_times_as_many_columns_of_a_file(name, tmp_path):
    _grows_slowly(lambda n: BY_COLUMN[name](dd.read_csv(_file(tmp_path, n))))


@pytest.mark.parametrize("name", BY_OPERATION)
def test_four_times_as_many_operations(name):
    _grows_slowly(BY_OPERATION[name])


@pytest.mark.parametrize(("columns", "most"), [(3, 300), (30, 1000)])  # twice as many when each column was a block and a Series
def test_python_calls_of_a_partition(columns, most):
    df = dd.from_pandas(pd.DataFrame(np.arange(400 * columns).reshape(400, columns)).add_prefix("c"), npartitions=100).map_partitions(lambda part: part)
    df.compute(scheduler="synchronous")
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        df.compute(scheduler="synchronous")
    finally:
        sys.setprofile(None)
    assert calls / 100 <= most
