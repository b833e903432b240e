"""Group-by objects: keys and a selection, turned into one operator by each aggregation."""

import functools
import itertools

from muster import _core
from muster._base import keywords
from muster._base.libraries import pd
from muster._base.values import no_default, plain_label
from muster._border.known_columns import note_renamed
from muster._border.pandas import is_nullable
from muster._generated.groupby import GroupByMethods
from muster.dataframe._beside import beside, in_memory
from muster.dataframe._call import has_foreign_numbers
from muster.dataframe._collection import Rows, new_collection
from muster.dataframe._group_values import ALIKE, beside_rows
from muster.dataframe._index import Index
from muster.dataframe._meta import meta_object, warn_of_meta
from muster.dataframe._rank import rank_in_groups
from muster.dataframe._split_out import spread
from muster.dataframe._through_pandas import fields, through

# Aggregates with a native kernel; others run through pandas.
FUNCTIONS = ("sum", "mean", "count", "size", "min", "max", "std", "var", "nunique", "any", "all", "first", "last", "prod", "median")
_SYNONYMS = {"amin": "min", "amax": "max", "nanmean": "mean", "nansum": "sum", "len": "size"}
_KINDS = {"frame": 0, "series": 1}


# NumPy's functions that treat a pandas Series otherwise than its method of that name: by the population, or with what is missing.
_OTHERWISE = frozenset(["std", "var", "median"])


def _function_name(function, dtype):
    """The native aggregate that a name or function means for a column of a dtype, or None."""
    if isinstance(function, str):
        name = _SYNONYMS.get(function, function)
        return name if name in FUNCTIONS else None
    name, module = getattr(function, "__name__", None), getattr(function, "__module__", None)
    if module == "numpy" and name not in _OTHERWISE:
        return _function_name(name, dtype)
    # Python's own see what is missing as a value like others.
    if module == "builtins" and (name == "len" or dtype == "bool" or dtype.startswith(("int", "uint"))):
        return _function_name(name, dtype)
    return None


class Aggregation:
    """A group-by aggregation of one's own, for `agg`.

    Parameters
    ----------
    name : str
        What the result is called.
    chunk : callable
        Of the grouped Series of a partition; returns a Series by group, or a tuple of these.
    agg : callable
        Of the concatenated results of `chunk`, grouped again; of a tuple as many arguments.
    finalize : callable, optional
        Of the results of `agg`.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> df = dd.from_dict({"k": ["a", "b", "a"], "x": [1, 2, 5]}, npartitions=2)
    >>> spread = dd.Aggregation("spread", lambda s: (s.max(), s.min()), lambda high, low: (high.max(), low.min()), lambda high, low: high - low)
    >>> df.groupby("k").x.agg(spread).compute()
    k
    a    4
    b    0
    Name: x, dtype: int64
    """

    def __init__(self, name, chunk, agg, finalize=None):
        self.chunk, self.agg, self.finalize = chunk, agg, finalize
        self.__name__ = name

    def of(self, grouped):
        """Return the aggregation of a pandas SeriesGroupBy."""
        chunks = self.chunk(grouped)
        chunks = chunks if isinstance(chunks, tuple) else (chunks,)
        again = [c.groupby(level=list(range(c.index.nlevels)) if c.index.nlevels > 1 else 0, sort=False) for c in chunks]
        out = self.agg(*again)
        if self.finalize is not None:
            out = self.finalize(*(out if isinstance(out, tuple) else (out,)))
        return out[0] if isinstance(out, tuple) else out


def _grouped(data, keys, labels, select, options):
    """The pandas group-by of a task's rows: keys are labels, or Series beside the rows."""
    beside = iter(keys)
    by = [next(beside) if label is _BESIDE else label for label in labels]
    grouped = data.groupby(by if len(by) != 1 or by[0] is None else by[0], **options)
    return grouped if select is None else grouped[select]


class _Beside:
    def __reduce__(self):
        return "_BESIDE"


_BESIDE = _Beside()


