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

from muster._run import compute
from muster.dataframe._collection import DataFrame, Index, Scalar, Series
from muster.dataframe._delayed import from_delayed, to_delayed
from muster.dataframe._io import from_dict, from_pandas, read_csv, read_table
from muster.dataframe._map_partitions import map_partitions

__all__ = ["DataFrame", "Index", "Scalar", "Series", "compute", "from_delayed", "from_dict", "from_pandas", "map_partitions", "read_csv", "read_table", "to_delayed"]


def __getattr__(name):
    from muster.as_dask import DATAFRAME_NAMES

    if name in DATAFRAME_NAMES:
        raise NotImplementedError(f"muster.dataframe.{name} is not there yet")
    raise AttributeError(f"module 'muster.dataframe' has no attribute {name!r}")
