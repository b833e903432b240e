"""Tasks from Python: calls that wait, in this process and on a local cluster, and the first question on the same cluster. Usage: first_tasks.py [GLOB]"""

import sys
import time

import muster
import muster.dataframe as dd
from muster.distributed import Client


@muster.delayed
def inc(i: int) -> int:
    time.sleep(0.2)
    return i + 1


@muster.delayed
def add(a: int, b: int) -> int:
    return a + b


start = time.perf_counter()
print(f"inc(1) + inc(12) on threads: {add(inc(1), inc(12)).compute()} in {time.perf_counter() - start:.2f} s")
start = time.perf_counter()
client = Client()
print(f"a local cluster, ready after {time.perf_counter() - start:.3f} s: {client}")
start = time.perf_counter()
print(f"submit(pow, 2, 10): {client.submit(pow, 2, 10).result()}")
print(f"sum of 1,000 calls: {client.submit(sum, client.map(abs, range(1000))).result()} in {time.perf_counter() - start:.3f} s")
files = sys.argv[1] if len(sys.argv) > 1 else "data/nycflights/*.csv"
start = time.perf_counter()
df = dd.read_csv(files, parse_dates={"Date": [0, 1, 2]}, dtype={"TailNum": str, "CRSElapsedTime": float, "Cancelled": bool})
print(df.groupby("Origin").DepDelay.mean().round(2).compute(), f"on the cluster in {time.perf_counter() - start:.3f} s", sep="\n")
client.close()
