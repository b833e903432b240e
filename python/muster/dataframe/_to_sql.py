"""Tables of SQL databases from collections: partition by partition into a table beside, which becomes the table once it is whole."""

import contextlib
import os

from muster._collections import running
from muster.dataframe._database import Database, library
from muster.delayed import delayed

_SHOWN = 1000  # rows of the first partition in which pandas finds the types of objects


def to_sql(
    df, name, uri, schema=None, if_exists="fail", index=True, index_label=None, chunksize=None, dtype=None, method=None, compute=True, parallel=False,
    engine_kwargs=None
):
    """Write the rows into a table of a SQL database; see `DataFrame.to_sql`."""
    return df.to_sql(name, uri, schema, if_exists, index, index_label, chunksize, dtype, method, compute, parallel, engine_kwargs)


def write_frame(
    self, name, uri, schema=None, if_exists="fail", index=True, index_label=None, chunksize=None, dtype=None, method=None, compute=True, parallel=False,
    engine_kwargs=None
):
    """Write the rows into a table of a SQL database. Needs SQLAlchemy, and the driver of the database.

    The partitions go into a table beside, each in a transaction of its own. Once all of them are there, one last transaction makes that the table, or adds its
    rows to those of the table; where anything fails before, it is dropped, and the database is what it was. (MySQL and Oracle take back no DROP TABLE: with
    if_exists="replace" there is a moment without the table.)

    Parameters
    ----------
    name : str
        Of the table.
    uri : str
        SQLAlchemy's URI of the database. A password in it stands in no name, repr or error.
    schema : str, optional
    if_exists : {"fail", "replace", "append"}, default "fail"
        "append" adds to the columns that the table has.
    index : bool, default True
        Write the index as a column, or several, with an index of the database.
    index_label : str or list of str, optional
        Labels of these. Default: the index' names, or "index".
    chunksize, dtype, method
        As pandas.DataFrame.to_sql.
    compute : bool, default True
        False: return a Delayed that writes.
    parallel : bool, default False
        Write partitions side by side: rows may come to stand in another order.
    engine_kwargs : dict, optional
        For sqlalchemy.create_engine.

    Raises
    ------
    ImportError
        If SQLAlchemy or the driver is not there.
    ValueError
        If the table is there and if_exists is "fail", or lacks a column and it is "append".

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"x": [1, 2]}, npartitions=2)
    >>> df.to_sql("numbers", "sqlite:///numbers.db", if_exists="replace")  # doctest: +SKIP
    """
    if if_exists not in ("fail", "replace", "append"):
        raise ValueError(f"'{if_exists}' is not valid for if_exists; use 'fail', 'replace' or 'append'")
    if not isinstance(name, str) or not name:
        raise TypeError(f"to_sql: the table must be named by a str, got {name!r}")
    database = Database("to_sql", uri, engine_kwargs)
    frame = self.to_frame() if self.ndim == 1 else self
    labels = _index_labels(frame._meta, index_label) if index else []
    columns = [*labels, *map(str, frame._labels())]
    if len(set(columns)) < len(columns):
        raise ValueError(f"to_sql: duplicate name in index/columns: {columns}; rename columns, or give index_label")
    table = _Table(database, name, schema, if_exists, labels, columns, {"chunksize": chunksize, "dtype": dtype, "method": method})
    table.check()
    parts = frame.to_delayed()
    inferred = any(column[1] == "object" for column in (*frame._expr.index, *frame._expr.columns))  # pandas looks at objects to find their type
    done = begun = delayed(table.begin)(parts[0] if inferred else frame._meta)
    written = []
    for number, part in enumerate(parts):
        done = delayed(table.write)(part, number, begun if parallel else done)
        written.append(done)
    published = delayed(table.publish)(written)
    if not compute:
        return published
    try:
        running.compute(published, traverse=False)
    except BaseException:
        table.drop()
        raise
    return None


def _index_labels(meta, given):
    levels = meta.index.names
    if given is None:
        if len(levels) == 1:
            return [str(levels[0]) if levels[0] is not None else "index" if "index" not in meta.columns else "level_0"]
        return [f"level_{i}" if level is None else str(level) for i, level in enumerate(levels)]
    given = [given] if isinstance(given, str) else list(given)
    if len(given) != len(levels):
        raise ValueError(f"Length of 'index_label' should match number of levels, which is {len(levels)}, got {given}")
    return given


def _statement(sql):
    return library("to_sql").text(sql.replace(":", "\\:"))


