"""Collections from pandas objects and dicts."""

from muster._base.libraries import pd
from muster._border import pandas
from muster.dataframe._ascending import STRICTLY, note_as
from muster.dataframe._collection import new_collection
from muster.dataframe._known_index import note_index


def from_pandas(data, npartitions=None, chunksize=None, sort=True):
    """Return a pandas DataFrame or Series as a lazy collection. The data is not copied where the engine can read it in place.

    Parameters
    ----------
    data : pandas.DataFrame or pandas.Series
    npartitions : int, optional
        Partitions to make, at most; default 1.
    chunksize : int, optional
        Rows of a partition, instead of npartitions.
    sort : bool, default True
        Sort by index first.

    Raises
    ------
    TypeError
        If data is no pandas object.
    ValueError
        If both or neither of npartitions and chunksize make sense.
    """
    if not isinstance(data, (pd.DataFrame, pd.Series)):
        raise TypeError(f"Input must be a pandas DataFrame or Series, got {type(data).__name__}")
    if npartitions is not None and chunksize is not None:
        raise ValueError("Exactly one of npartitions and chunksize must be specified.")
    if npartitions is not None and not isinstance(npartitions, int):
        raise TypeError("Please provide npartitions as an int, or possibly as None if you specify chunksize.")
    if chunksize is not None and not isinstance(chunksize, int):
        raise TypeError("Please provide chunksize as an int, or possibly as None if you specify npartitions.")
    if sort and not data.index.is_monotonic_increasing:
        data = data.sort_index(kind="stable", ascending=True)
    rows = len(data)
    size = chunksize or max(1, -(-rows // (npartitions or 1)))
    cuts = [*range(0, rows, size), rows] if rows else [0, 0]
    expr = pandas.from_pandas(data, cuts)
    if expr.divisions:
        note_as(expr, STRICTLY)
    note_index(expr, data.index)
    return new_collection(expr)


def from_dict(data, npartitions=1, orient="columns", dtype=None, columns=None, constructor=None):
    """Return a dict of columns as a lazy DataFrame.

    Parameters
    ----------
    data : dict
        Lists or arrays by label; with orient="index" rows by index value.
    npartitions : int
        Partitions to make, at most.
    orient, dtype, columns
        As pandas.DataFrame.from_dict.
    """
    return from_pandas(pd.DataFrame.from_dict(data, orient=orient, dtype=dtype, columns=columns), npartitions=npartitions)
