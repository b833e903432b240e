"""HDF5 files as pandas writes them, read by pandas with PyTables: rows of a table in parts, other data whole."""

import fnmatch
import glob
import itertools
import os
import threading

from muster._base.libraries import pd
from muster._base.packages import needed
from muster._border.files import stamps_of, unchanged
from muster.dataframe._make import from_map
from muster.dataframe._parquet import natural

_one_at_a_time = threading.Lock()  # HDF5 is used by one thread of a process
_TRIED = 100  # rows that say what a column of texts is: none would make objects


def read_hdf(pattern, key, start=0, stop=None, columns=None, chunksize=1_000_000, sorted_index=False, lock=True, mode="r"):
    """Return what pandas has written to HDF5 files as a lazy DataFrame or Series. Needs the package `tables`.

    Parameters
    ----------
    pattern : str, path or list of these
        File or glob.
    key : str
        What is read of each file, or a glob of keys.
    start, stop : int, default 0 and all
        Rows of each key's data that are read.
    columns : list of str, optional
        Default: all.
    chunksize : int, default 1,000,000
        Rows of a partition, of data in the table format; data in the fixed format is a partition.
    sorted_index : bool, default False
        The index values ascend: divisions are known, for which the first and the last one of each partition are read.
    lock, mode
        Accepted: files are read by one thread of a process at a time, and never written to.

    Raises
    ------
    ImportError
        If `tables` is not installed.
    FileNotFoundError
        If no file matches.
    KeyError
        If a file has no such key.
    ValueError
        If `chunksize` is no positive integer, or the index values do not ascend and sorted_index=True.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> import muster.dataframe as dd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.h5")
    ...     pd.DataFrame({"x": [1, 2, 3]}).to_hdf(path, key="data", format="table")
    ...     dd.read_hdf(path, "data", chunksize=2).x.sum().compute()
    np.int64(6)
    """
    needed("tables", "read_hdf")
    if not isinstance(chunksize, int) or chunksize < 1:
        raise ValueError(f"read_hdf: chunksize must be a positive integer, got {chunksize!r}")
    patterns = [os.fspath(p) for p in (pattern if isinstance(pattern, (list, tuple)) else [pattern])]
    files = [file for p in patterns for file in _files_of(p)]
    pieces, meta, borders = [], None, []
    for number, file in enumerate(files):
        with _one_at_a_time, pd.HDFStore(file, mode="r") as store:
            for found in _keys_of(store, key, file):
                storer = store.get_storer(found)
                ranges = _ranges(storer.nrows, start, stop, chunksize) if storer.is_table else [(start, stop)]
                pieces += [(number, found, first, end) for first, end in ranges]
                if meta is None:
                    meta = (store.select(found, stop=_TRIED, columns=columns) if storer.is_table else _of(store, found, columns)).iloc[:0]
                if sorted_index:
                    borders += [_ends(store, storer, found, first, end) for first, end in ranges]
    divisions = _divisions(borders) if sorted_index else None
    return from_map(_Read(files, columns), pieces, meta=meta, enforce_metadata=False, divisions=divisions)


def _files_of(pattern):
    found = sorted(glob.glob(pattern), key=natural) if any(c in pattern for c in "*?[") else [pattern] if os.path.exists(pattern) else []
    if not found:
        raise FileNotFoundError(f"no file matches '{pattern}'; check the path, it is looked up from the current directory")
    return found


def _keys_of(store, key, file):
    wanted = key if key.startswith("/") else f"/{key}"
    found = sorted((k for k in store.keys() if fnmatch.fnmatchcase(k, wanted)), key=natural)
    if not found:
        raise KeyError(f"read_hdf: file '{file}' has no key {key!r}; its keys are {', '.join(store.keys())}")
    return found


def _ranges(rows, start, stop, size):
    stop = rows if stop is None else min(stop, rows)
    return [(at, min(at + size, stop)) for at in range(start, stop, size)] or [(start, start)]


def _of(store, key, columns):
    data = store.get(key)
    return data if columns is None else data[columns]


def _ends(store, storer, key, first, end):
    """The first and the last index value of rows, None of no rows."""
    if storer.is_table and end == first:
        return None
    if storer.is_table:
        return tuple(storer.read_column("index", start=at, stop=at + 1).iloc[0] for at in (first, end - 1))
    index = store.get(key).index[first:end]
    return (index[0], index[-1]) if len(index) else None


def _divisions(borders):
    if not borders or None in borders:
        return None
    in_order = all(a <= b for a, b in borders) and all(a[1] < b[0] for a, b in itertools.pairwise(borders))
    if not in_order:
        raise ValueError("read_hdf: sorted_index=True, but the index values of the partitions do not ascend; leave it out, and call set_index")
    return [*(first for first, _ in borders), borders[-1][1]]


class _Read:
    """Reads the rows of a partition."""

    __name__ = "read_hdf"

    def __init__(self, files, columns):
        self.files, self.stamps, self.columns = files, stamps_of(files), columns

    def __call__(self, piece):
        number, key, first, end = piece
        file = self.files[number]
        with unchanged(file, self.stamps[number], "read_hdf"), _one_at_a_time, pd.HDFStore(file, mode="r") as store:
            if store.get_storer(key).is_table:
                return store.select(key, start=first, stop=end, columns=self.columns)
            return _of(store, key, self.columns).iloc[first:end]
