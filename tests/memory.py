"""Peak memory of operations of every family, each in a process of its own: memory.py FOLDER ROWS LIMIT... (MB); prints a table, fails if a limit does not hold.

MUSTER_OPERATIONS="melt;mode" asks for some alone. Rows that are there in FOLDER are used again. MUSTER_MEASURED=FILE: what was measured goes on to this
file, and what is right there already, of this operation under this limit, is not measured again: a run that was broken off goes on.
"""

import json
import os
import pathlib
import signal
import sys
import time

import numpy as np
import pandas as pd

import muster
import muster.bag as db
import muster.dataframe as dd

MB = 1_000_000
SLACK = 20 * MB  # allocators, threads' stacks, what is imported late
PARTITION = 25_000  # rows
UNLIMITED = 100_000  # MB

folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
partitions = max(1, rows // PARTITION)
SECONDS = 600 + rows // 10_000  # of one operation
SIX = ["id1", "id2", "id3", "id4", "id5", "id6"]

few, many = pd.array([f"id{i:03}" for i in range(100)], "str"), pd.array([f"id{i:010}" for i in range(max(1, rows // 10))], "str")
texts = pd.array([f"{a} {b} some words {a * b}" for a in range(40) for b in range(25)], "str")


def frame(n, seed):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id1": few[draw.integers(0, 100, n)],
            "id2": few[draw.integers(0, 100, n)],
            "id3": many[draw.integers(0, len(many), n)],
            "id4": draw.integers(1, 101, n),
            "id5": draw.integers(1, 101, n),
            "id6": draw.integers(1, max(2, rows // 10), n),
            "v1": draw.integers(1, 6, n),
            "v3": np.where(draw.random(n) < 0.1, np.nan, draw.integers(0, 100_000, n) / 8),
            "k": draw.permutation(n) + seed * n,
            "n": np.arange(n) + seed * n,
            "t": texts[draw.integers(0, 1000, n)],
        }
    )


def split(df):
    return df.t.str.split(" ").str.len().sum()


def dated(df):
    return df.map_partitions(lambda part: part.assign(n=pd.to_datetime(part.n, unit="s")).set_index("n")[["v1", "k"]])


ROW = 8 * 8 + 3 * 30 + 40  # bytes of an engine's row of `frame`
OPERATIONS = {
    "groupby, 1 key": lambda df: df.groupby("id1").v3.sum(),
    "groupby, 1 text key of many": lambda df: df.groupby("id3").v3.sum(),
    "groupby, 2 keys": lambda df: df.groupby(["id3", "id6"]).v3.mean(),
    "groupby, 6 keys": lambda df: df.groupby(SIX).agg({"v1": "sum", "v3": "count"}),
    "groupby, 6 keys unordered": lambda df: df.groupby(SIX, sort=False).v1.sum(),
    "groupby, 6 keys, head": lambda df: df.groupby(SIX).v1.sum().head(compute=False),
    "groupby, every row": lambda df: df.groupby("k").v3.sum(),
    "groupby, every row, sum": lambda df: df.groupby("k").v3.sum().sum(),
    "groupby, runs": lambda df: df.assign(g=df.n // 3).groupby("g").agg({"v1": "sum", "t": "first"}),
    "groupby, texts": lambda df: df.groupby("id6").agg({"t": ["min", "max"], "id3": "first"}),
    "groupby, median std nunique": lambda df: df.groupby("id6").v3.agg(["median", "std", "nunique"]),
    "groupby, apply": lambda df: df.groupby("id4")[["v1", "v3"]].apply(lambda group: group.v3.sum(), meta=("v3", "float64")),
    "groupby, transform": lambda df: df.groupby("id4").v3.transform("mean").sum(),
    "groupby, rank": lambda df: df.groupby("id6").v3.rank().sum(),
    "groupby, rank, one group": lambda df: df.assign(g=df.v1 > 0).groupby("g").v3.rank("dense").sum(),
    "rank": lambda df: df.v3.rank().sum(),
    "rank, first": lambda df: df.v1.rank(method="first").sum(),
    "groupby, cumsum": lambda df: df.groupby("id4").v1.cumsum().max(),
    "nunique": lambda df: df.nunique(),
    "median": lambda df: df.v3.quantile(0.5),
    "quantiles": lambda df: df[["v1", "v3", "k", "id6"]].quantile([0.1, 0.5, 0.9]),
    "describe": lambda df: df[["v1", "v3", "k", "id6"]].describe(),
    "drop_duplicates": lambda df: df[["k", "v1"]].drop_duplicates("k"),
    "drop_duplicates, all columns": lambda df: df.drop_duplicates(),
    "value_counts": lambda df: df.id3.value_counts(),
    "value_counts, every row": lambda df: df.k.value_counts(),
    "nlargest": lambda df: df.nlargest(100, "v3"),
    "nlargest, a fifth": lambda df: df[["v3", "k"]].nlargest(rows // 5, "k").v3.sum(),
    "tail, a third": lambda df: df[["v3", "k"]].tail(rows // 3, compute=False),
    "cumsum": lambda df: df[["v1", "k"]].cumsum(),
    "shift": lambda df: df.v3.shift(1).sum(),
    "rolling": lambda df: df.v3.rolling(5).mean().sum(),
    "map_overlap": lambda df: df.v3.map_overlap(lambda part: part.rolling(3).max(), 2, 0).sum(),
    "resample": lambda df: dated(df).resample("1h").sum(),
    "fillna": lambda df: df.fillna({"v3": 0}),
    "where": lambda df: df.v3.where(df.v1 > 2).sum(),
    "isin": lambda df: df[df.id3.isin(list(many[:50]))].v1.sum(),
    "str": lambda df: df.t.str.upper().str.len().sum(),
    "split": split,
    "explode": lambda df: df.t.str.split(" ").explode().nunique(),
    "dt": lambda df: dd.to_datetime(df.n, unit="s").dt.hour.sum(),
    "categories": lambda df: df.id1.astype("category").cat.as_known().cat.codes.sum(),
    "melt": lambda df: df[["id4", "v1", "k"]].melt(id_vars="id4").value.sum(),
    "mode": lambda df: df[["id4", "v1"]].mode(),
    "corr": lambda df: df[["v1", "v3", "k"]].corr(),
    "index": lambda df: df.index.max(),
    "map_partitions": lambda df: df.map_partitions(lambda part: pd.Series([len(part)]), meta=(None, "int64")).sum(),
    "map_partitions, whole rows": lambda df: df.map_partitions(lambda part: part.assign(z=part.v1 * 2)).z.sum(),
    "apply": lambda df: df[["v1", "k"]].partitions[:1].apply(lambda row: row.v1 + row.k, axis=1, meta=(None, "int64")).sum(),
    "sample": lambda df: df.sample(frac=0.01, random_state=1).k.count(),
    "to_parquet": lambda df: df.to_parquet(str(folder / "out"), overwrite=True),
    "to_csv": lambda df: df.partitions[: min(partitions, 40)].to_csv(str(folder / "out.csv")),
    "to_json": lambda df: df[["id1", "v1", "k"]].partitions[: min(partitions, 8)].to_json(str(folder / "out.json")),
    "read_csv": lambda _: dd.read_csv(str(folder / "rows.csv"), blocksize=500_000).groupby("id1").v1.sum(),
    "merge": lambda df: df.merge(df[["k", "t"]], on="k", suffixes=("", "_r")).v1.sum(),
    "merge, all columns": lambda df: df.merge(df[["k", "id3", "t"]], on="k").to_parquet(str(folder / "out"), overwrite=True),
    "merge, outer": lambda df: df[["k", "v1"]].merge(df[df.v1 < 3][["k", "v3"]], on="k", how="outer").v1.sum(),
    "merge, two in a row": lambda df: df.merge(df[["k", "id3"]], on="k", suffixes=("", "_r")).merge(df[["k", "v1"]], on="k", suffixes=("", "_s")).v1_s.sum(),
    "sort_values": lambda df: df.sort_values("v3").to_parquet(str(folder / "out"), overwrite=True),
    "sort_values, texts": lambda df: df.sort_values(["id3", "k"], ascending=[False, True]).head(5, compute=False),
    "shuffle": lambda df: df.shuffle("id6").to_parquet(str(folder / "out"), overwrite=True),
    "set_index of all columns": lambda df: df.set_index("k").to_parquet(str(folder / "out"), overwrite=True),
    "set_index": lambda df: df[["n", "v1"]].set_index("n"),
    "repartition": lambda df: df[["v1", "k"]].repartition(npartitions=3).v1.sum(),
    "concat": lambda df: dd.concat([df, df]).v1.sum(),
    "head": lambda df: df.head(compute=False),
    "filter": lambda df: df[df.v1 == 3].drop(columns="t"),
    "all rows": lambda df: df,
    "persist": lambda df: df.persist(),
    "bag, fold": lambda df: db.range(rows, npartitions=partitions).map(lambda x: x % 7).fold(lambda a, b: a + b, initial=0),
    "bag, groupby": lambda df: db.range(rows // 4, npartitions=partitions).groupby(lambda x: x % 97).map(lambda group: (group[0], len(group[1]))),
}
wanted = os.environ.get("MUSTER_OPERATIONS")
chosen = wanted.split(";") if wanted else list(OPERATIONS)


def status(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1]) << 10


def summary(result):
    """What two equal results share, and the bytes of this one."""
    if isinstance(result, pd.Series):
        result = result.to_frame()
    if not isinstance(result, pd.DataFrame):
        return str(result)[:200], 0
    numbers = [round(float(result.iloc[:, i].sum()), 3) for i in range(result.shape[1]) if result.dtypes.iloc[i].kind in "iuf"]
    return f"{result.shape} {numbers}", int(result.memory_usage(deep=False).sum())


def run(name, limit, write):
    signal.alarm(SECONDS)
    df = dd.read_parquet(str(folder / "*.parquet"))
    with muster.config.set({"memory-limit": limit * MB, "scheduler": "threads", "num-workers": 2}):
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is the present
        before = status("VmRSS")
        made, size, refused = None, 0, ""
        try:
            lazy = OPERATIONS[name](df)
            result = lazy.compute() if hasattr(lazy, "compute") and name != "persist" else lazy
        except MemoryError as error:
            refused = str(error)
        peak = status("VmHWM") - before
        if not refused and name != "persist":
            made, size = summary(result)
    os.write(write, json.dumps([peak, made, size, refused]).encode())


def in_a_process(name, limit):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            run(name, limit, write)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as answer:
        data = answer.read()
    os.waitpid(child, 0)
    return json.loads(data) if data else None


folder.mkdir(exist_ok=True)
for i in range(partitions):
    if not (folder / f"{i:05}.parquet").exists():
        frame(PARTITION, i).to_parquet(folder / f"{i:05}.parquet", index=False, row_group_size=PARTITION // 2)
frame(PARTITION, 0).to_csv(folder / "rows.csv", index=False)
with muster.config.set(scheduler="synchronous"):  # what is imported and begun late is there before any process is measured, and no thread
    small = dd.from_pandas(frame(50, 0), npartitions=2)
    for name in chosen:
        lazy = OPERATIONS[name](small)
        if hasattr(lazy, "compute") and not name.startswith("bag"):
            lazy.compute()


def measured(name, limit, free):
    """How an operation did under a limit: the fields of a line of the table."""
    begun = time.monotonic()
    answer = in_a_process(name, limit)
    if answer is None:
        return {"wrong": f"died, or took more than {SECONDS} s"}
    peak, made, size, refused = answer
    bound = limit * MB * 21 // 20 + SLACK + 5 * ROW * PARTITION + 2 * size  # blocks of memory are a little larger than what is in them (src/data/memory.cpp)
    wrong = [] if refused or made == (right := free()) else [f"{made} for {right}"]
    if peak > bound and not name.startswith("bag"):  # Python's objects are not counted
        wrong.append(f"{peak // MB} MB are more than {bound // MB}")
    if refused and ("the memory budget of" not in refused or "memory-limit" not in refused or not any(w in refused for w in ("about", "needs"))):
        wrong.append(f"no estimate: {refused}")
    return {"peak": peak, "result": size, "refused": refused, "seconds": time.monotonic() - begun, "wrong": "; ".join(wrong)}


def line(name, limit, peak=0, result=0, refused="", seconds=0.0, wrong="", **_):
    made = f"peak {peak // MB:6}, result {result // MB:6}, {'refused' if refused else 'made':8} {seconds:4.0f} s"
    return f"{name:30} {limit:6} MB: {made} {'WRONG: ' + wrong if wrong else ''}"


def kept(name, limit, measure):
    """What is known of an operation under a limit, or is measured now."""
    if (name, limit, rows) not in known or known[name, limit, rows].get("wrong"):
        known[name, limit, rows] = {"name": name, "limit": limit, "rows": rows, **measure()}
        if journal:
            with open(journal, "a") as file:
                file.write(json.dumps(known[name, limit, rows]) + "\n")
    return known[name, limit, rows]


journal = os.environ.get("MUSTER_MEASURED")
known = {}
if journal and os.path.exists(journal):
    for entry in map(json.loads, open(journal)):
        known[entry["name"], entry["limit"], entry["rows"]] = entry
failed = 0
for name in chosen:

    def free(name=name):
        return kept(name, UNLIMITED, lambda: {"made": (in_a_process(name, UNLIMITED) or [0, "died without a limit"])[1]})["made"]

    for limit in map(int, sys.argv[3:]):
        entry = kept(name, limit, lambda name=name, limit=limit, free=free: measured(name, limit, free))
        failed += bool(entry["wrong"])
        print(line(**entry), flush=True)
print(f"{len(chosen)} operations, {failed} wrong")
sys.exit(failed > 0)
