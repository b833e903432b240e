"""Group-by objects: keys and a selection, turned into one operator by each aggregation."""

import warnings

from muster import _core
from muster._call import no_default, plain
from muster.dataframe._collection import DataFrame, Frame, Series, new_collection

FUNCTIONS = ("sum", "mean", "count", "size", "min", "max", "std", "var", "nunique", "any", "all", "first", "last", "prod")
_NUMERIC = {"sum", "mean", "std", "var", "prod"}
_SYNONYMS = {"amin": "min", "amax": "max", "nanmean": "mean", "nansum": "sum", "len": "size"}
_KINDS = {"frame": 0, "series": 1}


def _function_name(function):
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    name = _SYNONYMS.get(name, name)
    if name not in FUNCTIONS:
        raise ValueError(f"unknown aggregate {name or function!r}; known are {', '.join(FUNCTIONS)}")
    return name


class GroupBy:
    """Rows grouped by keys; aggregations are lazy and give one partition."""

    def __init__(self, frame, by, select=None, sort=None, dropna=None, observed=None, group_keys=True, name=no_default, as_index=True):
        self._frame = frame
        self._by = list(by) if isinstance(by, (list, tuple)) and not (isinstance(by, tuple) and by in frame._labels()) else [by]
        self._select, self._sort, self._dropna, self._name = select, sort, dropna, name
        for key in self._by:
            if isinstance(key, Frame):
                if not isinstance(key, Series):
                    raise NotImplementedError("groupby: a key must be a label or a Series")
            elif callable(key):
                raise NotImplementedError("groupby: a function as key is not there yet; make a Series")
            elif key not in frame._labels():
                frame[key]  # says which columns there are

    def _keys(self):
        return [k._expr if isinstance(k, Frame) else plain(k) for k in self._by]

    def _values(self):
        if self._select is not None:
            return self._select if isinstance(self._select, list) else [self._select]
        keys = [k for k in self._by if not isinstance(k, Frame)]
        return [label for label in self._frame._labels() if label not in keys]

    def _numeric(self, labels):
        kinds = {f[0]: f[1] for f in self._frame._expr.columns}
        return [x for x in labels if kinds[x] == "bool" or kinds[x].startswith(("int", "uint", "float"))]

    def _aggregate(self, aggregates, kind):
        expr = _core.call(
            "groupby",
            [self._frame._expr],
            {"by": self._keys(), "aggregates": aggregates, "sort": self._sort is None or bool(self._sort), "dropna": self._dropna is None or bool(self._dropna), "kind": _KINDS[kind]},
        )
        return new_collection(expr)

    def _each(self, function, numeric_only=False, **options):
        labels = self._numeric(self._values()) if numeric_only else self._values()
        aggregates = [{"label": plain(x), "column": plain(x), "function": function, "options": options} for x in labels]
        if isinstance(self, SeriesGroupBy):
            out = self._aggregate(aggregates, "series")
            return out.rename(self._name) if self._name is None else out
        return self._aggregate(aggregates, "frame")

    def _checked(self, split_every=None, split_out=None, shuffle_method=None, engine=None, engine_kwargs=None):
        if engine not in (None, "cython"):
            warnings.warn(f"engine={engine!r} is ignored: aggregations are native", stacklevel=3)

    def sum(self, numeric_only=False, min_count=0, **kwargs):
        """Return the sum of each group; missing values are left out. TypeError at the call for text columns."""
        self._checked(**kwargs)
        return self._each("sum", numeric_only, min_count=min_count or 0)

    def prod(self, numeric_only=False, min_count=0, **kwargs):
        """Return the product of each group."""
        self._checked(**kwargs)
        return self._each("prod", numeric_only, min_count=min_count or 0)

    def mean(self, numeric_only=False, **kwargs):
        """Return the mean of each group; missing values are left out.

        Examples
        --------
        >>> import muster.dataframe as dd
        >>> df = dd.from_dict({"k": ["a", "b", "a"], "x": [1, 2, 4]}, npartitions=2)
        >>> df.groupby("k").x.mean().compute()
        k
        a    2.5
        b    2.0
        Name: x, dtype: float64
        """
        self._checked(**kwargs)
        return self._each("mean", numeric_only)

    def min(self, numeric_only=False, **kwargs):
        """Return the smallest value of each group."""
        self._checked(**kwargs)
        return self._each("min", numeric_only)

    def max(self, numeric_only=False, **kwargs):
        """Return the largest value of each group."""
        self._checked(**kwargs)
        return self._each("max", numeric_only)

    def std(self, ddof=1, numeric_only=False, **kwargs):
        """Return the standard deviation of each group by shifted sums (Chan, Golub & LeVeque 1983)."""
        self._checked(**kwargs)
        return self._each("std", numeric_only, ddof=ddof)

    def var(self, ddof=1, numeric_only=False, **kwargs):
        """Return the variance of each group by shifted sums (Chan, Golub & LeVeque 1983)."""
        self._checked(**kwargs)
        return self._each("var", numeric_only, ddof=ddof)

    def first(self, numeric_only=False, **kwargs):
        """Return the first value of each group that is not missing."""
        self._checked(**kwargs)
        return self._each("first", numeric_only)

    def last(self, numeric_only=False, **kwargs):
        """Return the last value of each group that is not missing."""
        self._checked(**kwargs)
        return self._each("last", numeric_only)

    def any(self, skipna=True, **kwargs):
        """Return whether any value of each group is true."""
        self._checked(**kwargs)
        return self._each("any", skipna=skipna)

    def all(self, skipna=True, **kwargs):
        """Return whether all values of each group are true."""
        self._checked(**kwargs)
        return self._each("all", skipna=skipna)

    def count(self, **kwargs):
        """Return the number of values of each group that are not missing."""
        self._checked(**kwargs)
        return self._each("count")

    def nunique(self, **kwargs):
        """Return the number of distinct values of each group, missing values left out."""
        self._checked(**kwargs)
        return self._each("nunique")

    def size(self, **kwargs):
        """Return the number of rows of each group, a Series."""
        self._checked(**kwargs)
        label = self._select if isinstance(self, SeriesGroupBy) else None
        if isinstance(self, SeriesGroupBy) and self._name is None:
            label = None
        return self._aggregate([{"label": plain(label), "function": "size", "whole_rows": True}], "series")

    def agg(self, arg=None, split_every=None, split_out=None, shuffle_method=None, **kwargs):
        """Return several aggregates of each group.

        Parameters
        ----------
        arg : str, callable, list of these, or dict of column to these
        **kwargs
            Named results: ``out=("column", "function")``; of a Series group-by ``out="function"``.
        """
        return self.aggregate(arg, **kwargs)


