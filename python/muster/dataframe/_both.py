"""What pandas makes of two collections whose index values are matched: align, combine_first."""

from muster._base.libraries import pd
from muster._border.pandas import has_unknown_categories
from muster.dataframe._align import aligned, both_ascend, together
from muster.dataframe._ascending import STRICTLY
from muster.dataframe._collection import Rows
from muster.dataframe._through_pandas import call, through, tried

_JOINS = ("outer", "inner", "left", "right")


def align(self, other, join="outer", axis=None, fill_value=None):
    """Return both collections with the rows and columns of both, a pair.

    Rows are matched by index value: partition by partition where both have known divisions, and these stay known; else all rows in one task.

    Parameters
    ----------
    other : DataFrame or Series
    join : {"outer", "inner", "left", "right"}, default "outer"
        Which index values and columns stay: those of either, of both, of this one, of the other.
    axis : {0, 1}, optional
        Match the index values alone, or the columns alone. Default: both.
    fill_value : scalar, optional
        Where a side has no row or column. Default: missing.

    Raises
    ------
    ValueError
        If `join` is not known; at compute, if an index has a value twice and the other is not the same.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> one = dd.from_pandas(pd.Series([1, 2], index=[0, 1]), npartitions=2)
    >>> a, b = one.align(dd.from_pandas(pd.Series([5, 6], index=[1, 2]), npartitions=1), fill_value=0)
    >>> a.compute().tolist(), b.compute().tolist()
    ([1, 2, 0], [0, 5, 6])
    """
    if join not in _JOINS:
        raise ValueError(f"align: join must be one of {', '.join(map(repr, _JOINS))}, got {join!r}")
    kwargs = {"join": join, "axis": axis, "fill_value": fill_value}
    by_rows = isinstance(other, Rows) and (self.ndim == other.ndim and axis not in (1, "columns") or axis in (0, "index"))
    if by_rows and together(self, other):
        return tuple(aligned("align", _side, [self, other], {**kwargs, "side": side}, like_all=True, order=both_ascend(self, other)) for side in (0, 1))
    return tuple(through("align", _side, (self, other), {**kwargs, "side": side}, shape="whole") for side in (0, 1))


def _side(a, b, side, **kwargs):
    return a.align(b, **kwargs)[side]


def combine_first(self, other):
    """Return the values of this collection, and those of another where this one's are missing or it has no such row or column.

    Rows are matched by index value: partition by partition where both have known divisions and no index value twice, and divisions stay known; else all rows
    in one task.

    Parameters
    ----------
    other : DataFrame or Series

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> a = dd.from_pandas(pd.Series([1.0, None]), npartitions=1)
    >>> a.combine_first(dd.from_pandas(pd.Series([5.0, 6.0, 7.0]), npartitions=2)).compute().tolist()
    [1.0, 6.0, 7.0]
    """
    if not isinstance(other, Rows) or other.ndim != self.ndim or _differ_in_categories(self, other):
        return call(self, "combine_first", (other,), shape="whole", exact=True)
    if together(self, other) and both_ascend(self, other) == STRICTLY:
        meta = tried("combine_first", _first, [self, other], {})
        labels = list(meta.columns) if meta.ndim == 2 and meta.columns.is_unique else None  # pandas puts those of no rows in another order
        return aligned("combine_first", _first, [self, other], {"labels": labels}, like_all=True, order=STRICTLY, meta=meta)
    return call(self, "combine_first", (other,), shape="whole")


def _differ_in_categories(a, b):
    """Whether the columns of a label are of other categories, or of some that are not known: what pandas makes of them depends on all rows."""
    if has_unknown_categories(a) or has_unknown_categories(b):
        return True
    if a.ndim == 1:
        pairs = [(a.dtype, b.dtype)]
    else:
        ours, theirs = (list(zip(s.columns, s.dtypes, strict=True)) for s in (a, b))
        pairs = [(d, e) for label, d in ours for other, e in theirs if label == other]
    return any(d != e and (isinstance(d, pd.CategoricalDtype) or isinstance(e, pd.CategoricalDtype)) for d, e in pairs)


def _first(a, b, labels=None):
    out = a.combine_first(b)
    return out if labels is None else out[labels]
