"""Collections from SQL databases: each partition reads the rows of a range of values of one column."""

import datetime
import decimal

from muster._base.libraries import np, pd
from muster._base.units import positive_bytes
from muster.dataframe._database import Database, library
from muster.dataframe._make import from_map
from muster.dataframe._memory import from_pandas
from muster.dataframe._meta import meta_object


def read_sql_table(
    table_name, con, index_col, divisions=None, npartitions=None, limits=None, columns=None, bytes_per_chunk="256 MiB", head_rows=5, schema=None, meta=None,
    engine_kwargs=None, **kwargs
):
    """Return a table of a SQL database as a lazy DataFrame. Needs SQLAlchemy, and the driver of the database.

    Each partition reads a range of values of `index_col`, with a connection and a transaction of its own.

    Parameters
    ----------
    table_name : str
    con : str
        SQLAlchemy's URI of the database. A password in it stands in no name, repr or error.
    index_col : str
        Column that becomes the index, and cuts the table; the database should have an index of it. Without `divisions` a column of numbers or times.
    divisions : sequence, optional
        Values of `index_col` at the borders of partitions, ascending: the rows from the first to the last of them, both included, are read.
    npartitions : int, optional
        Partitions to make, at most: the span of values is cut into so many equal ranges.
    limits : pair, optional
        The span: its first and its last value, both included. Default: all rows.
    columns : list of str or of SQLAlchemy's columns, optional
    bytes_per_chunk : int or str, default "256 MiB"
        Bytes of a partition, by the memory that the first rows take, where neither `divisions` nor `npartitions` is given.
    head_rows : int, default 5
        Rows that are read at the call, for dtypes.
    schema : str, optional
    meta : pandas.DataFrame, optional
        What the result looks like, index included; each partition gets its dtypes, or raises. Default: what the first rows look like, and wider where others
        show it.
    engine_kwargs : dict, optional
        For sqlalchemy.create_engine.
    **kwargs
        As pandas.read_sql: coerce_float, params, parse_dates, dtype, dtype_backend.

    Returns
    -------
    DataFrame
        Divisions are known. Rows in which `index_col` is NULL lie in no range: where all rows are read and there are such, they are a last partition of their
        own, and divisions are not known. With `divisions` or `limits` they are not read, as all that lies outside of these. The ranges are found at the call;
        rows that come to lie outside of them later are not read, or refused.

    Raises
    ------
    ImportError
        If SQLAlchemy or the driver is not there.
    TypeError
        If `con` is no text, or the values of `index_col` are neither numbers nor times and there are no `divisions`.
    ValueError
        If a column is not there, or `divisions` do not ascend. At compute: a row lies outside of the known divisions, as where the database orders texts
        otherwise than Python. Errors of the database name the partition and its query.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> dd.read_sql_table("accounts", "sqlite:///bank.db", index_col="id", npartitions=10)  # doctest: +SKIP
    """
    sqlalchemy = library("read_sql_table")
    if not isinstance(table_name, str):
        raise TypeError(f"read_sql_table: the table must be named by a str, got {type(table_name).__name__}; of a query use read_sql_query")
    database = Database("read_sql_table", con, engine_kwargs)
    with database.connection(f"table '{table_name}'") as connection:
        table = sqlalchemy.Table(table_name, sqlalchemy.MetaData(), schema=schema, autoload_with=connection)
    index = _column(table.columns, index_col, "read_sql_table")
    chosen = list(table.columns) if columns is None else [_column(table.columns, c, "read_sql_table") for c in columns]
    if index.name not in [c.name for c in chosen]:
        chosen.insert(0, index)
    return _read(
        database, sqlalchemy.select(*chosen).select_from(table), index, divisions, npartitions, limits, bytes_per_chunk, head_rows, meta, kwargs,
        getattr(index, "nullable", True)
    )


