"""The collections: DataFrame, Series, Index and Scalar. Each is a handle on an expression; their operators come from `muster._generated`."""

import operator

from muster import _core, _run
from muster._call import no_default, plain, ufunc
from muster._generated.datetime import DatetimeProperties as _DatetimeMethods
from muster._generated.frame import FrameMethods
from muster._generated.scalar import ScalarMethods
from muster._generated.series import SeriesMethods
from muster.dataframe import _repr


def new_collection(expr):
    """Return the collection of an expression: DataFrame, Series, Index or Scalar by its kind."""
    return {"frame": DataFrame, "series": Series, "row": Series, "scalar": Scalar, "index": Index}[expr.kind](expr)


def _raise_own(self, name):
    """Python asks __getattr__ when a property raised AttributeError: ask the property again, whose message is the better one."""
    own = getattr(type(self), name, None)
    if isinstance(own, property):
        own.fget(self)


def _computed(collection):
    return collection.compute()


_computed.of_collection = True  # a cluster computes the collection itself, natively


class Collection:
    """What all lazy collections have: an expression that can be computed, kept, drawn and explained."""

    def __init__(self, expr):
        self.__dict__["_expr"] = expr

    def _finish(self, result):
        return result

    def __muster_node__(self):
        from muster.delayed import Delayed

        return Delayed(f"compute-{self._name}", _computed, (self,))

    @property
    def expr(self):
        """The expression, an immutable tree named by its content."""
        return self._expr

    @property
    def npartitions(self):
        """Number of partitions."""
        return self._expr.npartitions

    @property
    def divisions(self):
        """Index values at the partitions' borders: npartitions + 1 values, all None where they are not known."""
        known = self._expr.divisions
        if not known:
            return (None,) * (self.npartitions + 1)
        from muster._pandas import label_of

        return tuple(label_of(value) for value in known)

    @property
    def known_divisions(self):
        """Whether the divisions are known."""
        return bool(self._expr.divisions)

    @property
    def _name(self):
        return self._expr.name

    @property
    def _meta(self):
        from muster._pandas import meta_of

        return meta_of(self._expr)

    def __dask_tokenize__(self):
        return self._expr.id

    def compute(self, **kwargs):
        """Return the result: a pandas DataFrame, Series, Index or a scalar.

        Parameters
        ----------
        **kwargs
            scheduler : "threads" (default) or "synchronous"; num_workers : threads.
        """
        return _run.compute(self, traverse=False, **kwargs)[0]

    def to_delayed(self, optimize_graph=True):
        """Return a list of Delayed, the pandas objects of the partitions."""
        from muster.dataframe._delayed import to_delayed

        return to_delayed(self)

    def persist(self, **kwargs):
        """Return the same collection with its partitions computed and kept in memory."""
        return _run.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, filename="mydask", format=None, optimize_graph=False, **kwargs):
        """Draw the graph; see `muster.visualize`."""
        return _run.visualize(self, filename=filename, format=format, optimize_graph=optimize_graph, **kwargs)

    def explain(self):
        """Print the logical, optimized and physical plan."""
        _run.explain(self)

    def optimize(self, **kwargs):
        """Return self: a plan is optimized when it runs."""
        return self

    def pipe(self, func, *args, **kwargs):
        """Return ``func(self, *args, **kwargs)``."""
        if isinstance(func, tuple):
            func, target = func
            return func(*args, **{**kwargs, target: self})
        return func(self, *args, **kwargs)

    def copy(self, deep=False):
        """Return another handle on the same expression."""
        return new_collection(self._expr)

    def __bool__(self):
        raise ValueError(f"The truth value of a {type(self).__name__} is ambiguous. Use a.any() or a.all().")

    def __await__(self):
        import asyncio

        return asyncio.to_thread(self.compute).__await__()

    def __array_ufunc__(self, function, method, *inputs, **kwargs):
        return ufunc(self, function, method, inputs, kwargs)

    def __reduce__(self):
        stack = [self._expr]
        while stack:
            node = stack.pop()
            if node.op in ("from_memory", "map_partitions"):
                raise TypeError(f"cannot pickle a collection made by {node.op} yet; pickle what it is made from")
            stack += node.inputs
        return _restore, (_core.encode([self._expr]),)


def _restore(data):
    return new_collection(_core.decode(data)[0])


