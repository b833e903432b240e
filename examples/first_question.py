"""The first question from Python: the mean departure delay by airport. Usage: first_question.py [GLOB]"""

import sys
import time

import muster.dataframe as dd
from muster.diagnostics import ProgressBar

files = sys.argv[1] if len(sys.argv) > 1 else "data/nycflights/*.csv"
start = time.perf_counter()
df = dd.read_csv(files, parse_dates={"Date": [0, 1, 2]}, dtype={"TailNum": str, "CRSElapsedTime": float, "Cancelled": bool})
with ProgressBar():
    print(df.groupby("Origin").DepDelay.mean().compute())
print(f"Python: {time.perf_counter() - start:.3f} s, pandas imported")
