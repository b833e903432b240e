"""Joins and sorts of 10^7 rows of Parquet: joins.py SYSTEM QUESTION FOLDER REPEAT. Also writes the data, as the h2o join questions describe them."""

import os
import sys

ROWS = 10_000_000
JOINS = {
    "q1": ("small", "id1", "inner"), "q2": ("medium", "id2", "inner"), "q3": ("medium", "id2", "left"), "q4": ("medium", "id5", "inner"),
    "q5": ("big", "id3", "inner")
}  # fmt: skip
SORTS = {"sort float": ["v1"], "sort texts": ["id4", "id5"]}
QUESTIONS = [*JOINS, *SORTS]


def write(folder, rows=ROWS):
    """Write x.parquet, and small, medium and big to join it with: 10, 10^4 and 10^7 rows, of whose keys a tenth is not in x."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    random = np.random.default_rng(1)

    def keys(count):
        return (random.permutation(int(count * 1.1))[:count] + 1).astype("int32")

    def table(columns, values=()):
        texts = {f"id{int(name[2:]) + 3}": pc.binary_join_element_wise("id", pc.cast(pa.array(k), pa.string()), "") for name, k in columns.items()}
        return pa.table({**columns, **texts, **dict(values)})

    counts = {"small": rows // 1_000_000, "medium": rows // 1000, "big": rows}
    known = {name: keys(count) for name, count in counts.items()}
    os.makedirs(folder, exist_ok=True)
    ids = {"id1": random.choice(keys(counts["small"]), rows), "id2": random.choice(keys(counts["medium"]), rows), "id3": keys(rows)}
    pq.write_table(table(ids, {"v1": random.random(rows) * 100}), f"{folder}/x.parquet", row_group_size=1_000_000)
    for level, (name, count) in enumerate(counts.items()):
        ids = {f"id{i + 1}": random.choice(known[other], count) for i, other in enumerate(list(counts)[:level])}
        made = table({**ids, f"id{level + 1}": known[name]}, {"v2": random.random(count) * 100})
        pq.write_table(made, f"{folder}/{name}.parquet", row_group_size=1_000_000)


def muster(folder, question):
    import muster.dataframe as dd

    x = f"{folder}/x.parquet"
    if question in SORTS:
        return lambda: dd.read_parquet(x).sort_values(SORTS[question]).compute()
    other, key, how = JOINS[question]
    return lambda: dd.read_parquet(x).merge(dd.read_parquet(f"{folder}/{other}.parquet"), on=key, how=how).compute()


def polars(folder, question):
    import polars as pl

    x = f"{folder}/x.parquet"
    if question in SORTS:
        return lambda: pl.scan_parquet(x).sort(SORTS[question]).collect()
    other, key, how = JOINS[question]
    return lambda: pl.scan_parquet(x).join(pl.scan_parquet(f"{folder}/{other}.parquet"), on=key, how=how).collect()


def duckdb(folder, question):
    import duckdb as db

    x = f"'{folder}/x.parquet'"
    if question in SORTS:
        return lambda: db.sql(f"select * from {x} order by {', '.join(SORTS[question])}").to_arrow_table()
    other, key, how = JOINS[question]
    return lambda: db.sql(f"select * from {x} {how} join '{folder}/{other}.parquet' using ({key})").to_arrow_table()


if __name__ == "__main__":
    from timing import report

    _, system, question, folder, repeat = sys.argv
    report({"muster": muster, "polars": polars, "duckdb": duckdb}[system](folder, question), int(repeat))