class Frame(Collection):
    """What DataFrame and Series share: rows in partitions with an index."""

    @property
    def index(self):
        """The index, lazy."""
        return Index(self._expr)

    @property
    def ndim(self):
        """2 of a DataFrame, 1 of a Series."""
        return 1 if isinstance(self, Series) else 2

    def __len__(self):
        return int(new_collection(_core.call("row_count", [self._expr], {})).compute())

    @property
    def empty(self):
        """Whether there is no row. Computes the number of rows."""
        return len(self) == 0

    @property
    def partitions(self):
        """Partitions by position: ``df.partitions[0]``, ``df.partitions[2:5]``."""
        return _Partitions(self)

    def get_partition(self, n):
        """Return partition `n` as a collection."""
        if not 0 <= n < self.npartitions:
            raise ValueError(f"n must be 0 <= n < {self.npartitions}")
        return self.partitions[n]

    def head(self, n=5, npartitions=1, compute=True):
        """Return the first `n` rows of the first `npartitions` partitions (-1: of all); computed unless compute=False.

        Warns if these partitions have fewer rows.
        """
        if npartitions > self.npartitions:
            raise ValueError(f"only {self.npartitions} partitions, head received {npartitions}")
        lazy = new_collection(_core.call("head", [self._expr], {"n": n, "npartitions": npartitions}))
        if not compute:
            return lazy
        result = lazy.compute()
        if len(result) < n and npartitions not in (-1, self.npartitions):
            import warnings

            warnings.warn(f"Insufficient elements for `head`. {n} elements requested, only {len(result)} elements available. Try passing larger `npartitions` to `head`.", stacklevel=2)
        return result

    def tail(self, n=5, compute=True):
        """Return the last `n` rows of the last partition; computed unless compute=False."""
        lazy = new_collection(_core.call("tail", [self._expr], {"n": n}))
        return lazy.compute() if compute else lazy

    def map_partitions(self, func, *args, meta=no_default, enforce_metadata=True, **kwargs):
        """Return what a Python function makes of each partition.

        Parameters
        ----------
        func : callable
            Called with a partition as pandas object, then `args` and `kwargs`. Returns a DataFrame, a Series or a scalar.
        meta : pandas object, dict, list of (name, dtype) or (name, dtype), optional
            What the result looks like. Without it the function is tried on two made-up rows, and if that fails on the first partition.

        Returns
        -------
        DataFrame or Series
            Lazy; the same number of partitions.
        """
        from muster.dataframe._map_partitions import map_partitions

        return map_partitions(func, self, *args, meta=meta, enforce_metadata=enforce_metadata, **kwargs)

    def reset_index(self, drop=False):
        """Return the frame with its index as columns, or without it. Only of one partition with a named index, such as a group-by's result."""
        return new_collection(_core.call("reset_index", [self._expr], {"drop": bool(drop)}))

    def _where(self, mask):
        if not isinstance(mask, Series):
            raise TypeError(f"a mask must be a lazy boolean Series of the same rows, got {type(mask).__name__}")
        return new_collection(_core.call("filter", [self._expr, mask._expr], {}))


class _Partitions:
    def __init__(self, frame):
        self._frame = frame

    def __getitem__(self, key):
        every = list(range(self._frame.npartitions))
        chosen = every[key] if isinstance(key, (int, slice)) else [every[i] for i in key]
        chosen = [chosen] if isinstance(chosen, int) else chosen
        if not chosen:
            raise IndexError("no partition is chosen")
        return new_collection(_core.call("partitions", [self._frame._expr], {"partitions": chosen}))

    def __len__(self):
        return self._frame.npartitions

    def __iter__(self):
        return (self[i] for i in range(len(self)))