def read_sql_query(
    sql, con, index_col, divisions=None, npartitions=None, limits=None, bytes_per_chunk="256 MiB", head_rows=5, meta=None, engine_kwargs=None, **kwargs
):
    """Return the rows of a SQL query as a lazy DataFrame: each partition asks for those in a range of `index_col`.

    Parameters
    ----------
    sql : SQLAlchemy's Select
    con, index_col, divisions, npartitions, limits, bytes_per_chunk, head_rows, meta, engine_kwargs, **kwargs
        As `read_sql_table`.

    Raises
    ------
    TypeError
        If `sql` is a text: conditions could not be added to it.
    """
    sqlalchemy = library("read_sql_query")
    if not isinstance(sql, sqlalchemy.sql.expression.SelectBase):
        raise TypeError(
            f"read_sql_query: sql must be a query of SQLAlchemy such as sqlalchemy.select(table), got {type(sql).__name__}; a text becomes one with "
            "sqlalchemy.text(sql).columns(sqlalchemy.column('id'), ...)"
        )
    database = Database("read_sql_query", con, engine_kwargs)
    rows = sql.subquery()
    index = _column(rows.columns, index_col, "read_sql_query")
    return _read(database, sqlalchemy.select(rows), index, divisions, npartitions, limits, bytes_per_chunk, head_rows, meta, kwargs, True)


def read_sql(sql, con, index_col, **kwargs):
    """Return a table by its name, or the rows of a query, of a SQL database; see `read_sql_table` and `read_sql_query`."""
    return (read_sql_table if isinstance(sql, str) else read_sql_query)(sql, con, index_col, **kwargs)


def _column(columns, wanted, operation):
    """A column by its name, or SQLAlchemy's own expression of columns that has a name."""
    name = wanted if isinstance(wanted, str) else getattr(wanted, "name", None)
    if not isinstance(name, str):
        raise TypeError(f"{operation}: columns are named by a str or given as SQLAlchemy's columns, got {type(wanted).__name__}")
    if not isinstance(wanted, str) and type(wanted).__name__ == "Label":
        return wanted
    if name not in columns:
        raise ValueError(f"{operation}: there is no column {name!r}; columns are {[c.name for c in columns]}")
    return columns[name]


def _read(database, query, index, divisions, npartitions, limits, bytes_per_chunk, head_rows, meta, kwargs, nullable):
    operation = database.operation
    unknown = kwargs.keys() - {"coerce_float", "params", "parse_dates", "dtype", "dtype_backend"}
    if unknown:
        raise TypeError(f"{operation}() got an unexpected keyword argument {min(unknown)!r}")
    if meta is None and head_rows < 1:
        raise ValueError(f"{operation}: head_rows must be at least 1, got {head_rows!r}, unless meta says what the result looks like")
    if npartitions is not None and (not isinstance(npartitions, int) or npartitions < 1):
        raise ValueError(f"{operation}: npartitions must be a positive integer, got {npartitions!r}")
    forced = meta is not None
    nulls = False
    with database.connection(lambda c: f"at the call, {_text(query, c)}") as connection:
        head = meta_object(meta) if forced else _typed(pd.read_sql(query.limit(head_rows), connection, index_col=index.name, **kwargs), query)
        if divisions is None:
            spans = limits is not None
            first, last = limits if spans else _ends(query, index, connection)
            if first is None:  # no row with a value
                nulls = nullable and not spans and _has_null(query, index, connection)
                if not nulls:
                    return from_pandas(head.iloc[:0], npartitions=1)
            else:
                if npartitions is None:
                    npartitions = _needed(query, index, limits, head, head_rows, bytes_per_chunk, connection, kwargs)
                divisions = _cut(first, last, npartitions, index, operation)
                nulls = nullable and not spans and _has_null(query, index, connection)
        else:
            spans, divisions = True, [_value(d) for d in divisions]
            if len(divisions) < 2 or any(not a <= b for a, b in zip(divisions, divisions[1:], strict=False)):
                raise ValueError(f"{operation}: divisions must be two or more values that ascend, got {divisions}")
    ranges = []
    for i in range(len(divisions) - 1 if divisions else 0):
        low, high, is_last = divisions[i], divisions[i + 1], i == len(divisions) - 2
        exact = spans or not isinstance(low, float)  # a database may have digits that a float has not: no row at an end is to be lost
        ranges.append((low, high, is_last, low if exact or i else None, high if exact or not is_last else None))
    if nulls:
        ranges.append(None)
    known = None if nulls else _unique(divisions)
    read = _ReadRange(database, query, index, head, forced, kwargs, not nulls)
    return from_map(read, range(len(ranges)), ranges, meta=head.iloc[:0] if forced else head, divisions=known, enforce_metadata=forced)


