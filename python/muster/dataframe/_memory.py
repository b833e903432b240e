"""Collections from pandas objects and dicts."""

from muster._base.libraries import np, pd
from muster._border import pandas
from muster.dataframe._ascending import ASCENDS, STRICTLY, note_as
from muster.dataframe._collection import new_collection
from muster.dataframe._known_index import note_index


def from_pandas(data, npartitions=None, chunksize=None, sort=True):
    """Return a pandas DataFrame or Series as a lazy collection. The data is not copied where the engine can read it in place.

    Rows of one index value lie in one partition, and divisions are known, unless an index value is missing, an object, an interval, of several levels, or of
    categories that are in another order than their values.

    Parameters
    ----------
    data : pandas.DataFrame or pandas.Series
    npartitions : int, optional
        Partitions to make, at most as many as there are index values; default 1.
    chunksize : int, optional
        Rows of a partition, instead of npartitions.
    sort : bool, default True
        Sort by index first. False: leave the rows where they are, in partitions of one size whose divisions are not known.

    Raises
    ------
    TypeError
        If data is no pandas object.
    ValueError
        If both or neither of npartitions and chunksize make sense.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> dd.from_pandas(pd.Series(range(6), index=[1, 1, 1, 2, 2, 3]), npartitions=2).divisions
    (1, 2, 3)
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
    if sort and data.index.nlevels == 1 and not data.index.hasnans:
        return _cut(data, _between_values(data.index, npartitions or 1, chunksize), None)
    rows = len(data)
    size = chunksize or max(1, -(-rows // (npartitions or 1)))
    return _cut(data, [*range(0, rows, size), rows] if rows else [0, 0], None if sort else [])


def in_one_partition(data):
    """Return a pandas object as a lazy collection of one partition, its rows in their order."""
    return _cut(data, [0, len(data)], None if data.index.is_monotonic_increasing else [])


def _cut(data, cuts, divisions):
    expr = pandas.from_pandas(data, cuts, divisions)
    if expr.divisions:
        note_as(expr, STRICTLY if data.index.is_unique else ASCENDS)
    note_index(expr, data.index)
    return new_collection(expr)


def _between_values(index, npartitions, chunksize):
    """The rows at which partitions of an ascending index begin, and the end: of about one size, and no two of them have rows of one value."""
    rows = len(index)
    if not rows or chunksize is None and npartitions <= 1:
        return [0, rows]
    begins = np.arange(rows) if index.is_unique else np.flatnonzero(~index.duplicated())
    cuts, last, values = [0], 0, len(begins)
    wanted = min(npartitions, values)
    for k in range(1, values if chunksize else wanted):
        at = cuts[-1] + chunksize if chunksize else k * (rows // wanted) + min(k, rows % wanted)
        if at >= rows:
            break
        last = max(int(np.searchsorted(begins, at, side="right")) - 1, last + 1)
        if not chunksize:
            last = min(last, values - (wanted - k))
        if last >= values:
            break
        cuts.append(int(begins[last]))
    return [*cuts, rows]


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
