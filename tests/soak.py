"""The same questions over and over: memory must not grow. soak.py [SECONDS]"""

import resource
import sys
import tempfile
import time

import muster.dataframe as dd

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100
with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/a.csv"
    with open(path, "w") as file:
        file.write("k,x,s\n" + "".join(f"{i % 100},{i},text {i}\n" for i in range(200_000)))
    start, rounds, early = time.perf_counter(), 0, None
    while time.perf_counter() - start < seconds:
        df = dd.read_csv(path, blocksize=100_000)
        df.groupby("k").x.agg(["mean", "std", "nunique"]).compute()
        df[df.x % 7 == 0].nlargest(5, "x").compute()
        df.map_partitions(lambda part: part[["x"]] + 1).x.sum().compute()
        df.persist()
        rounds += 1
        if rounds == 20:
            early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
late = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"soak: {rounds} rounds, peak {early / 1e3:.0f} MB after 20, {late / 1e3:.0f} MB at the end")
sys.exit(late > early * 1.2 + 20_000)