def _typed(head, query):
    """Rows whose columns without any value have the dtype that the database says."""
    for i, column in enumerate(c for c in query.selected_columns if c.name in head.columns):
        if i >= head.shape[1] or head.columns[i] != column.name or head.dtypes.iloc[i] != "object" or not head.iloc[:, i].isna().all():
            continue
        try:
            kind = column.type.python_type
        except NotImplementedError:
            continue
        dtype = {str: "str", int: "float64" if len(head) else "int64", float: "float64", decimal.Decimal: "float64"}.get(kind)
        if kind is datetime.datetime and not getattr(column.type, "timezone", False):
            dtype = "datetime64[us]"
        if dtype is not None:
            head.isetitem(i, head.iloc[:, i].astype(dtype))
    return head


def _ends(query, index, connection):
    sqlalchemy = library("read_sql")
    rows = query.subquery()
    column = rows.columns[index.name]
    return connection.execute(sqlalchemy.select(sqlalchemy.func.min(column), sqlalchemy.func.max(column))).one()


def _has_null(query, index, connection):
    return connection.execute(query.where(index.is_(None)).limit(1)).first() is not None


def _needed(query, index, limits, head, head_rows, bytes_per_chunk, connection, kwargs):
    """How many partitions hold about `bytes_per_chunk` bytes."""
    size = positive_bytes(bytes_per_chunk, "bytes_per_chunk")
    sqlalchemy = library("read_sql")
    if not len(head):
        head = pd.read_sql(query.limit(max(1, head_rows)), connection, index_col=index.name, **kwargs)
    if limits is not None:
        query = query.where(index >= _bound(_value(limits[0])), index <= _bound(_value(limits[1])))
    rows = connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(query.subquery())).scalar()
    a_row = head.memory_usage(deep=True, index=True).sum() / max(1, len(head))
    return max(1, round(rows * a_row / size))


def _value(given):
    """A value of the index column as the divisions have it: a number, a text or a time."""
    if isinstance(given, (datetime.datetime, np.datetime64)):
        return pd.Timestamp(given)
    if isinstance(given, np.generic):
        return given.item()
    return float(given) if isinstance(given, decimal.Decimal) else given


def _bound(value):
    return value.to_pydatetime(warn=False) if isinstance(value, pd.Timestamp) else value