def _call(data, *keys, labels, select, options, function, args, kwargs):
    grouped = _grouped(data, keys, labels, select, options)
    return getattr(grouped, function)(*args, **kwargs)


def _windowed(data, *keys, labels, select, options, window, function, args, kwargs):
    return getattr(_grouped(data, keys, labels, select, options).rolling(**window), function)(*args, **kwargs)


def _listed(grouped):
    return grouped.apply(list)


def _aggregated(data, *keys, labels, select, options, entries, kind, kwargs):
    """Aggregates one by one: `entries` are (label, position of a column, function)."""
    beside = iter(keys)
    by = [next(beside) if label is _BESIDE else data[label] for label in labels]
    options = {k: v for k, v in options.items() if k != "as_index"}
    out = []
    for label, column, function in entries:
        grouped = (data if column is _WHOLE else data.iloc[:, column]).groupby(by if len(by) != 1 else by[0], **options)
        if isinstance(function, Aggregation):
            one = function.of(grouped)
        elif column is _WHOLE:
            one = grouped.size()
        elif function in ("list", list):
            one = _listed(grouped)
        else:
            one = grouped.agg(function, **kwargs)
        out.append(one.rename(label) if not isinstance(label, tuple) else one)
    if kind == "series":
        return out[0]
    frame = pd.concat(out, axis=1)
    frame.columns = pd.MultiIndex.from_tuples([e[0] for e in entries]) if all(isinstance(e[0], tuple) for e in entries) else [e[0] for e in entries]
    return frame


_WHOLE = None