class DataFrameGroupBy(GroupBy):
    """Grouped rows of a DataFrame."""

    def __getitem__(self, key):
        args = {"sort": self._sort, "dropna": self._dropna}
        if isinstance(key, (list, tuple)) and not (isinstance(key, tuple) and key in self._frame._labels()):
            for label in key:
                self._frame[label]
            return DataFrameGroupBy(self._frame, self._by, select=list(key), **args)
        self._frame[key]
        return SeriesGroupBy(self._frame, self._by, select=key, **args)

    def __getattr__(self, name):
        if not name.startswith("_") and name in self._frame._labels():
            return self[name]
        raise AttributeError(f"'DataFrameGroupBy' object has no attribute {name!r}")

    def aggregate(self, arg=None, **kwargs):
        """Return several aggregates of each group; see `agg`."""
        if arg is None:
            if not kwargs:
                raise TypeError("Must provide 'func' or tuples of 'column, aggfunc'.")
            aggregates = []
            for out, pair in kwargs.items():
                column, function = pair
                aggregates.append(self._entry(out, column, _function_name(function)))
            return self._aggregate(aggregates, "frame")
        if isinstance(arg, dict):
            nested = any(isinstance(f, (list, tuple, dict)) for f in arg.values())
            aggregates = []
            for column, functions in arg.items():
                if isinstance(functions, dict):
                    aggregates += [self._entry((column, out), column, _function_name(f)) for out, f in functions.items()]
                elif nested:
                    aggregates += [self._entry((column, _function_name(f)), column, _function_name(f)) for f in (functions if isinstance(functions, (list, tuple)) else [functions])]
                else:
                    aggregates.append(self._entry(column, column, _function_name(functions)))
            return self._aggregate(aggregates, "frame")
        if isinstance(arg, (list, tuple)):
            return self._aggregate([self._entry((x, _function_name(f)), x, _function_name(f)) for x in self._values() for f in arg], "frame")
        name = _function_name(arg)
        return self.size() if name == "size" else getattr(self, name)()

    def _entry(self, label, column, function):
        self._frame[column]
        if function == "size":
            return {"label": plain(label), "function": "size", "whole_rows": True}
        return {"label": plain(label), "column": plain(column), "function": function}

    def __repr__(self):
        return f"<muster DataFrameGroupBy: by {[k.name if isinstance(k, Frame) else k for k in self._by]}>"


class SeriesGroupBy(GroupBy):
    """One grouped column."""

    def aggregate(self, arg=None, **kwargs):
        """Return several aggregates of each group; see `agg`."""
        if arg is None:
            arg = list(kwargs.items())
        elif isinstance(arg, dict):
            arg = list(arg.items())
        elif isinstance(arg, (list, tuple)):
            arg = [(_function_name(f), f) for f in arg]
        else:
            name = _function_name(arg)
            return getattr(self, name)()
        aggregates = []
        for out, function in arg:
            name = _function_name(function)
            aggregates.append({"label": out, "function": "size", "whole_rows": True} if name == "size" else {"label": out, "column": plain(self._select), "function": name})
        return self._aggregate(aggregates, "frame")

    def __repr__(self):
        return f"<muster SeriesGroupBy: {self._select!r} by {[k.name if isinstance(k, Frame) else k for k in self._by]}>"


__all__ = ["DataFrame", "DataFrameGroupBy", "GroupBy", "SeriesGroupBy"]