class _Table:
    """A table that is being written."""

    def __init__(self, database, name, schema, if_exists, labels, columns, options):
        self.database, self.name, self.schema, self.if_exists = database, name, schema, if_exists
        self.labels, self.columns, self.options = labels, columns, options
        self.beside = f"{name[:40]}_{os.urandom(4).hex()}"

    def check(self):
        with self.database.connection(f"table '{self.name}'") as connection:
            if self._is_there(connection) and self.if_exists == "append":
                self._refuse_columns(self._table(self.name, connection))

    def _is_there(self, connection):
        found = library("to_sql").inspect(connection).has_table(self.name, schema=self.schema)
        if found and self.if_exists == "fail":
            raise ValueError(f"Table '{self.name}' already exists. to_sql: if_exists='replace' or 'append' writes to it")
        return found

    def _refuse_columns(self, table):
        others = [c for c in self.columns if c not in table.columns]
        if others:
            raise ValueError(f"to_sql: table '{self.name}' has no column {others[0]!r}; its columns are {[c.name for c in table.columns]}")

    def _table(self, name, connection):
        sqlalchemy = library("to_sql")
        return sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=self.schema, autoload_with=connection, resolve_fks=False)

    def _quoted(self, name, connection):
        sqlalchemy = library("to_sql")
        return connection.dialect.identifier_preparer.format_table(sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=self.schema))

    def _drop(self, name, connection):
        connection.execute(_statement(f"DROP TABLE {self._quoted(name, connection)}"))

    def _rows(self, part):
        out = part.reset_index(names=self.labels) if self.labels else part
        return out.set_axis(self.columns, axis=1)

    def begin(self, part):
        """Make the table beside."""
        sqlalchemy = library("to_sql")
        with self.database.connection(f"table '{self.beside}', from which '{self.name}' is made") as connection:
            if self._is_there(connection) and self.if_exists == "append":
                there = self._table(self.name, connection)
                self._refuse_columns(there)
                columns = [sqlalchemy.Column(c, there.columns[c].type) for c in self.columns]
                sqlalchemy.Table(self.beside, sqlalchemy.MetaData(), *columns, schema=self.schema).create(connection)
            else:
                options = {"dtype": self.options["dtype"], "schema": self.schema, "index": False}
                self._rows(part.iloc[:_SHOWN]).to_sql(self.beside, connection, **options)
                if len(part):
                    connection.execute(_statement(f"DELETE FROM {self._quoted(self.beside, connection)}"))

    def write(self, part, number, after):
        """Add the rows of a partition to the table beside; return how many there are."""
        if not len(part):
            return 0
        try:
            with self.database.connection(f"partition {number}, table '{self.name}'") as connection:
                if not library("to_sql").inspect(connection).has_table(self.beside, schema=self.schema):
                    raise RuntimeError(f"to_sql: table '{self.name}' is not written, as another partition has failed")
                self._rows(part).to_sql(self.beside, connection, schema=self.schema, if_exists="append", index=False, **self.options)
        except BaseException:
            self.drop()
            raise
        return len(part)

    def publish(self, counts):
        """Make the table beside the table, or part of it."""
        sqlalchemy = library("to_sql")
        try:
            with self.database.connection(f"table '{self.name}'") as connection:
                if connection.dialect.name == "sqlite":
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # its driver would begin no transaction for what follows
                whole = self._table(self.beside, connection)
                rows = connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(whole)).scalar()
                if rows != sum(counts):
                    raise RuntimeError(f"to_sql: table '{self.name}' is not written: {rows} rows arrived for {sum(counts)}, as where a partition ran twice")
                there = self._is_there(connection)
                if there and self.if_exists == "append":
                    columns = [whole.columns[c] for c in self.columns]
                    connection.execute(self._table(self.name, connection).insert().from_select(self.columns, sqlalchemy.select(*columns)))
                    self._drop(self.beside, connection)
                    return
                if there:
                    self._drop(self.name, connection)
                name = connection.dialect.identifier_preparer.quote(self.name)
                connection.execute(_statement(f"ALTER TABLE {self._quoted(self.beside, connection)} RENAME TO {name}"))
                if self.labels:
                    table = self._table(self.name, connection)
                    sqlalchemy.Index(None, *(table.columns[label] for label in self.labels)).create(connection)
        except BaseException:
            self.drop()
            raise

    def drop(self):
        """Drop the table beside, if the database can be asked for it."""
        with contextlib.suppress(Exception), self.database.connection("") as connection:
            if library("to_sql").inspect(connection).has_table(self.beside, schema=self.schema):
                self._drop(self.beside, connection)