class GroupBy(GroupByMethods):
    """Rows grouped by keys; aggregations are lazy and give one partition."""

    def __init__(self, frame, by, select=None, name=no_default, as_index=True, **options):
        unknown = options.keys() - {"sort", "dropna", "observed", "group_keys"}
        if unknown:
            raise TypeError(f"groupby() got an unexpected keyword argument {min(unknown)!r}")
        self._frame, self._select, self._name, self._as_index = frame, select, name, as_index
        self._options = {k: v for k, v in options.items() if v is not None}
        if by is None:
            raise TypeError("You have to supply one of 'by' and 'level'")
        by = list(by) if isinstance(by, (list, tuple)) and not (isinstance(by, tuple) and by in frame) else [by]
        if not by:
            raise ValueError("No group keys passed!")
        self._key_positions = set()  # of the columns that are keys: no values
        self._by = [self._key(key) for key in by]

    def _key(self, key):
        if isinstance(key, Rows):
            if key.ndim != 1:
                raise ValueError(f"Grouper for {type(key)} not 1-dimensional; a key is a label, a Series or a function of the index")
            if key.name is None or key.name not in self._frame or self._frame[key.name]._expr.id != key._expr.id:
                return key
            key = key.name
        if type(key).__name__ in ("Grouper", "TimeGrouper") and type(key).__module__.startswith("pandas"):
            if getattr(key, "freq", None) is not None or key.key is None:
                raise NotImplementedError("groupby: pandas.Grouper; take a key such as df.time.dt.floor('2D'), or resample the rows by their index")
            return self._key(key.key)
        if in_memory(key):
            return beside(self._frame, key, "groupby")
        if isinstance(key, Index):
            return key.to_series()
        if callable(key):
            return self._frame.index.to_series()._mapped(key).rename(self._frame.index.name)
        if key not in self._frame:
            if key is not None and key == self._frame.index.name:
                return self._frame.index.to_series()
            self._frame[key]  # says which columns there are
        positions = self._frame._positions(key)
        column = self._frame[key]
        if column.ndim == 2:
            raise ValueError(f"Grouper for {key!r} not 1-dimensional")
        self._key_positions.update(positions)
        return key if key in self._frame._labels() else column

    def _keys(self):
        return [k._expr if isinstance(k, Rows) else plain_label(k) for k in self._by]

    def _values(self):
        """Positions of the columns that are aggregated."""
        if self._select is None:
            return [i for i in range(len(self._frame._expr.columns)) if i not in self._key_positions]
        return [i for label in (self._select if isinstance(self._select, list) else [self._select]) for i in self._frame._positions(label)]

    def _handed(self, wanted):
        """Positions of the columns that pandas' group-by needs."""
        keys = [i for k in self._by if not isinstance(k, Rows) for i in self._frame._positions(k)]
        return sorted({*keys, *wanted})

    def _arguments(self, op):
        """The operator's arguments that say what is grouped and how."""
        arguments = {"by": self._keys(), "sort": bool(self._options.get("sort", True)), "dropna": bool(self._options.get("dropna", True))}
        if op == "groupby.size":
            return {**arguments, "kind": _KINDS["series"], "label": plain_label(self._select) if isinstance(self, SeriesGroupBy) else None}
        return {**arguments, "kind": _KINDS["series" if isinstance(self, SeriesGroupBy) else "frame"], "values": self._values()}

    def _finished(self, result):
        """The name and index that a native result has in pandas."""
        if isinstance(self, SeriesGroupBy) and self._name is None and result.ndim == 1:
            result = result.rename(None)
        if self._as_index:
            return result
        if result.ndim == 1 and result.name is None:
            result = result.rename("size")
        names = result.index.names
        if result.ndim == 2 and all(name in result for name in names):  # what is aggregated stands for the key
            return result.reset_index(drop=True)
        return result.reset_index()

    def _counts_are_nullable(self, op):
        if op != "groupby.count" and not (op == "groupby.size" and isinstance(self, SeriesGroupBy)):
            return False
        columns = self._frame._expr.columns
        return any(is_nullable(columns[i][1]) for i in self._values())

    def _native(self, op, arguments):
        """The collection of a native aggregation; where the kernel refuses, pandas'."""
        if self._counts_are_nullable(op) or (arguments.get("numeric_only") is True and has_foreign_numbers(self._frame._expr)):
            raise NotImplementedError(f"{op}: of nullable columns")
        return self._finished(new_collection(_core.call(op, [self._frame._expr], {**self._arguments(op), "options": arguments})))

    def _through(self, call=_call, shape="whole", needs=None, kept=False, real=False, meta=no_default, labels=None, label=None, forced=False, **arguments):
        """The collection of a group-by through pandas; only the columns it needs are handed over."""
        keys = [k for k in self._by if isinstance(k, Rows)]
        by = [_BESIDE if isinstance(k, Rows) else k for k in self._by]
        handed = self._handed(self._values() if needs is None else needs)
        frame = self._frame._take(handed) if len(handed) < len(self._frame._expr.columns) else self._frame
        options = {**self._options, "as_index": self._as_index}
        select = list(self._select) if isinstance(self._select, list) else self._select
        return through(
            f"groupby.{label or arguments.get('function', 'agg')}", call, (frame, *keys), {"labels": by, "select": select, "options": options, **arguments},
            shape=shape, kept=kept, real=real, meta=meta, labels=labels, forced=forced
        )

    def _method(self, function, args=(), kwargs=None, **how):
        split_out = (kwargs or {}).get("split_out")
        kwargs = {k: v for k, v in (kwargs or {}).items() if not k.startswith(("split_", "shuffle_")) and v is not no_default}
        out = spread(self._through(function=function, args=tuple(args), kwargs=kwargs, **how), split_out)
        return out.rename(None) if isinstance(self, SeriesGroupBy) and self._name is None and out.ndim == 1 else out

    def agg(self, arg=None, split_every=None, split_out=None, shuffle_method=None, **kwargs):
        """Return several aggregates of each group.

        Parameters
        ----------
        arg : str, callable, Aggregation, list of these, or dict of column to these
        **kwargs
            Named results: ``out=("column", "function")``; of a Series group-by ``out="function"``.
        """
        return spread(self.aggregate(arg, **kwargs), split_out)

    def _aggregates(self, entries, kind, kwargs=None):
        """The collection of entries (label, position of a column, function): native if all are and take no arguments."""
        for _, _, function in entries:
            if isinstance(function, str) and not _known(function):
                raise AttributeError(f"unknown aggregate {function!r}")
        dtypes = [column[1] for column in self._frame._expr.columns]  # read once: each reading makes the whole list
        native = [(label, column, _function_name(function, dtypes[column])) for label, column, function in entries]
        counts_are_nullable = any(name in ("count", "size") and is_nullable(dtypes[column]) for _, column, name in native)
        if not kwargs and not counts_are_nullable and all(name for _, _, name in native):
            aggregates = [
                {"label": plain_label(label), "function": "size", "whole_rows": True} if name == "size"
                else {"label": plain_label(label), "column": column, "function": name} for label, column, name in native
            ]
            try:
                out = _core.call("groupby", [self._frame._expr], {**self._arguments("groupby"), "aggregates": aggregates, "kind": _KINDS[kind]})
                note_renamed(out, [label for label, _, _ in entries if not isinstance(label, tuple)], self._frame._expr)  # tuples are levels here
                return self._finished(new_collection(out))
            except (NotImplementedError, TypeError):
                pass
        entries = [(label, _WHOLE if function == "size" and not is_nullable(dtypes[column]) else column, function) for label, column, function in entries]
        needs = [column for _, column, _ in entries if column is not _WHOLE]
        handed = self._handed(needs)
        place = {column: i for i, column in enumerate(handed)}
        entries = [(label, column if column is _WHOLE else place[column], function) for label, column, function in entries]
        return self._finished(
            self._through(
                call=_aggregated, needs=needs, entries=entries, kind=kind, kwargs=kwargs or {}, label="agg",
                real=any(not isinstance(f, str) for _, _, f in entries)
            )
        )

    def apply(self, func, *args, meta=no_default, **kwargs):
        """Return what a Python function makes of the rows of each group.

        Parameters
        ----------
        func : callable
            Called with a pandas DataFrame or Series.
        meta : pandas object, dict or pairs, optional
            What the result looks like. Default, with a warning: what it is for the first rows; dtypes are revised where other rows show it.
        """
        warn_of_meta("groupby.apply", meta)
        return self._method("apply", (func, *args), kwargs, real=True, meta=meta_object(meta), forced=True)

    def transform(self, func, *args, meta=no_default, **kwargs):
        """Return what a function, or an aggregate by name, makes of each group, beside the rows; rows without a group have a missing value.

        "sum", "mean", "min", "max", "count", "size", "std", "var", "first", "last", "nunique" and "median" are aggregated by the engine, and each row looks its
        group up (`explain` says ``groupby.transform``); what else there is pandas makes of all rows in one task. Warns if `meta` is not given.

        Parameters
        ----------
        func : str or callable
            The name of an aggregate or of another method of pandas' group-by, or a function that is called with the rows of each group.
        meta : pandas object, dict or pairs, optional
            What the result looks like.

        Examples
        --------
        >>> import muster.dataframe as dd, pandas as pd
        >>> df = dd.from_dict({"k": ["a", "b", "a"], "x": [1, 2, 5]}, npartitions=2)
        >>> df.groupby("k").x.transform("sum", meta=("x", "int64")).compute().tolist()
        [6, 2, 6]
        """
        warn_of_meta("groupby.transform", meta)
        if isinstance(func, str) and func in ALIKE and not args and not kwargs:
            native = self._beside_rows(func)
            if native is not None and (meta is no_default or fields(meta_object(meta))[::2] == fields(native._meta)[::2]):
                return native
        return self._method("transform", (func, *args), kwargs, shape="beside", real=not isinstance(func, str), meta=meta_object(meta), forced=True)

    def _beside_rows(self, function):
        """A native aggregate beside the rows, None where pandas is to make it."""
        series = isinstance(self, SeriesGroupBy) or function == "size"
        sort, dropna = (bool(self._options.get(name, True)) for name in ("sort", "dropna"))
        try:
            out = beside_rows(self._frame, self._by, self._values(), function, sort, dropna, series)
        except (NotImplementedError, TypeError):
            return None
        return out.rename(None) if series and (not isinstance(self, SeriesGroupBy) or self._name is None) else out

    def rank(self, method="average", ascending=True, na_option="keep", pct=False):
        """Return the place of each value in the order of its group, from 1 on, float64, beside the rows; rows without a group have none.

        Rows of a group are brought together in one partition, and their ranks go back to where the rows are. Keys and values that only pandas can compare are
        ranked by it, all rows in one task, as `explain` shows.

        Parameters
        ----------
        method : {"average", "min", "max", "first", "dense"}, default "average"
            What equal values have: the mean, the smallest or the largest of their places, each its own, or the number of distinct values up to them.
        ascending : bool, default True
        na_option : {"keep", "top", "bottom"}, default "keep"
            Missing values have no rank, or stand in front of all others of their group, or behind them.
        pct : bool, default False
            Ranks are divided by the largest that there could be in their group.

        Raises
        ------
        ValueError
            If an argument is none of its values.

        Examples
        --------
        >>> import muster.dataframe as dd
        >>> df = dd.from_dict({"k": ["a", "b", "a"], "x": [5, 2, 1]}, npartitions=2)
        >>> df.groupby("k").x.rank().compute().tolist()
        [2.0, 1.0, 1.0]
        """
        options = {"method": method, "ascending": ascending, "na_option": na_option, "pct": pct}
        series = isinstance(self, SeriesGroupBy)
        native = rank_in_groups(self, bool(self._options.get("dropna", True)), series, **options)
        if native is None:
            return self._method("rank", (), options, shape="beside")
        return native.rename(None) if series and self._name is None else native

    def rolling(self, window, **kwargs):
        """Return moving windows within each group; aggregate with ``mean`` and the like. Runs through pandas."""
        return _GroupWindow(self, {"window": window, **kwargs})

    def shift(self, periods=1, freq=None, axis=no_default, fill_value=no_default, meta=no_default, **kwargs):
        """Return the values moved by rows within each group, beside the rows. Warns if `meta` is not given."""
        warn_of_meta("groupby.shift", meta)
        keywords.check("shift", kwargs, keywords.SHAPING, ("periods", "freq", "axis", "fill_value", "meta"))
        return self._method("shift", (periods,), {"freq": freq, "fill_value": fill_value}, shape="whole" if freq is not None else "beside")

    def head(self, n=5, **kwargs):
        """Return the first rows of each group, in the order of the rows. Runs through pandas."""
        keywords.check("head", kwargs, keywords.SHAPING, ("n",))
        return self._method("head", (n,), kept=True, labels=False, needs=None if self._select is not None else range(len(self._frame._expr.columns)))

    def tail(self, n=5, **kwargs):
        """Return the last rows of each group, in the order of the rows. Runs through pandas."""
        keywords.check("tail", kwargs, keywords.SHAPING, ("n",))
        return self._method("tail", (n,), kept=True, labels=False, needs=None if self._select is not None else range(len(self._frame._expr.columns)))

    def get_group(self, key):
        """Return the rows of one group; KeyError at compute where there is none. Runs through pandas."""
        meta = (self._frame if self._select is None else self._frame[self._select])._meta
        return self._method(
            "get_group", (key,), kept=True, labels=False, meta=meta, needs=None if self._select is not None else range(len(self._frame._expr.columns))
        )

    def __iter__(self):
        raise NotImplementedError(
            "groups are not iterated over: apply calls a function with each, get_group(key) gives one, compute() a pandas group-by of all rows in memory"
        )

    def compute(self, **kwargs):
        """Return the pandas group-by of the rows in memory."""
        keys = [k.compute(**kwargs) for k in self._by if isinstance(k, Rows)]
        labels = [_BESIDE if isinstance(k, Rows) else k for k in self._by]
        return _grouped(self._frame.compute(**kwargs), keys, labels, self._select, {**self._options, "as_index": self._as_index})


