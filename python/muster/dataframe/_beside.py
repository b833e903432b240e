"""Objects in memory beside lazy rows: a pandas Series is matched by index value, an array by position."""

import datetime

from muster._base.libraries import pd
from muster.dataframe._align import aligned, together
from muster.dataframe._ascending import order_of
from muster.dataframe._collection import is_column
from muster.dataframe._through_pandas import through, whole


def in_memory(value):
    """Whether a value is a pandas Series, an index or an array of one dimension."""
    return getattr(value, "_expr", None) is None and type(value).__module__.split(".")[0] in ("pandas", "numpy") and getattr(value, "ndim", 0) == 1


def is_mask(key):
    """Whether a key in memory chooses rows: bools."""
    if isinstance(key, list):
        return bool(key) and all(type(k).__name__ in ("bool", "bool_") for k in key)
    return (
        in_memory(key) and str(key.dtype) in ("bool", "boolean", "bool[pyarrow]")
        or in_memory(key) and key.dtype == object and len(key) and all(isinstance(k, bool) for k in key)
    )


def is_foreign_scalar(value):
    """Whether a scalar makes a column of a dtype that the engine's own constants do not have: NumPy's narrow numbers, times with units or zones, integers
    beyond 64 bits, objects.
    """
    if type(value) in (str, bool, float):
        return False
    if type(value) is int:
        return not -(2**63) <= value < 2**64
    if type(value) is datetime.datetime:
        return value.tzinfo is not None
    return not hasattr(value, "_expr") and not isinstance(value, (list, tuple, dict, set, frozenset, range)) and getattr(value, "ndim", 0) == 0


def repeated(frame, value):
    """Return a scalar as a lazy Series beside the rows of a collection, with the dtype that pandas gives it."""
    return through("repeated", _repeated, (_row_index(frame),), {"value": value}, labels=False)


def _repeated(index, value):
    return pd.DataFrame(index=index).assign(value=value)["value"]


def _row_index(frame):
    return (frame[[]] if frame.ndim == 2 else frame.to_frame(name="values")[[]]).index


def beside(frame, values, what):
    """Return values in memory as a lazy Series beside the rows of a collection.

    Parameters
    ----------
    frame : DataFrame or Series
    values : pandas.Series, pandas.Index, numpy.ndarray, extension array or list of bool
        A Series is matched by index value, others have a value for each row.
    what : label
        What the values are for, "mask" or "groupby" or the label of a column: messages say it.

    Raises
    ------
    ValueError
        At compute: as many values as rows are needed, or a Series with an index value twice is not in the order of the rows.
    pandas.errors.IndexingError
        At compute: a mask has no value for a row.
    """
    index = _row_index(frame)
    if not isinstance(values, pd.Series):
        values = pd.Series(values)
        return through("beside", _by_position, (index,), {"values": values}, shape="beside", meta=values.iloc[:0].reset_index(drop=True), labels=False)
    one_by_one = values.index.is_unique
    return through(
        "beside", _by_label, (index,), {"values": values, "mask": what == "mask"}, shape="rows" if one_by_one else "beside",
        meta=values.iloc[:0].reset_index(drop=True), labels=True
    )


def has_other_rows(frame, value):
    """Whether a value is a lazy Series of other rows than a collection's."""
    return is_column(value) and value._expr.kind == "series" and value._expr.rows != frame._expr.rows


def assigned(frame, columns):
    """Return a frame with lazy Series of other rows as columns, matched by index value: a dict by label.

    Where all divisions are known, partition by partition; else the index values and the columns, all of them, are matched in one task.
    """
    if together(frame, *columns.values()):
        given = {"labels": list(columns)}
        return aligned("assign", _assigned, [frame, *columns.values()], given, borders=list(frame.divisions), inside=True, order=order_of(frame._expr))
    return frame._assign({label: _matched(frame, column, "assign") for label, column in columns.items()})


def _assigned(rows, *columns, labels):
    rows = rows.copy(deep=False)
    for label, column in zip(labels, columns, strict=True):
        rows[label] = _by_label(rows.index, column, False)
    return rows


def filtered(frame, mask):
    """Return the rows of a collection for which a lazy mask of other rows, matched by index value, is True."""
    if together(frame, mask):
        return aligned("filter", _filtered, [frame, mask], borders=list(frame.divisions), inside=True, order=order_of(frame._expr))
    return frame[_matched(frame, mask, "mask")]


def _filtered(rows, mask):
    return rows[_by_label(rows.index, mask, True).astype("boolean").fillna(False).astype("bool")]


def _matched(frame, column, what):
    """A lazy Series of other rows beside the rows of a collection."""
    given = {"values": whole(column), "mask": what == "mask"}
    return through(what, _by_label, (_row_index(frame),), given, shape="beside", meta=column._meta, labels=True)


def _by_position(index, values):
    if len(values) != len(index):
        raise ValueError(f"Length of values ({len(values)}) does not match length of index ({len(index)})")
    return values.set_axis(index)


def _by_label(index, values, mask):
    if values.index.equals(index):
        return values
    if mask and not index.isin(values.index).all():
        raise pd.errors.IndexingError("Unalignable boolean Series provided as indexer (index of the boolean Series and of the indexed object do not match).")
    return values.reindex(index)
