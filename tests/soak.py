"""The same questions and tasks over and over: memory must not grow, here and in the workers. soak.py [SECONDS]"""

import os
import pathlib
import sys
import tempfile
import time

import muster
import muster.bag as db
import muster.dataframe as dd
from muster.distributed import Client


def resident(pid):
    """Bytes of a process in memory."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def frames(path):
    df = dd.read_csv(path, blocksize=100_000)
    df.groupby("k").x.agg(["mean", "std", "nunique"]).compute()
    df[df.x % 7 == 0].nlargest(5, "x").compute()
    df.map_partitions(lambda part: part[["x"]] + 1).x.sum().compute()
    df.persist()


def tasks(client):
    total = muster.delayed(sum)([muster.delayed(abs)(i) for i in range(300)])
    assert total.compute(scheduler="threads") == total.compute() == 44850
    assert client.gather(client.map(lambda i: bytes(2_000_000), range(3), pure=False)) == [bytes(2_000_000)] * 3
    assert db.range(1000, npartitions=5).filter(lambda x: x % 2).count().compute() == 500
    for i in range(100):
        client.submit(abs, i, pure=False).result()


seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100
with tempfile.TemporaryDirectory() as folder, Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
    path = f"{folder}/a.csv"
    with open(path, "w") as file:
        file.write("k,x,s\n" + "".join(f"{i % 100},{i},text {i}\n" for i in range(200_000)))
    pids = [os.getpid(), *(w["pid"] for w in client.scheduler_info()["workers"].values())]
    start, rounds, early = time.perf_counter(), 0, None
    while time.perf_counter() - start < seconds:
        frames(path)
        tasks(client)
        with muster.config.set(scheduler="threads"):
            frames(path)
        rounds += 1
        if rounds == 20:
            early = [resident(p) for p in pids]
    late = [resident(p) for p in pids]
print(f"soak: {rounds} rounds, MB of client and workers: {[round(n / 1e6) for n in early]} after 20, {[round(n / 1e6) for n in late]} at the end")
sys.exit(any(b > a * 1.2 + 20_000_000 for a, b in zip(early, late, strict=True)))