def _known(name):
    return (
        name in FUNCTIONS or name in _SYNONYMS
        or name in ("median", "list", "sem", "skew", "kurt", "idxmin", "idxmax", "quantile", "unique", "nth", "cov", "corr")
    )


def _group_member(name, shape):
    def run(self, *args, **kwargs):
        return self._method(name, args, kwargs, shape=shape)

    run.__name__, run.__qualname__ = name, f"GroupBy.{name}"
    run.__doc__ = f"""Return what pandas' group-by method `{name}` returns, lazy. Runs through pandas (`explain` says ``python:whole``)."""
    setattr(GroupBy, name, run)


for _name in "quantile sem skew kurt idxmin idxmax cov corr value_counts unique describe nlargest nsmallest nth".split():
    _group_member(_name, "whole")
for _name in "cumsum cumprod cummin cummax cumcount ffill bfill diff ngroup".split():
    _group_member(_name, "beside")


class _GroupWindow:
    """Moving windows within groups."""

    def __init__(self, grouped, window):
        self._grouped, self._window = grouped, window

    def __getattr__(self, name):
        if name.startswith("_") or not hasattr(type(pd.Series([0]).groupby([0]).rolling(1)), name):
            raise AttributeError(f"'RollingGroupby' object has no attribute {name!r}")

        def run(*args, **kwargs):
            return self._grouped._through(call=_windowed, function=name, args=args, kwargs=kwargs, window=self._window, label=f"rolling.{name}")

        return run


