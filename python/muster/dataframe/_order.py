"""The order of rows: sort_values, sort_index."""

from muster import _core
from muster._base.libraries import np
from muster._base.values import plain, plain_label
from muster.dataframe._ascending import ASCENDS, note_as
from muster.dataframe._collection import new_collection
from muster.dataframe._partitioning import counted
from muster.dataframe._through_pandas import call, through

_KINDS = ("quicksort", "mergesort", "heapsort", "stable")

def sort_values(
    self, by=None, npartitions=None, ascending=True, na_position="last", partition_size=None, sort_function=None, sort_function_kwargs=None,
    ignore_index=False, shuffle_method=None, **kwargs,
):  # fmt: skip
    """Return the rows in the order of columns; rows of equal values stay in theirs.

    Each partition is put in order by itself; these runs are cut into ranges of about equal size, which are the partitions of the result. Where memory is short
    runs lie on disk meanwhile. Columns of objects, categories and nullable dtypes are compared by pandas, all rows in one task, as `explain` shows.

    Parameters
    ----------
    by : label or list of labels
        Columns, or index levels. Of a Series: none.
    ascending : bool or list of bool, default True
    na_position : {"last", "first"}, default "last"
        Where missing values go.
    ignore_index : bool, default False
        Number the rows from 0.
    sort_function : callable, optional
        Called with the pandas object instead of its method, with `sort_function_kwargs`.
    npartitions : int or "auto", optional
        Of the result. Default: as many as there are; "auto": as many of them as `partition_size` fills.
    partition_size : number or str, optional
        Bytes of a partition, as 128e6 or "128 MB", of npartitions="auto".
    shuffle_method
        Accepted.
    **kwargs
        key : function of a pandas Series, optional. What is compared instead of the values. kind : {"stable", "quicksort", "mergesort", "heapsort"}; all of
        them are stable. upsample : accepted.

    Raises
    ------
    KeyError
        If a label is no column.
    NotImplementedError
        Of inplace=True and axis=1.
    ValueError
        If there are not as many `ascending` as labels, or an argument is none of its values.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"x": [3, 1, 2], "y": ["a", "b", "c"]}, npartitions=2)
    >>> df.sort_values("x", ascending=False).y.compute().tolist()
    ['a', 'c', 'b']
    """
    ascending = _directions(ascending)
    _refuse("sort_values", kwargs)
    if (axis := kwargs.pop("axis", 0)) not in (0, "index", "rows"):
        if self.ndim == 1 or axis not in (1, "columns"):
            raise ValueError(f"No axis named {axis} for object type {type(self).__name__}")
        raise NotImplementedError("sort_values: axis=1, the order of columns by values of a row; choose the columns, df[labels]")
    if self.ndim == 2:
        _check(self, by, ascending)
    elif isinstance(ascending, list):
        if len(ascending) != 1:
            raise ValueError(f"Length of ascending ({len(ascending)}) must be 1 for Series")
        ascending = ascending[0]
    wanted(npartitions, "sort_values")
    kwargs = {"ascending": ascending, "na_position": na_position, "ignore_index": ignore_index, **kwargs, "kind": "stable"}
    if self.ndim == 2:
        kwargs["by"] = by
    if sort_function is None and not kwargs.keys() - {"ascending", "na_position", "ignore_index", "kind", "by", "upsample"}:
        kwargs.pop("upsample", None)
        if self.ndim == 1 or _are_columns(self, by):
            keys = None if self.ndim == 1 else _listed(by)
            ordered = _native(self, keys, False, ascending, na_position, wanted(counted(self, npartitions, partition_size), "sort_values"))
            if ordered is not None:
                return ordered.reset_index(drop=True) if ignore_index else ordered
    if sort_function is not None:
        asked = {k: kwargs[k] for k in ("by", "ascending", "na_position") if k in kwargs}
        return through("sort_values", sort_function, (self,), {**asked, **(sort_function_kwargs or {})}, shape="whole", real=True)
    return call(self, "sort_values", (), kwargs, shape="whole", kept=not ignore_index)