def _cut(first, last, count, index, operation):
    first, last = _value(first), _value(last)
    is_number = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (first, last))
    if not is_number and not all(isinstance(v, pd.Timestamp) for v in (first, last)):
        raise TypeError(
            f"{operation}: column {index.name!r} has values of type {type(first).__name__}, such as {first!r}; only numbers and times are cut into ranges: "
            "give divisions, the values at the borders of partitions"
        )
    if first > last:
        raise ValueError(f"{operation}: limits must ascend, got {first!r} and {last!r}")
    if isinstance(first, int) and isinstance(last, int):
        cuts = [first + (last - first) * i // count for i in range(count)]
    else:
        cuts = [first + (last - first) * (i / count) for i in range(count)]
        cuts = [c.floor("us") if isinstance(c, pd.Timestamp) else float(c) for c in cuts]
    inner = [c for c in dict.fromkeys(cuts) if first < c < last]
    return [first, *inner, last] if isinstance(first, int) == isinstance(last, int) else [float(first), *inner, float(last)]


def _unique(divisions):
    """Divisions that the engine can keep, or None: values that ascend strictly, but for the last."""
    inner = divisions[:-1]
    ascend = all(a < b for a, b in zip(inner, inner[1:], strict=False))
    plain = all(isinstance(d, (int, float, str, pd.Timestamp)) and not isinstance(d, bool) and getattr(d, "tzinfo", None) is None for d in divisions)
    return divisions if ascend and plain else None


def _text(query, connection):
    """A query as the database is asked, with its values where these can be written."""
    dialect = None if connection is None else connection.dialect
    for how in ({"literal_binds": True}, {}):
        try:
            return " ".join(str(query.compile(dialect=dialect, compile_kwargs=how)).split())
        except Exception:
            continue
    return "a query that cannot be written as text"


class _ReadRange:
    """Reads the rows of a range of the index column."""

    def __init__(self, database, query, index, head, forced, kwargs, checked):
        self.database, self.query, self.index, self.empty, self.forced, self.kwargs = database, query, index, head.iloc[:0], forced, kwargs
        self.checked = checked
        self.__name__ = database.operation

    def __dask_tokenize__(self):
        return self.database.token  # whatever the database has by then: every call reads anew

    def __call__(self, number, span):
        query = self.query.where(self.index.is_(None)) if span is None else self._within(*span)
        with self.database.connection(lambda c: f"partition {number}, {_text(query, c)}") as connection:
            part = pd.read_sql(query, connection, index_col=self.index.name, **self.kwargs)
            if self.checked:
                self._check(part.index, *span[:3])
            return self._like_the_first(part)

    def _within(self, low, high, is_last, from_, to):
        query = self.query
        if from_ is not None:
            query = query.where(self.index >= _bound(from_))
        if to is not None:
            query = query.where(self.index <= _bound(to) if is_last else self.index < _bound(to))
        return query

    def _check(self, index, low, high, is_last):
        if not len(index):
            return
        if getattr(index.dtype, "tz", None) is not None and isinstance(low, pd.Timestamp) and low.tzinfo is None:
            low, high = low.tz_localize(index.dtype.tz), high.tz_localize(index.dtype.tz)
        try:
            outside = index[~((index >= low) & ((index <= high) if is_last else (index < high)))]
        except TypeError:  # values that pandas does not compare, such as dates: divisions are not known of them
            return
        if len(outside):
            raise ValueError(
                f"{self.__name__}: column {self.index.name!r} has the value {outside[0]!r} outside of the division from {low!r} to {high!r}: the table has "
                "changed, or the database orders values otherwise than Python, as texts by a collation; read it again, or divide by a column of numbers"
            )

    def _like_the_first(self, part):
        """Rows with the dtypes of meta; or with those of the first rows where a column has no value, of which pandas sees none."""
        if not len(part):
            return self.empty
        if self.forced:
            part = part[list(self.empty.columns)]
            part.index = part.index.astype(self.empty.index.dtype)
            return part.astype(dict(self.empty.dtypes))
        for i, (dtype, expected) in enumerate(zip(part.dtypes, self.empty.dtypes, strict=True)):
            if dtype == "object" and expected not in ("object", "bool") and part.iloc[:, i].isna().all():
                part.isetitem(i, part.iloc[:, i].astype(_with_missing(expected)))
        index, expected = part.index, self.empty.index.dtype
        if index.dtype == "object" and expected != "object" and index.isna().all():
            part.index = index.astype(_with_missing(expected))
        return part


def _with_missing(dtype):
    return "float64" if isinstance(dtype, np.dtype) and dtype.kind in "iu" else dtype