class DataFrameGroupBy(GroupBy):
    """Grouped rows of a DataFrame."""

    def __getitem__(self, key):
        options = {**self._options, "as_index": self._as_index}
        if in_memory(key):
            key = list(key)
        if isinstance(key, (list, tuple)) and not (isinstance(key, tuple) and key in self._frame):
            for label in key:
                self._column(label)
            return DataFrameGroupBy(self._frame, self._by, select=list(key), **options)
        if self._column(key).ndim == 2:
            return DataFrameGroupBy(self._frame, self._by, select=[key], **options)
        return (SeriesGroupBy if self._as_index else _SelectedFrame)(self._frame, self._by, select=key if self._as_index else [key], **options)

    def _column(self, label):
        if label not in self._frame:
            raise KeyError(f"Column not found: {label!r}")
        return self._frame[label]

    def __getattr__(self, name):
        if not name.startswith("_") and name in self._frame:
            return self[name]
        raise AttributeError(f"'DataFrameGroupBy' object has no attribute {name!r}")

    def __dir__(self):
        return sorted({*super().__dir__(), *(x for x in self._frame._labels() if isinstance(x, str) and x.isidentifier())})

    def aggregate(self, arg=None, **kwargs):
        """Return several aggregates of each group; see `agg`."""
        labels = self._frame._labels()
        if arg is None:
            if not kwargs:
                raise TypeError("Must provide 'func' or tuples of 'column, aggfunc'.")
            return self._aggregates(
                [(out, self._only(column), function) for out, (column, function) in ((out, _pair(named)) for out, named in kwargs.items())], "frame"
            )
        if isinstance(arg, dict):
            nested = any(isinstance(f, (list, tuple, dict)) for f in arg.values())
            entries = []
            for column, functions in arg.items():
                for i in self._named(column):
                    if isinstance(functions, dict):
                        entries += [(_beneath(labels[i], out), i, f) for out, f in functions.items()]
                    elif nested:
                        entries += [
                            (_beneath(labels[i], out), i, f) for out, f in _labelled(functions if isinstance(functions, (list, tuple)) else [functions])
                        ]
                    else:
                        entries.append((labels[i], i, functions))
            return self._aggregates(entries, "frame", kwargs)
        if isinstance(arg, (list, tuple)):
            return self._aggregates([(_beneath(labels[i], out), i, f) for i in self._values() for out, f in _labelled(arg)], "frame", kwargs)
        if isinstance(arg, str) and (name := _function_name(arg, None)):
            return self.size() if name == "size" else getattr(self, name)(**kwargs)
        return self._aggregates([(labels[i], i, arg) for i in self._values()], "frame", kwargs)

    def _named(self, column):
        """Positions of the columns that a label means, among those selected."""
        positions = self._frame._positions(column)
        if self._select is None:
            return positions
        chosen = self._values()
        if not set(positions) & set(chosen):
            raise KeyError(f"Label(s) {[column]} do not exist")
        return [i for i in chosen if i in positions]

    def _only(self, column):
        positions = self._named(column)
        if len(positions) > 1:
            raise ValueError(f"agg: {len(positions)} columns are labelled {column!r}; give them labels of their own")
        return positions[0]

    def __repr__(self):
        return f"<muster DataFrameGroupBy: by {[k.name if isinstance(k, Rows) else k for k in self._by]}>"