def sort_index(self, ascending=True, na_position="last", ignore_index=False, **kwargs):
    """Return the rows in the order of the index; see `sort_values`. Divisions that are known stay, where the order is ascending.

    Parameters
    ----------
    ascending : bool, default True
        Of an index of several levels also a list of them, one for each.
    na_position : {"last", "first"}
    ignore_index : bool, default False
        Number the rows from 0.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> s = dd.from_pandas(pd.Series([5, 6, 7], index=[2, 0, 1]), npartitions=2, sort=False)
    >>> s.sort_index().compute().tolist()
    [6, 7, 5]
    """
    ascending = _directions(ascending)
    if isinstance(ascending, list) and self._meta.index.nlevels == 1:
        ascending = bool(ascending)  # pandas asks of a list whether it is empty
    _refuse("sort_index", kwargs)
    if not kwargs.keys() - {"npartitions", "kind"}:
        divisions = self.divisions if self.known_divisions and ascending is True and self._expr.index else None
        ordered = _native(self, None, True, ascending, na_position, wanted(counted(self, kwargs.pop("npartitions", None), None), "sort_index"), divisions)
        if ordered is not None:
            return ordered.reset_index(drop=True) if ignore_index else ordered
    kwargs = {"ascending": ascending, "na_position": na_position, "ignore_index": ignore_index, "kind": "stable", **kwargs}
    return call(self, "sort_index", (), kwargs, shape="whole", kept=not ignore_index)


def by_index(frame, divisions=None, npartitions=None):
    """Return the frame in the order of its index, cut at `divisions`, which are known of the result; None where pandas is to say what the order is."""
    ordered = _native(frame, None, True, True, "last", npartitions, divisions)
    if ordered is not None and divisions is not None:
        note_as(ordered._expr, ASCENDS)
    return ordered


def _native(self, by, of_index, ascending, na_position, partitions, divisions=None):
    """The native sort, None where pandas is to say what the order is."""
    arguments = {"by": plain_label(by), "of_index": of_index, "ascending": plain(ascending), "na_position": na_position, "partitions": partitions}
    if divisions is not None:
        arguments["divisions"] = plain_label(list(divisions))
    try:
        return new_collection(_core.call("sort", [self._expr], arguments))
    except NotImplementedError:
        return None


def wanted(npartitions, operation):
    """Return a number of partitions, None for the default. Raises ValueError for what is no positive integer."""
    if npartitions is None or isinstance(npartitions, str) and npartitions == "auto":
        return None
    if isinstance(npartitions, bool) or not isinstance(npartitions, int) or npartitions < 1:
        raise ValueError(f"{operation}: npartitions must be a positive integer, got {npartitions!r}")
    return npartitions


def _directions(ascending):
    several = isinstance(ascending, (list, tuple))
    for one in ascending if several else [ascending]:
        if not isinstance(one, (bool, int, np.bool_, np.integer)):
            raise ValueError(f'For argument "ascending" expected type bool, received type {type(one).__name__}.')
    return [bool(one) for one in ascending] if several else bool(ascending)


def _refuse(operation, kwargs):
    """Raises for keywords that no order of rows can follow."""
    if kwargs.pop("inplace", False):
        raise NotImplementedError(f"{operation}: inplace=True; a collection is lazy, take what {operation} returns")
    if (kind := kwargs.get("kind")) not in (None, *_KINDS):
        raise ValueError(f"sort kind must be one of {', '.join(map(repr, _KINDS))} (got {kind!r})")


def _check(self, by, ascending):
    """Raises KeyError for what is neither a column nor an index level, ValueError for another number of directions."""
    names, levels = _listed(by), self._meta.index.names
    for name in names:
        if getattr(name, "ndim", 0) > 0:
            raise KeyError(f"sort_values: by takes labels, a {type(name).__name__} was passed; make it a column first, df.assign(key=...).sort_values('key')")
        if not _is_column(self, name) and (name is None or name not in levels):
            if by is None:
                raise TypeError("sort_values: by is missing, the label of a column or a list of them")
            self._positions_for("sort_values", name)
    if isinstance(ascending, list) and len(ascending) != len(names):
        raise ValueError(f"Length of ascending ({len(ascending)}) != length of by ({len(names)})")


def _listed(by):
    return by if isinstance(by, list) else [by]


def _is_column(self, name):
    return not isinstance(name, bool) and name in self


def _are_columns(self, by):
    names = _listed(by)
    return bool(names) and all(_is_column(self, name) and len(self._positions(name)) == 1 for name in names)
