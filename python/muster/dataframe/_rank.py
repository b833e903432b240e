"""The places of values in their order, of columns and of groups: the engine's for numbers, bools and times, pandas' for what else there is."""

from muster import _core
from muster.dataframe._collection import Rows, new_collection
from muster.dataframe._through_pandas import call

_METHODS, _OF_MISSING = ("average", "min", "max", "first", "dense"), ("keep", "top", "bottom")


def ranked(rows, keys, dropna, method, ascending, na_option, pct):
    """Return the rank of each value of the columns, beside the rows.

    Parameters
    ----------
    rows : Series or DataFrame
        What is ranked.
    keys : list of Series of the same rows
        Values are ranked among those of equal keys; of no keys among all.
    dropna : bool
        Rows with a missing key have no rank.
    method, ascending, na_option, pct
        As pandas has them.

    Raises
    ------
    NotImplementedError
        Where the engine cannot compare the values or the keys, or does not know the arguments.
    """
    if method not in _METHODS or na_option not in _OF_MISSING or not all(isinstance(x, bool) for x in (ascending, pct)):
        raise NotImplementedError("rank: these arguments")
    frame = rows if rows.ndim == 2 else rows.to_frame()
    if any(key._expr.rows != frame._expr.rows for key in keys):
        raise NotImplementedError("rank: keys of other rows")
    if not frame._expr.columns:
        raise NotImplementedError("rank: of no columns")
    how = {"keys": len(keys), "descending": not ascending, "method": method, "na": na_option, "pct": pct, "dropna": dropna, "hashed": bool(keys)}
    names, places = [f"key {i}" for i in range(len(keys))], []
    for i in range(len(frame._expr.columns)):
        value = frame._take([i])._relabelled(["value"])
        beside = value._assign(dict(zip(names, keys, strict=True)))[[*names, "value"]] if keys else value
        ranks = _core.call("rank_rows", [beside._expr], how)
        if not keys:  # which rows are in order
            ranks = _core.call("rank_finished", [ranks], how)
        places.append(_core.call("rank_places", [ranks], {}))
    return new_collection(_core.call("rank", [rows._expr, *places], {}))


def rank(self, axis=0, method="average", numeric_only=False, na_option="keep", ascending=True, pct=False):
    """Return the place of each value in the order of its column, from 1 on, float64.

    All rows are put in order by each column, in ranges that may lie on disk, and ranks go back to where the rows are. Texts and what else only pandas can
    compare are ranked by it, all rows in one task, as `explain` shows.

    Parameters
    ----------
    axis : {0, "index", 1, "columns"}, default 0
        1: in the order of each row, through pandas.
    method : {"average", "min", "max", "first", "dense"}, default "average"
        What equal values have: the mean, the smallest or the largest of their places, each its own, or the number of distinct values up to them.
    numeric_only : bool, default False
        Leave out columns that are not numeric or bool.
    na_option : {"keep", "top", "bottom"}, default "keep"
        Missing values have no rank, or stand in front of all others, or behind them.
    ascending : bool, default True
    pct : bool, default False
        Ranks are divided by the largest that there could be.

    Raises
    ------
    ValueError
        If an argument is none of its values.

    Examples
    --------
    >>> import muster.dataframe as dd, pandas as pd
    >>> dd.from_pandas(pd.Series([3, 1, 4, 1]), npartitions=2).rank().compute().tolist()
    [3.0, 1.5, 4.0, 1.5]
    """
    options = {"method": method, "na_option": na_option, "ascending": ascending, "pct": pct}
    if axis in (1, "columns") and self.ndim == 2:
        return call(self, "rank", (), {"axis": 1, "numeric_only": numeric_only, **options}, shape="rows")
    if axis in (0, "index", "rows") and numeric_only in (True, False):
        rows = self.select_dtypes(include=["number", "bool"]) if numeric_only and self.ndim == 2 else self
        try:
            return ranked(rows, [], True, **options)
        except NotImplementedError:  # pandas answers
            pass
    return call(self, "rank", (), {"axis": axis, "numeric_only": numeric_only, **options}, shape="beside")


def rank_in_groups(grouped, dropna, series, **options):
    """Return the ranks of the selected columns of a group-by, None where pandas is to make them."""
    frame, values = grouped._frame, grouped._values()
    try:
        keys = [key if isinstance(key, Rows) else frame[key] for key in grouped._by]
        return ranked(frame._column(values[0]) if series else frame._take(values), keys, dropna, **options)
    except (NotImplementedError, TypeError):
        return None
