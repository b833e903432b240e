"""pandas-like DataFrames in partitions.

Examples
--------
>>> import pandas as pd
>>> import muster.dataframe as dd
>>> df = dd.from_pandas(pd.DataFrame({"k": ["a", "b", "a"], "x": [1, 2, 3]}), npartitions=2)
>>> df.groupby("k").x.sum().compute()
k
a    4
b    2
Name: x, dtype: int64
"""

from muster._base.later import DATAFRAME_NAMES, NotThereYet
from muster._collections.running import compute
from muster.dataframe import _replan, _row, extensions  # noqa: F401 (which register themselves)
from muster.dataframe._delayed import from_delayed, to_delayed
from muster.dataframe._deltalake import read_deltalake
from muster.dataframe._frame import DataFrame
from muster.dataframe._functions import get_collection_type, get_dummies, isna, map_overlap, melt, pivot_table, to_datetime, to_numeric, to_timedelta
from muster.dataframe._groupby import Aggregation
from muster.dataframe._hdf import read_hdf
from muster.dataframe._iceberg import read_iceberg
from muster.dataframe._index import Index
from muster.dataframe._io import read_csv, read_table
from muster.dataframe._make import from_array, from_arrow, from_map, read_json
from muster.dataframe._map_partitions import map_partitions
from muster.dataframe._memory import from_dict, from_pandas
from muster.dataframe._merge import merge
from muster.dataframe._merge_asof import merge_asof
from muster.dataframe._orc import read_orc, to_orc
from muster.dataframe._parquet import read_parquet
from muster.dataframe._partitioning import concat, repartition
from muster.dataframe._read_fwf import read_fwf
from muster.dataframe._read_sql import read_sql, read_sql_query, read_sql_table
from muster.dataframe._scalar import Scalar
from muster.dataframe._series import Series
from muster.dataframe._to_sql import to_sql
from muster.dataframe._write import to_bag, to_csv, to_json, to_parquet

__all__ = [
    "Aggregation", "DataFrame", "Index", "Scalar", "Series", "compute", "concat", "extensions", "from_array", "from_arrow", "from_delayed", "from_dict",
    "from_map", "from_pandas", "get_collection_type", "get_dummies", "isna", "map_overlap", "map_partitions", "melt", "merge", "merge_asof",
    "pivot_table", "read_csv", "read_deltalake", "read_fwf", "read_hdf", "read_iceberg", "read_json", "read_orc", "read_parquet", "read_sql",
    "read_sql_query", "read_sql_table", "read_table", "repartition", "to_bag", "to_csv", "to_datetime", "to_delayed", "to_json", "to_numeric", "to_orc",
    "to_parquet", "to_sql", "to_timedelta",
]


def __getattr__(name):
    if name in DATAFRAME_NAMES:
        raise NotThereYet(f"muster.dataframe.{name} is not there yet")
    raise AttributeError(f"module 'muster.dataframe' has no attribute {name!r}")
