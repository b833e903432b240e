"""Columns come, go and change their labels; the rows stay. Methods of DataFrame."""

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import refuse_to_come
from muster._base.values import plain_label
from muster._border.known_columns import note_renamed
from muster.dataframe._collection import new_collection


def assign(self, **kwargs):
    """Return the frame with new or replaced columns.

    Parameters
    ----------
    **kwargs
        Series of the same rows, scalars, pandas Series (by index value), arrays with a value for each row, or functions of the frame, by column label.
    """
    out, values = self, {}
    for name, value in kwargs.items():
        refuse_to_come(value)
        if not hasattr(value, "_expr") and callable(value):
            if values:
                out, values = out._assign(values), {}
            value = value(out)
        values[name] = value
    return out._assign(values) if values else out


def rename(self, index=None, columns=None):
    """Return the frame with other column labels.

    Parameters
    ----------
    columns : dict or callable
        New label by old; labels that are not there are ignored.
    """
    if index is not None:
        raise ValueError("Cannot rename index.")
    if self._has_levels():
        new = columns if callable(columns) else lambda part: (columns or {}).get(part, part)
        labels = [tuple(new(part) for part in label) for label in self._labels()]
        return self._relabelled(pd.MultiIndex.from_tuples(labels, names=self.columns.names))
    if callable(columns):
        columns = {label: columns(label) for label in self._labels()}
    out = new_collection(_core.call("rename", [self._expr], {"columns": plain_label(columns or {})}))
    note_renamed(out._expr, out._labels(), self._expr)
    return out


def drop(self, labels=None, axis=0, columns=None, errors="raise"):
    """Return the frame without some columns.

    Parameters
    ----------
    labels : label or list
        With axis=1 as `columns`; rows cannot be dropped by label.
    columns : label or list
    errors : {"raise", "ignore"}, default "raise"
    """
    if columns is None and axis in (1, "columns"):
        columns = labels
    if columns is None:
        raise NotImplementedError("Drop currently only works for axis=1 or when columns is not None")
    return new_collection(_core.call("drop", [self._expr], {"columns": plain_label([columns] if isinstance(columns, tuple) else columns), "errors": errors}))


def select_dtypes(self, include=None, exclude=None):
    """Return the columns whose dtypes are included and not excluded, as pandas decides."""
    meta = self._meta
    meta.columns = range(meta.shape[1])
    return self._take(meta.select_dtypes(include=include, exclude=exclude).columns)
