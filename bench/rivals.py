"""The rivals' programs: rivals.py SYSTEM QUESTION FILES REPEAT, run in bench/.venv."""

import glob
import sys
import warnings

from timing import report

warnings.filterwarnings("ignore")
_, system, question, files, repeat = sys.argv
TYPES = {"TailNum": str, "UniqueCarrier": str}
DATES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]


def polars():
    import polars as pl

    return {
        "flights": lambda: pl.scan_csv(files).group_by("Origin").agg(pl.col("DepDelay").mean()).collect(),
        "taxi": lambda: pl.scan_csv(files).group_by("passenger_count").agg(pl.col("tip_amount").mean()).collect(engine="streaming"),
        "typed": lambda: pl.read_csv(files, try_parse_dates=True),
    }


def duckdb():
    import duckdb as db

    return {"flights": lambda: db.sql(f"select Origin, avg(DepDelay) from '{files}' group by 1").fetchall()}


def pandas():
    import pandas as pd

    return {"flights": lambda: pd.concat([pd.read_csv(f, usecols=["Origin", "DepDelay"]) for f in sorted(glob.glob(files))]).groupby("Origin").DepDelay.mean()}


def dask():
    import dask.dataframe as dd

    return {
        "flights": lambda: dd.read_csv(files, assume_missing=True, dtype=TYPES).groupby("Origin").DepDelay.mean().compute(),
        "taxi": lambda: dd.read_csv(files, assume_missing=True, parse_dates=DATES).groupby("passenger_count").tip_amount.mean().compute(scheduler="processes"),
    }


if __name__ == "__main__":
    report({"polars": polars, "duckdb": duckdb, "pandas": pandas, "dask": dask}[system]()[question], int(repeat))