class DataFrame(FrameMethods, Frame):
    """Rows and labelled columns, in partitions that are pandas DataFrames when computed."""

    @property
    def columns(self):
        """The labels, a pandas Index; assign to rename all."""
        return self._meta.columns

    @columns.setter
    def columns(self, labels):
        self.__dict__["_expr"] = _core.call("rename", [self._expr], {"labels": [plain(x) for x in labels]})

    @property
    def dtypes(self):
        """The dtypes by column, a pandas Series. An integer column of a file may turn out float64 if it has missing values."""
        return self._meta.dtypes

    @property
    def shape(self):
        """(lazy number of rows, number of columns)."""
        return Scalar(_core.call("row_count", [self._expr], {})), len(self._expr.columns)

    @property
    def size(self):
        """Number of values, lazy."""
        return Scalar(_core.call("row_count", [self._expr], {})) * len(self._expr.columns)

    def _labels(self):
        return [f[0] for f in self._expr.columns]

    def __getitem__(self, key):
        if isinstance(key, Series):
            return self._where(key)
        if isinstance(key, DataFrame):
            raise NotImplementedError("df[DataFrame] is not there yet")
        if isinstance(key, slice):
            raise NotImplementedError("rows by slice; use head, partitions or a mask")
        key = plain(key)
        if isinstance(key, list):
            return new_collection(_core.call("getitems", [self._expr], {"key": key}))
        return new_collection(_core.call("getitem", [self._expr], {"key": key}))

    def __getattr__(self, name):
        if not name.startswith("_") and name in self._labels():
            return self[name]
        if name in ("_repr_mimebundle_", "_ipython_display_", "_ipython_canary_method_should_not_exist_"):
            raise AttributeError(name)
        from muster.as_dask import FRAME_NAMES

        if name in FRAME_NAMES:
            raise NotImplementedError(f"DataFrame.{name} is not there yet; df.map_partitions(lambda part: part.{name}(...)) runs pandas' on each partition")
        raise AttributeError(f"'DataFrame' object has no attribute {name!r}")

    def __setattr__(self, name, value):
        if name == "columns" or name.startswith("_") or name not in self._labels():
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __setitem__(self, key, value):
        if isinstance(key, (tuple, list)) and isinstance(value, DataFrame):
            changed = self
            for name, column in zip(key, value.columns, strict=True):
                changed = changed.assign(**{name: value[column]})
        elif isinstance(key, (DataFrame, Series)):
            raise NotImplementedError("assignment to a mask is not there yet")
        else:
            changed = self._assign({key: value})
        self.__dict__["_expr"] = changed._expr

    def __delitem__(self, key):
        self.__dict__["_expr"] = self.drop(columns=[key])._expr

    def __iter__(self):
        return iter(self._labels())

    def __contains__(self, key):
        return key in self._labels()

    def __dir__(self):
        return sorted({*super().__dir__(), *(x for x in self._labels() if isinstance(x, str) and x.isidentifier())})

    def _ipython_key_completions_(self):
        return self._labels()

    def items(self):
        """Return pairs of label and Series."""
        return ((label, self[label]) for label in self._labels())

    def _assign(self, values):
        return new_collection(_core.call("assign", [self._expr], {"columns": {plain(k): plain(v) for k, v in values.items()}}))

    def assign(self, **kwargs):
        """Return the frame with new or replaced columns.

        Parameters
        ----------
        **kwargs
            Series of the same rows, scalars, or functions of the frame, by column label.
        """
        out = self
        for name, value in kwargs.items():
            if not isinstance(value, (Series, Scalar)) and callable(value):
                value = value(out)
            out = out._assign({name: value})
        return out

    def rename(self, index=None, columns=None):
        """Return the frame with other column labels.

        Parameters
        ----------
        columns : dict or callable
            New label by old; labels that are not there are ignored.
        """
        if index is not None:
            raise ValueError("Cannot rename index.")
        if callable(columns):
            columns = {label: columns(label) for label in self._labels()}
        return new_collection(_core.call("rename", [self._expr], {"columns": plain(columns or {})}))

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
        return new_collection(_core.call("drop", [self._expr], {"columns": plain(columns), "errors": errors}))

    def select_dtypes(self, include=None, exclude=None):
        """Return the columns whose dtypes are included and not excluded, as pandas decides."""
        return self[list(self._meta.select_dtypes(include=include, exclude=exclude).columns)]

    def groupby(self, by, group_keys=True, sort=None, observed=None, dropna=None, **kwargs):
        """Group rows by one or several keys.

        Parameters
        ----------
        by : label, Series of the same rows, or list of these
        sort : bool, default True
            Order groups by key; False: by first appearance.
        dropna : bool, default True
            Leave out rows whose key is missing.
        """
        from muster.dataframe._groupby import DataFrameGroupBy

        return DataFrameGroupBy(self, by, sort=sort, dropna=dropna, observed=observed, **kwargs)

    def nunique_approx(self, *args, **kwargs):
        raise NotImplementedError("nunique_approx is not there yet; nunique is exact")

    def to_string(self, max_rows=5):
        """Return the structure as text."""
        return _repr.frame_table(self).to_string(max_rows=max_rows)

    def __repr__(self):
        return _repr.frame_text(self)

    def _repr_html_(self):
        return _repr.frame_html(self)


