"""Group-by objects: keys and a selection, turned into one operator by each aggregation."""

from muster import _core
from muster._call import no_default, plain
from muster._generated.groupby import GroupByMethods
from muster.dataframe._collection import Frame, Series, new_collection

FUNCTIONS = ("sum", "mean", "count", "size", "min", "max", "std", "var", "nunique", "any", "all", "first", "last", "prod")
_SYNONYMS = {"amin": "min", "amax": "max", "nanmean": "mean", "nansum": "sum", "len": "size"}
_KINDS = {"frame": 0, "series": 1}


def _function_name(function):
    name = function if isinstance(function, str) else getattr(function, "__name__", None)
    name = _SYNONYMS.get(name, name)
    if name not in FUNCTIONS:
        raise ValueError(f"unknown aggregate {name or function!r}; known are {', '.join(FUNCTIONS)}")
    return name


class GroupBy(GroupByMethods):
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

    def _arguments(self, op):
        """The operator's arguments that say what is grouped and how."""
        arguments = {"by": self._keys(), "sort": self._sort is None or bool(self._sort), "dropna": self._dropna is None or bool(self._dropna)}
        if op == "groupby.size":
            return {**arguments, "kind": _KINDS["series"], "label": plain(self._select) if isinstance(self, SeriesGroupBy) else None}
        return {**arguments, "kind": _KINDS["series" if isinstance(self, SeriesGroupBy) else "frame"], "values": [plain(x) for x in self._values()]}

    def _named(self, result):
        return result.rename(None) if isinstance(self, SeriesGroupBy) and self._name is None else result

    def _aggregate(self, aggregates, kind):
        return new_collection(_core.call("groupby", [self._frame._expr], {**self._arguments("groupby"), "aggregates": aggregates, "kind": _KINDS[kind]}))

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

