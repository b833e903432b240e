"""Iceberg tables, by the package pyiceberg: a partition for each of their files."""

import functools

from muster._base.packages import needed
from muster.dataframe._make import from_map


def read_iceberg(identifier, catalog="default", columns=None, snapshot_id=None, properties=None):
    """Return the rows of an Iceberg table as a lazy DataFrame, a partition for each of its files. Needs the package `pyiceberg`.

    Parameters
    ----------
    identifier : str
        The table's name in its catalog, as "sales.orders".
    catalog : str, default "default"
        The catalog's name in pyiceberg's configuration.
    columns : list of str, optional
        Default: all.
    snapshot_id : int, optional
        Default: the newest one, which is looked up at the call.
    properties : dict, optional
        Of the catalog, beside those of the configuration: {"type": "sql", "uri": "sqlite:///catalog.db"}.

    Raises
    ------
    ImportError
        If `pyiceberg` is not installed.
    ValueError
        If a column is not there.
    pyiceberg.exceptions.NoSuchTableError
        If there is no table.
    """
    needed("pyiceberg.catalog", "read_iceberg")
    given = tuple(sorted((properties or {}).items()))
    table = _table(identifier, catalog, given)
    table.refresh()
    names = [field.name for field in table.schema().fields]
    for name in columns or []:
        if name not in names:
            raise ValueError(f"read_iceberg: there is no column {name!r}; columns are {names}")
    snapshot = table.current_snapshot()
    read = _Read(identifier, catalog, given, columns, snapshot_id if snapshot_id is not None else snapshot.snapshot_id if snapshot else None)
    scan, files = read.scanned()
    meta = read.frame([])
    return from_map(read, range(max(len(files), 1)), meta=meta, enforce_metadata=False)


@functools.lru_cache(maxsize=16)
def _table(identifier, catalog, properties):
    return needed("pyiceberg.catalog", "read_iceberg").load_catalog(catalog, **dict(properties)).load_table(identifier)


class _Read:
    """Reads a file of a snapshot of the table."""

    __name__ = "read_iceberg"

    def __init__(self, identifier, catalog, properties, columns, snapshot_id):
        self.identifier, self.catalog, self.properties, self.columns, self.snapshot_id = identifier, catalog, properties, columns, snapshot_id

    def scanned(self):
        return _scanned(self.identifier, self.catalog, self.properties, None if self.columns is None else tuple(self.columns), self.snapshot_id)

    def __call__(self, number):
        return self.frame(self.scanned()[1][number : number + 1])

    def frame(self, files):
        scan = self.scanned()[0]
        arrow = needed("pyiceberg.io.pyarrow", "read_iceberg")
        rows = arrow.ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter, scan.case_sensitive).to_table(files)
        return rows.to_pandas() if self.columns is None else rows.select(self.columns).to_pandas()


@functools.lru_cache(maxsize=16)
def _scanned(identifier, catalog, properties, columns, snapshot_id):
    """The scan of a snapshot, and what it reads of each file."""
    scan = _table(identifier, catalog, properties).scan(selected_fields=columns or ("*",), snapshot_id=snapshot_id)
    return scan, sorted(scan.plan_files(), key=lambda task: task.file.file_path)
