"""Delta Lake tables, by the package deltalake: a partition for each of their files."""

import functools
import os

from muster._base.packages import needed
from muster.dataframe._make import from_map


def read_deltalake(path, version=None, columns=None, storage_options=None, datetime=None):
    """Return the rows of a Delta Lake table as a lazy DataFrame, a partition for each of its files. Needs the package `deltalake`.

    Parameters
    ----------
    path : str or path
        Folder or URL of the table.
    version : int, optional
        Default: the newest one, which is looked up at the call.
    columns : list of str, optional
        Default: all.
    storage_options : dict, optional
        For deltalake.
    datetime : str or datetime, optional
        The version of that time.

    Raises
    ------
    ImportError
        If `deltalake` is not installed.
    ValueError
        If a column is not there, or both a version and a time are given.
    deltalake.exceptions.TableNotFoundError
        If there is no table.

    Examples
    --------
    >>> import deltalake, tempfile
    >>> import pandas as pd
    >>> import muster.dataframe as dd
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     deltalake.write_deltalake(folder, pd.DataFrame({"x": [1, 2, 3]}))
    ...     dd.read_deltalake(folder).x.sum().compute()
    np.int64(6)
    """
    deltalake = needed("deltalake", "read_deltalake")
    if version is not None and datetime is not None:
        raise ValueError("read_deltalake: version and datetime both say which version is read; leave one out")
    path = os.fspath(path)
    table = deltalake.DeltaTable(path, version=version, storage_options=storage_options)
    if datetime is not None:
        table.load_as_version(datetime)
    read = _Read(path, table.version(), columns, storage_options)
    dataset, fragments = read.opened()
    for name in columns or []:
        if name not in dataset.schema.names:
            raise ValueError(f"read_deltalake: there is no column {name!r}; columns are {dataset.schema.names}")
    meta = read.frame(dataset.schema.empty_table())
    return from_map(read, range(max(len(fragments), 1)), meta=meta, enforce_metadata=False)


@functools.lru_cache(maxsize=16)
def _opened(path, version, storage_options):
    table = needed("deltalake", "read_deltalake").DeltaTable(path, version=version, storage_options=dict(storage_options) or None)
    dataset = table.to_pyarrow_dataset()
    return dataset, sorted(dataset.get_fragments(), key=lambda fragment: fragment.path)


class _Read:
    """Reads a file of a version of the table."""

    __name__ = "read_deltalake"

    def __init__(self, path, version, columns, storage_options):
        self.path, self.version, self.columns, self.storage_options = path, version, columns, tuple(sorted((storage_options or {}).items()))

    def opened(self):
        return _opened(self.path, self.version, self.storage_options)

    def __call__(self, number):
        dataset, fragments = self.opened()
        return self.frame(fragments[number].to_table(schema=dataset.schema, columns=self.columns) if fragments else dataset.schema.empty_table())

    def frame(self, table):
        return (table if self.columns is None else table.select(self.columns)).to_pandas()
