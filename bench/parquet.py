"""Questions over Parquet, in process: parquet.py SYSTEM QUESTION FILE REPEAT. muster in its own environment, rivals in bench/.venv. Also writes the data."""

import os
import sys

TEXTS = 10_000_000


def h2o_file(path, rows=10_000_000, groups=100):
    """Write the db-benchmark's group-by table; the same bytes each time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(1)
    os.makedirs(os.path.dirname(path), exist_ok=True)

    def ids(high, width):
        return pa.array(np.char.add("id", np.char.zfill(random.integers(1, high + 1, rows).astype(str), width)))

    columns = {"id1": ids(groups, 3), "id2": ids(groups, 3), "id3": ids(rows // groups, 10)}
    columns.update(id4=random.integers(1, groups + 1, rows), id5=random.integers(1, groups + 1, rows), id6=random.integers(1, rows // groups + 1, rows))
    columns.update(v1=random.integers(1, 6, rows), v2=random.integers(1, 16, rows), v3=np.round(random.random(rows) * 100, 6))
    pq.write_table(pa.table(columns), path)


def groups_file(path, rows=10_000_000):
    """Write a table of as many groups as rows."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    pq.write_table(pa.table({"k": random.permutation(rows) * 7, "v": random.random(rows)}), path, row_group_size=500_000)


def taxi_file(csv, path):
    """Write a month of the taxi data as Parquet."""
    import muster.dataframe as dd

    os.makedirs(path, exist_ok=True)
    dd.read_csv(csv, parse_dates=["tpep_pickup_datetime", "tpep_dropoff_datetime"], blocksize="96MB").to_parquet(path, write_index=False)


def texts():
    return [f"Word {i % 9973} X" for i in range(TEXTS)]


KEYS = {"q1": ["id1"], "q2": ["id1", "id2"], "q3": ["id3"], "q4": ["id4"], "q5": ["id6"], "q6": ["id4", "id5"], "q10": [f"id{i}" for i in range(1, 7)]}
TRIP = ["PULocationID", "DOLocationID", "payment_type"]


def muster(file):
    import muster
    import muster.dataframe as dd

    aggregates = {
        "q1": {"v1": "sum"}, "q2": {"v1": "sum"}, "q3": {"v1": "sum", "v3": "mean"}, "q4": dict.fromkeys(("v1", "v2", "v3"), "mean"),
        "q5": dict.fromkeys(("v1", "v2", "v3"), "sum"), "q6": {"v3": ["median", "std"]}, "q10": {"v3": "sum", "v1": "size"}
    }

    def grouped(name):
        return lambda: dd.read_parquet(file).groupby(KEYS[name], sort=False, observed=True, as_index=name == "q6").agg(aggregates[name]).compute()

    def dates():
        df = dd.read_parquet(file)
        return df[df.tpep_pickup_datetime > "2019-01-20"].fare_amount.sum().compute()

    def limited(limit):
        def run():
            with muster.config.set({"memory-limit": limit}):
                return dd.read_parquet(file).groupby("k", sort=False).v.sum().compute()

        return run

    def series():
        import pandas as pd

        if "s" not in STATE:
            STATE["s"] = dd.from_pandas(pd.Series(texts()), npartitions=4)
        return STATE["s"]

    return {
        **{name: grouped(name) for name in KEYS},
        "tip": lambda: dd.read_parquet(file).groupby("passenger_count").tip_amount.mean().compute(),
        "dates": dates,
        "trips": lambda: dd.read_parquet(file).groupby(TRIP).total_amount.sum().compute(),
        "describe": lambda: dd.read_parquet(file).describe().compute(),
        "groups": limited("12GB"),
        "groups/512MB": limited("512MB"),
        "lower": lambda: series().str.lower().compute(),
        "contains": lambda: series().str.contains("99").compute(),
        "split": lambda: series().str.split(" ").compute(),
        "part": lambda: series().str.split(" ").str[1].compute(),
    }


def polars(file):
    import datetime

    import polars as pl

    aggregates = {
        "q1": [pl.sum("v1")], "q2": [pl.sum("v1")], "q3": [pl.sum("v1"), pl.mean("v3")], "q4": [pl.mean("v1", "v2", "v3")], "q5": [pl.sum("v1", "v2", "v3")],
        "q6": [pl.median("v3").alias("m"), pl.std("v3").alias("s")], "q10": [pl.sum("v3"), pl.len()],
    }
    source = file + "/*.parquet" if os.path.isdir(file) else file

    def series():
        if "s" not in STATE:
            STATE["s"] = pl.Series(texts())
        return STATE["s"]

    return {
        **{name: (lambda n: lambda: pl.scan_parquet(source).group_by(KEYS[n]).agg(aggregates[n]).collect())(name) for name in KEYS},
        "tip": lambda: pl.scan_parquet(source).group_by("passenger_count").agg(pl.col("tip_amount").mean()).collect(),
        "dates": lambda: pl.scan_parquet(source).filter(
            pl.col("tpep_pickup_datetime") > datetime.datetime(2019, 1, 20)
        ).select(pl.col("fare_amount").sum()).collect(),
        "trips": lambda: pl.scan_parquet(source).group_by(TRIP).agg(pl.col("total_amount").sum()).collect(),
        "describe": lambda: pl.scan_parquet(source).describe(),
        "groups": lambda: pl.scan_parquet(source).group_by("k").agg(pl.col("v").sum()).collect(),
        "lower": lambda: series().str.to_lowercase(),
        "contains": lambda: series().str.contains("99", literal=True),
        "split": lambda: series().str.split(" "),
        "part": lambda: series().str.split(" ").list.get(1, null_on_oob=True),
    }


def duckdb(file):
    import duckdb as db

    source = file + "/*.parquet" if os.path.isdir(file) else file
    columns = {
        "q1": "sum(v1)", "q2": "sum(v1)", "q3": "sum(v1), avg(v3)", "q4": "avg(v1), avg(v2), avg(v3)", "q5": "sum(v1), sum(v2), sum(v3)",
        "q6": "median(v3), stddev(v3)", "q10": "sum(v3), count(*)"
    }

    def table(query):
        return lambda: db.sql(query).to_arrow_table()

    return {
        **{name: table(f"select {', '.join(keys)}, {columns[name]} from '{source}' group by all") for name, keys in KEYS.items()},
        "tip": table(f"select passenger_count, avg(tip_amount) from '{source}' group by all"),
        "dates": table(f"select sum(fare_amount) from '{source}' where tpep_pickup_datetime > '2019-01-20'"),
        "trips": table(f"select {', '.join(TRIP)}, sum(total_amount) from '{source}' group by all"),
        "groups": table(f"select k, sum(v) from '{source}' group by all"),
    }


STATE = {}

if __name__ == "__main__":
    from timing import report

    _, system, question, file, repeat = sys.argv
    call = {"muster": muster, "polars": polars, "duckdb": duckdb}[system](file)[question]
    if question in ("lower", "contains", "split", "part"):
        call()  # the texts are made
    report(call, int(repeat))
