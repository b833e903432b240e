"""muster's programs: ours.py SYSTEM QUESTION FILES REPEAT. Each call reads the files again, from read_csv on."""

import subprocess
import sys

import muster.dataframe as dd
from timing import report

_, system, question, files, repeat = sys.argv
DATES = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]


def masked():
    df = dd.read_csv(files)
    return df[df.DepDelay > 10].groupby("Origin").DepDelay.mean().compute()


def imported():
    subprocess.run(
        [
            sys.executable, "-c",
            "import time; t = time.perf_counter(); import muster, muster.dataframe; import sys; assert 'pandas' not in sys.modules and 'pyarrow' not in "
            "sys.modules"
        ],
        check=True
    )


QUESTIONS = {
    "flights": lambda: dd.read_csv(files).groupby("Origin").DepDelay.mean().compute(),
    "flights/by Dest": lambda: dd.read_csv(files).groupby("Dest").DepDelay.mean().compute(),
    "flights/two keys": lambda: dd.read_csv(files).groupby(["Origin", "Dest"]).DepDelay.mean().compute(),
    "flights/mask": masked,
    "flights/agg": lambda: dd.read_csv(files).groupby("Origin").DepDelay.agg(["mean", "std", "count"]).compute(),
    "taxi": lambda: dd.read_csv(files).groupby("passenger_count").tip_amount.mean().compute(),
    "typed": lambda: dd.read_csv(files, parse_dates=DATES).persist(),
    "import": imported,
}
report(QUESTIONS[question], int(repeat))