class Series(SeriesMethods, Frame):
    """One column of rows, in partitions that are pandas Series when computed."""

    @property
    def name(self):
        """The label."""
        return None if self._expr.kind == "row" else self._expr.columns[0][0]

    @name.setter
    def name(self, name):
        self.__dict__["_expr"] = self.rename(name)._expr

    @property
    def dtype(self):
        """The dtype. An integer column of a file may turn out float64 if it has missing values."""
        return self._meta.dtype

    @property
    def shape(self):
        """(lazy number of rows,)."""
        return (Scalar(_core.call("row_count", [self._expr], {})),)

    @property
    def size(self):
        """Number of rows, lazy."""
        return Scalar(_core.call("row_count", [self._expr], {}))

    @property
    def dt(self):
        """Calendar fields of a datetime column."""
        return DatetimeProperties(self)

    def __getitem__(self, key):
        if isinstance(key, Series):
            return self._where(key)
        if self._expr.kind == "row":
            return new_collection(_core.call("getitem", [self._expr], {"key": plain(key)}))
        raise NotImplementedError("Series getitem is only supported for other series objects with matching partition structure")

    def __getattr__(self, name):
        _raise_own(self, name)
        from muster.as_dask import SERIES_NAMES

        if name in SERIES_NAMES:
            raise NotImplementedError(f"Series.{name} is not there yet; s.map_partitions(lambda part: part.{name}(...)) runs pandas' on each partition")
        raise AttributeError(f"'Series' object has no attribute {name!r}")

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def __iter__(self):
        for part in self.partitions:
            yield from part.compute()

    def to_frame(self, name=no_default):
        """Return the DataFrame with this one column."""
        return new_collection(_core.call("to_frame", [self._expr], {} if name is no_default else {"name": plain(name)}))

    def rename(self, index=None, sorted_index=False):
        """Return the Series with another name."""
        if callable(index) or isinstance(index, dict):
            raise NotImplementedError("Series.rename of index values; give a name")
        return new_collection(_core.call("rename", [self._expr], {"name": plain(index)}))

    def value_counts(self, sort=None, ascending=False, dropna=True, normalize=False, **kwargs):
        """Return how often each value occurs, a Series indexed by value.

        Parameters
        ----------
        sort : bool, default True
            Most frequent first; ties, and all with sort=False, in order of first appearance.
        ascending : bool, default False
        dropna : bool, default True
            Leave out missing values.
        normalize : bool, default False
            Shares instead of counts.
        """
        counts = _core.call(
            "groupby",
            [self._expr],
            {"by": [self._expr], "aggregates": [{"label": "count", "function": "size", "whole_rows": True}], "sort": False, "dropna": bool(dropna), "kind": 1},
        )
        if sort is None or sort:
            counts = _core.call("sort_result", [counts], {"ascending": bool(ascending)})
        counts = new_collection(counts)
        return (counts / counts.sum()).rename("proportion") if normalize else counts

    def groupby(self, by, **kwargs):
        """Group by another Series of the same rows."""
        from muster.dataframe._groupby import SeriesGroupBy

        return SeriesGroupBy(self.to_frame(name=self.name if self.name is not None else 0), by, select=self.name if self.name is not None else 0, name=self.name, **kwargs)

    def between(self, left, right, inclusive="both"):
        """Return whether left <= value <= right; `inclusive` is "both", "neither", "left" or "right"."""
        if inclusive not in ("both", "neither", "left", "right"):
            raise ValueError("Inclusive has to be either string of 'both', 'left', 'right', or 'neither'.")
        low = operator.ge if inclusive in ("both", "left") else operator.gt
        high = operator.le if inclusive in ("both", "right") else operator.lt
        return low(self, left) & high(self, right)

    def __repr__(self):
        return _repr.series_text(self)

    def _repr_html_(self):
        return _repr.series_html(self)

    def to_string(self, max_rows=5):
        """Return the structure as text."""
        return _repr.series_table(self).to_string(max_rows=max_rows)


class DatetimeProperties(_DatetimeMethods):
    """Calendar fields of a datetime Series."""

    def __init__(self, series):
        self._expr = series._expr

    def __getattr__(self, name):
        _raise_own(self, name)
        from muster.as_dask import DATETIME_NAMES

        if name in DATETIME_NAMES:
            raise NotImplementedError(f"Series.dt.{name} is not there yet; s.map_partitions(lambda part: part.dt.{name}) runs pandas' on each partition")
        raise AttributeError(f"'DatetimeProperties' object has no attribute {name!r}")


class Index(Collection):
    """The index of a DataFrame or Series."""

    @property
    def name(self):
        """The label."""
        return self._expr.index[0][0] if self._expr.index else None

    @property
    def dtype(self):
        """The dtype."""
        return self._meta.index.dtype

    def _finish(self, result):
        return result.index

    def __len__(self):
        return len(new_collection(self._expr))

    def __repr__(self):
        return _repr.index_text(self)


class Scalar(ScalarMethods, Collection):
    """A lazy value, such as the sum of a column."""

    @property
    def dtype(self):
        """The dtype."""
        return self._meta.dtype

    def __repr__(self):
        return f"<muster Scalar: {self._expr.op}, dtype={self._expr.columns[0][1]}>"

    def __int__(self):
        return int(self.compute())

    def __float__(self):
        return float(self.compute())

    def __index__(self):
        return operator.index(self.compute())

    def __bool__(self):
        raise TypeError(f"Trying to convert {self!r} to a boolean value. Because muster objects are lazily evaluated, they cannot be converted to a boolean value or used in boolean conditions like if statements. Try calling .compute() to force computation prior to converting to a boolean value or using in a conditional statement.")