class _SelectedFrame(DataFrameGroupBy):
    """One column of rows grouped with as_index=False: aggregates are DataFrames."""

    def transform(self, func, *args, **kwargs):
        """Return what a function, or an aggregate by name, makes of each group, beside the rows; see `GroupBy.transform`."""
        return SeriesGroupBy(self._frame, self._by, select=self._select[0], **self._options).transform(func, *args, **kwargs)

    def rank(self, *args, **kwargs):
        """Return the place of each value in the order of its group, beside the rows; see `GroupBy.rank`."""
        return SeriesGroupBy(self._frame, self._by, select=self._select[0], **self._options).rank(*args, **kwargs)

    def aggregate(self, arg=None, **kwargs):
        """Return several aggregates of each group; see `agg`."""
        if not isinstance(arg, (list, tuple)):
            return super().aggregate(arg, **kwargs)
        (position,) = self._values()
        return self._aggregates([(label, position, function) for label, function in _labelled(arg)], "frame", kwargs)


def _pair(named):
    """The column and the function of a named aggregate, a tuple or a pandas.NamedAgg."""
    if type(named).__name__ == "NamedAgg":
        args, kwargs = getattr(named, "args", ()), getattr(named, "kwargs", {})
        return named.column, functools.partial(_aggregate_with, function=named.aggfunc, args=args, kwargs=kwargs) if args or kwargs else named.aggfunc
    if not isinstance(named, tuple) or len(named) != 2:
        raise TypeError("Must provide 'func' or tuples of 'column, aggfunc'.")
    return named


