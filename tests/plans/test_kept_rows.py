"""A source that a plan would read twice is read once where what is needed again is small, and the results are the same."""

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same

ROWS = 60_000


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    random = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "x": random.normal(size=ROWS),
            "i": random.integers(-1000, 1000, ROWS),
            "z": np.where(random.random(ROWS) < 0.3, np.nan, random.normal(size=ROWS)),
            "g": random.integers(0, 7, ROWS),
            "s": pd.Series([f"text {v}" for v in random.integers(0, 50, ROWS)], dtype="str"),
        }
    )
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    frame.to_parquet(path, row_group_size=9_000)
    return frame, dd.read_parquet(path, split_row_groups=True)


QUESTIONS = {
    "running": lambda d: d[["x", "i"]].cumsum(),
    "beside others": lambda d: d.assign(c=d.x.cumsum(), m=d.i.cummax()),
    "with others": lambda d: d.x.cumsum() + d.i * 2,
    "filtered": lambda d: d[(d.x > 0) & (d.g == 3)][["z", "s"]].ffill(),
    "nothing left": lambda d: d[d.x > 100].i.cumsum(),
    "filtered by its mean": lambda d: d[d.x > d.x.mean()].i.sum(),
    "three times": lambda d: ((d.x - d.x.mean()) / d.x.std()).abs().sum(),
    "again and again": lambda d: d.x.cumsum().diff().ffill(),
    "moved down": lambda d: d[["x", "s"]].shift(3),
    "moved far down": lambda d: d[["x", "s"]].shift(20_000),
    "moved up": lambda d: d.i.diff(-2),
    "texts": lambda d: d.assign(m=d.s.str.upper(), y=d.x - d.x.min())[["m", "y", "s"]],
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_results(rows, name):
    pdf, df = rows
    expected = QUESTIONS[name](pdf)
    same(QUESTIONS[name](df), expected)
    with muster.config.set({"memory-limit": "4 MB"}):  # too little to keep
        try:
            made = QUESTIONS[name](df).compute()
        except MemoryError:
            return  # the result alone is too large
    same(made, expected)


def test_read_once(rows, capsys):
    _, df = rows

    def reads(lazy):
        lazy.explain()
        return capsys.readouterr().out.split("== optimized")[1].split("== physical")[0].count("read_parquet")

    df.x.sum().compute()  # the limit is set as a run begins
    assert reads(df.x.cumsum()) == 1
    assert reads(df[df.g == 3].x.ffill()) == 1
    with muster.config.set({"memory-limit": "1 MB"}):
        df.x.sum().compute()
        assert reads(df.x.cumsum()) == 2
    df.x.sum().compute()
    assert reads(df.x.cumsum()) == 1
