"""A program in which type checkers find nothing."""

from typing import assert_type

import muster
import muster.bag as db
import muster.dataframe as dd
from muster.delayed import Delayed
from muster.diagnostics import ProgressBar
from muster.distributed import Client, Future, LocalCluster, as_completed, wait


@muster.delayed
def inc(i: int) -> int:
    return i + 1


@muster.delayed(pure=True)
def join(a: str, b: list[int], c: bool = False) -> str:
    return f"{a}{b}{c}"


@muster.delayed(nout=2)
def halves(a: int) -> tuple[int, int]:
    return a // 2, a - a // 2


class Model:
    @muster.delayed
    def fit(self, frame: dd.DataFrame, rounds: int = 1) -> float:
        return float(rounds)


def mean_of(column: dd.Series) -> float:
    return float(column.mean())


def tasks() -> None:
    assert_type(inc(1), Delayed[int])
    assert_type(inc(inc(1)).compute(), int)
    assert_type(join("a", [1], c=True).compute(scheduler="synchronous"), str)
    join(inc(1).upper(), [inc(1), 2], inc(1) > 1)
    left, right = halves(5)
    inc(left + right, dask_key_name="both")
    assert_type(Model().fit(dd.from_dict({"x": [1]}, npartitions=1), rounds=2), Delayed[float])
    assert_type(muster.delayed(len)("ab"), Delayed[int])
    total: Delayed[int] = muster.delayed(sum)([inc(1), inc(2)])
    lazy: Delayed = muster.delayed([1, total])
    lazy.anything(1)[0]
    muster.compute(total, lazy, num_workers=2)
    muster.delayed("text").upper().compute()
    assert_type(muster.delayed(Model)(), Delayed[Model])
    muster.delayed(dict)(a=inc(1))
    muster.delayed(list)([inc(1), 2])
    muster.delayed(max)([inc(1), 2])
    muster.delayed(min)(1, 2)


def frames(df: dd.DataFrame) -> None:
    assert_type(df.x, dd.Series)
    assert_type(df["x"], dd.Series)
    assert_type(df[["x", "y"]], dd.DataFrame)
    assert_type(df[(df.x > 1) & ~df.y.isna()], dd.DataFrame)
    assert_type(df[df["x"].isin([1, 2])].y.sum(), dd.Scalar)
    assert_type(df.head(compute=False), dd.DataFrame)
    assert_type(df.x.tail(3, compute=False), dd.Series)
    assert_type(df.mean(numeric_only=True), dd.Series)
    assert_type(df.x.mean(), dd.Scalar)
    assert_type(df.x.mean() * 2 + df.y.max(), dd.Scalar)
    assert_type((df.x - df.x.mean()) / df.x.std(), dd.Series)
    assert_type(df.groupby("k").x.mean(), dd.Series)
    assert_type(df.groupby(["k", "l"])[["x", "y"]].agg({"x": "sum"}), dd.DataFrame)
    assert_type(df.groupby("k", as_index=False).x.sum(), dd.DataFrame)
    assert_type(df.groupby("k").size(), dd.Series)
    assert_type(df.groupby("k").agg(low=("x", "min"), high=("x", "max")), dd.DataFrame)
    assert_type(df.groupby("k").x.agg(["min", "max"]), dd.DataFrame)
    assert_type(df.x.groupby(df.k).sum(), dd.Series)
    assert_type(df.assign(z=df.x + 1, w=lambda f: f.z * 2), dd.DataFrame)
    assert_type(df.k.str.upper().str.len(), dd.Series)
    assert_type(df.t.dt.year, dd.Series)
    assert_type(df.k.astype("category").cat.codes, dd.Series)
    assert_type(df.x.to_frame(), dd.DataFrame)
    assert_type(df.x.reset_index(drop=True), dd.Series)
    assert_type(df.x.reset_index(), dd.DataFrame)
    assert_type(df.x.quantile([0.1, 0.9]), dd.Series)
    assert_type(df.quantile(0.5), dd.Series)
    assert_type(df.x.rolling(3).mean(), dd.Series)
    assert_type(df.rolling("2D", min_periods=1).sum(), dd.DataFrame)
    assert_type(df.partitions[0], dd.DataFrame)
    assert_type(df.repartition(npartitions=2).persist(), dd.DataFrame)
    assert_type(df.pipe(lambda f: f.x), dd.Series)
    assert_type(df.index.to_series(), dd.Series)
    assert_type(df.to_delayed(), list[Delayed])
    assert_type(len(df), int)
    assert_type(df.npartitions, int)
    df["z"] = df.x * 2
    df.z = df.z.fillna(0).clip(lower=0)
    df.columns = ["a", "b", "c"]
    del df["a"]
    df.map_partitions(len, meta=("n", "int64")).compute(scheduler="threads", num_workers=1)
    df.drop(columns=["b"]).rename(columns={"c": "d"}).to_parquet("folder", compression="zstd", partition_on=["d"])
    df.to_csv("a-*.csv", index=False, sep=";")
    dd.concat([df, df]).drop_duplicates(subset=["b"]).nlargest(3, "b").explain()
    mean_of(df.x)
    for _, column in df.items():
        assert_type(column, dd.Series)


def doors() -> None:
    df = dd.read_csv(["a.csv", "b.csv"], sep=";", dtype={"x": "int32"}, parse_dates=["t"], usecols=["x", "t"], blocksize="1 MB")
    assert_type(df, dd.DataFrame)
    assert_type(dd.read_table("a.tsv", header=None), dd.DataFrame)
    assert_type(dd.read_parquet("folder", columns=["x"], filters=[("x", ">", 1)]), dd.DataFrame)
    assert_type(dd.to_datetime(df.t, format="%Y"), dd.Series)
    with muster.config.set({"memory-limit": "1 GB"}), ProgressBar():
        df.x.sum().compute()


def bags() -> None:
    bag = db.from_sequence([1, 2, 3], npartitions=2)
    assert_type(bag, db.Bag[int])
    assert_type(bag.filter(lambda x: x > 1).compute(), list[int])
    assert_type(bag.map(str), db.Bag[str])
    assert_type(bag.count().compute(), int)
    assert_type(bag.max(), db.Item[int])
    assert_type(bag.take(2), tuple[int, ...])
    plain: db.Bag = db.read_text("*.txt").map(str.strip)
    plain.str.upper().frequencies(sort=True).topk(3, key=1).to_dataframe(columns=["word", "n"])


def clusters() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        assert_type(client.submit(len, "ab"), Future[int])
        assert_type(client.submit(len, "ab", priority=1, retries=2).result(timeout=3), int)
        futures = client.map(str, range(3), pure=False)
        assert_type(futures, list[Future[str]])
        wait(futures)
        for future in as_completed(futures):
            print(future)
        client.gather(futures)
        client.scatter([1, 2])
    with Client(n_workers=1, processes=False) as client:
        client.compute(muster.delayed(len)("ab"), sync=True)


async def asynchronous() -> None:
    async with Client(asynchronous=True) as client:
        assert_type(await client.submit(len, "ab"), int)