def _aggregate_with(values, function, args, kwargs):
    return values.agg(function, *args, **kwargs)


def _beneath(label, name):
    """A label with one more level."""
    return (*label, name) if isinstance(label, tuple) else (label, name)


def _label_of(function):
    if isinstance(function, str):
        return function
    return _label_of(function.func) if isinstance(function, functools.partial) else getattr(function, "__name__", type(function).__name__)


def _labelled(functions):
    """Pairs of label and function of a list of functions, some of which may be such pairs; of several functions the nameless ones are numbered."""
    pairs = [f if isinstance(f, (tuple, list)) else (_label_of(f), f) for f in functions]
    for pair in pairs:
        if len(pair) != 2:
            raise TypeError(f"agg: {pair!r} is no function, nor a pair of label and function")
    if len(pairs) < 2:
        return [tuple(pair) for pair in pairs]
    numbers = itertools.count()
    return [(f"<lambda_{next(numbers)}>" if label == "<lambda>" else label, function) for label, function in pairs]


class SeriesGroupBy(GroupBy):
    """One grouped column."""

    def aggregate(self, arg=None, **kwargs):
        """Return several aggregates of each group; see `agg`."""
        (position,) = self._values()
        if arg is None:
            entries, kwargs = list(kwargs.items()), {}
        elif isinstance(arg, dict):
            entries = list(arg.items())
        elif isinstance(arg, (list, tuple)):
            entries = _labelled(arg)
        else:
            name = _function_name(arg, None) if isinstance(arg, str) else None
            return getattr(self, name)(**kwargs) if name else self._aggregates([(self._select, position, arg)], "series", kwargs)
        return self._aggregates([(label, position, function) for label, function in entries], "frame", kwargs)

    def __repr__(self):
        return f"<muster SeriesGroupBy: {self._select!r} by {[k.name if isinstance(k, Rows) else k for k in self._by]}>"
