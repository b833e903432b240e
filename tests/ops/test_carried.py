"""What goes on from row to row, across batches of a partition and across partitions: cumulative operations and filled gaps."""

import numpy as np
import pandas as pd
import pytest

import muster
import muster.dataframe as dd
from conftest import same

ROWS = 150_000  # several batches of a file


@pytest.fixture(scope="module", params=[ROWS, 40_000], ids=["one group", "groups"])
def rows(request, tmp_path_factory):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "i": random.integers(-1000, 1000, ROWS),
            "small": random.integers(-100, 100, ROWS).astype("int8"),
            "f": random.normal(size=ROWS).round(2),
            "g": random.normal(size=ROWS).astype("float32").round(1),
            "b": random.random(ROWS) < 0.5,
            "s": pd.Series(random.choice(["a", "b", None, "a text of more than 16 bytes"], ROWS), dtype="str"),
            "d": pd.to_datetime(random.choice(["2020-01-01", "2021-01-01", None], ROWS)),
        }
    )
    for column in ("f", "g", "s", "d"):
        frame.loc[:9, column] = None
        frame.loc[31_000:70_000, column] = None  # whole batches and more
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    frame.to_parquet(path, row_group_size=request.param)
    return frame, dd.read_parquet(path, split_row_groups=True)


OPERATIONS = {
    "cumsum": lambda d: d[["i", "small", "b"]].cumsum(),
    "cumsum_floats": lambda d: (d[["f"]] * 100).round().cumsum(),
    "cummax": lambda d: d[["i", "small", "f", "g", "d"]].cummax(),
    "cummin": lambda d: d[["i", "small", "f", "g", "d"]].cummin(),
    "ffill": lambda d: d[["f", "g", "s", "d"]].ffill(),
    "ffill_limit": lambda d: d[["f", "g", "s", "d"]].ffill(limit=3),
    "bfill": lambda d: d[["f", "g", "s", "d"]].bfill(),
    "bfill_limit": lambda d: d[["f", "g", "s", "d"]].bfill(limit=40_000),
    "ffill_sum": lambda d: d.i[d.f.ffill().notna()].sum(),
    "constant": lambda d: d.assign(one=1)[["one"]].cumsum(),
    "filtered": lambda d: d[d.i > 990].ffill().s,
    "none": lambda d: d[d.i > 5000].i.cumsum(),
    "twice": lambda d: d.i.cumsum().cummax(),
    "shifted": lambda d: d.f.ffill().shift(1).ffill(),
    "fillna": lambda d: d[["f", "g"]].fillna(0.5).assign(s=d.s.fillna("none"), d=d.d.fillna(pd.Timestamp("1999-01-01"))),
    "isna": lambda d: d.isna(),
    "notna": lambda d: d.notna(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_across_batches(rows, name):
    pdf, df = rows
    expected = OPERATIONS[name](pdf)
    same(OPERATIONS[name](df), expected)
    same(OPERATIONS[name](df).compute(scheduler="synchronous"), expected)


def test_twice_the_same(rows):
    pdf, df = rows
    lazy = df.i.cumsum()
    same(lazy, pdf.i.cumsum())
    same(lazy, pdf.i.cumsum())
    a, b = muster.compute(lazy, df.f.ffill())
    same(a, pdf.i.cumsum()), same(b, pdf.f.ffill())
    same(lazy.head(5), pdf.i.cumsum().head(5))
