"""The order of rows: sort_values, sort_index. All rows are put in order in one task."""

from muster.dataframe._through_pandas import call, through


def sort_values(
    self, by=None, npartitions=None, ascending=True, na_position="last", partition_size=None, sort_function=None, sort_function_kwargs=None,
    ignore_index=False, shuffle_method=None, **kwargs,
):  # fmt: skip
    """Return the rows in the order of columns; rows of equal values stay in theirs.

    All rows are put in order in one task, through pandas, and are one partition.

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
    npartitions, partition_size, shuffle_method
        Accepted.
    **kwargs
        key : function of a pandas Series, optional. What is compared instead of the values.

    Raises
    ------
    KeyError
        If a label is no column.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"x": [3, 1, 2], "y": ["a", "b", "c"]}, npartitions=2)
    >>> df.sort_values("x", ascending=False).y.compute().tolist()
    ['a', 'c', 'b']
    """
    if na_position not in ("first", "last"):
        raise ValueError(f"na_position must be either 'first' or 'last', got {na_position!r}")
    kwargs = {"ascending": ascending, "na_position": na_position, "ignore_index": ignore_index, "kind": "stable", **kwargs}
    if self.ndim == 2:
        kwargs["by"] = by
    if sort_function is not None:
        asked = {k: kwargs[k] for k in ("by", "ascending", "na_position") if k in kwargs}
        return through("sort_values", sort_function, (self,), {**asked, **(sort_function_kwargs or {})}, shape="whole", real=True)
    return call(self, "sort_values", (), kwargs, shape="whole", kept=not ignore_index)


def sort_index(self, ascending=True, na_position="last", ignore_index=False, **kwargs):
    """Return the rows in the order of the index, put there through pandas in one task; they are one partition.

    Parameters
    ----------
    ascending : bool, default True
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
    kwargs = {"ascending": ascending, "na_position": na_position, "ignore_index": ignore_index, **kwargs}
    return call(self, "sort_index", (), kwargs, shape="whole", kept=not ignore_index)
