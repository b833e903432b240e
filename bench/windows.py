"""What stays beside the rows, and groups of times, over 10^7 rows in memory: windows.py SYSTEM QUESTION FILE REPEAT. Also writes the rows.

Each question stands here three times, for frames of muster, pandas and Polars; each system has the rows in its own form before it is asked.
"""

import os
import sys

ROWS = 10_000_000
SYSTEMS = ("muster", "polars", "pandas")


def write(folder, rows=ROWS):
    """Write one table, in the order of its times, seconds that follow each other with gaps."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(5)
    os.makedirs(folder, exist_ok=True)
    times = 1_546_300_800 + np.cumsum(random.integers(1, 9, rows))
    table = pa.table(
        {
            "t": pa.array(times * 1_000_000, pa.timestamp("us")),
            "g": random.integers(0, 1000, rows),
            "k": random.integers(0, 100_000, rows),
            "x": random.normal(50, 15, rows),
        }
    )
    pq.write_table(table, f"{folder}/rows.parquet", row_group_size=1_000_000)


# name: muster and pandas, whose frames have the times as their index; Polars.
QUESTIONS = {
    "rolling mean of 100": (lambda d: d.x.rolling(100).mean(), lambda c: c("x").rolling_mean(100)),
    "rolling mean of 10 min": (lambda d: d.x.rolling("10min").mean(), lambda c: c("x").rolling_mean_by("t", "10m")),
    "transform, 1000 groups": (lambda d: d.groupby("g").x.transform("mean"), lambda c: c("x").mean().over("g")),
    "transform, 100k groups": (lambda d: d.groupby("k").x.transform("mean"), lambda c: c("x").mean().over("k")),
    "rank, 1000 groups": (lambda d: d.groupby("g").x.rank(), lambda c: c("x").rank().over("g")),
    "rank, 100k groups": (lambda d: d.groupby("k").x.rank(), lambda c: c("x").rank().over("k")),
    "rank": (lambda d: d.x.rank(), lambda c: c("x").rank()),
    "resample 1h, mean": (lambda d: d.x.resample("1h").mean(), ("1h", lambda c: c("x").mean())),
    "resample ME, median": (lambda d: d.x.resample("ME").median(), ("1mo", lambda c: c("x").median())),
}


def frame(folder):
    import pandas as pd

    return pd.read_parquet(f"{folder}/rows.parquet").set_index("t")


def muster(folder, question):
    import warnings

    import muster.dataframe as dd

    warnings.simplefilter("ignore")  # transform asks for a meta
    rows = dd.from_pandas(frame(folder), npartitions=16)
    return lambda: QUESTIONS[question][0](rows).compute()


def pandas(folder, question):
    rows = frame(folder)
    return lambda: QUESTIONS[question][0](rows)


def polars(folder, question):
    import polars as pl

    rows, asked = pl.read_parquet(f"{folder}/rows.parquet"), QUESTIONS[question][1]
    if isinstance(asked, tuple):
        every, aggregate = asked
        return lambda: rows.lazy().set_sorted("t").group_by_dynamic("t", every=every).agg(aggregate(pl.col)).collect()
    return lambda: rows.lazy().set_sorted("t").select(asked(pl.col)).collect()


if __name__ == "__main__":
    from timing import report

    _, system, question, folder, repeat = sys.argv
    report({"muster": muster, "polars": polars, "pandas": pandas}[system](folder, question), int(repeat))
