"""The DataFrame, and what it shares with the Series. Their operators come from `muster._generated`, the others from `_through_pandas`."""

from muster import _core
from muster._base import keywords
from muster._base.later import FRAME_NAMES, NotThereYet
from muster._base.libraries import np, pd
from muster._base.values import no_default, plain
from muster._generated.frame import FrameMethods
from muster.dataframe import _bags, _repr
from muster.dataframe._beside import beside, in_memory, is_foreign_scalar, is_mask, repeated
from muster.dataframe._collection import Rows, collection_of, new_collection, raise_own
from muster.dataframe._correlation import of_columns
from muster.dataframe._groupby import DataFrameGroupBy
from muster.dataframe._index import Index
from muster.dataframe._locate import ByLabel, ByPosition
from muster.dataframe._located import Located
from muster.dataframe._make import arrow_stream
from muster.dataframe._map_partitions import map_partitions
from muster.dataframe._melt import melt
from muster.dataframe._memory import from_dict
from muster.dataframe._meta import meta_object
from muster.dataframe._numpy import NumpyProtocol
from muster.dataframe._overlap import map_overlap
from muster.dataframe._partitioning import divisions_of_ascending, repartition
from muster.dataframe._query import Scope, evaluate
from muster.dataframe._scalar import Scalar
from muster.dataframe._summary import describe, median, quantile
from muster.dataframe._through_pandas import add_methods, call, through
from muster.dataframe._window import Resampler, Rolling
from muster.dataframe._write import to_csv, to_json, to_parquet


class Frame(NumpyProtocol, Rows):
    """What DataFrame and Series share: rows in partitions with an index."""

    @property
    def index(self):
        """The index, lazy."""
        return Index(self._expr)

    @index.setter
    def index(self, value):
        if getattr(value, "_expr", None) is None or value._expr.rows != self._expr.rows:
            raise AssertionError("the new index must be aligned with the rows: a lazy Index or Series made from them; of other data use set_index")
        self.__dict__["_expr"] = _core.call("with_index", [self._expr, (value.to_series() if hasattr(value, "to_series") else value)._expr], {})

    @property
    def ndim(self):
        """2 of a DataFrame, 1 of a Series."""
        return 1 if self._expr.kind in ("series", "row") else 2

    def __len__(self):
        return int(new_collection(_core.call("row_count", [self._expr], {})).compute())

    def __pos__(self):
        return call(self, "__pos__", labels=False)

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

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
            Called with a partition as pandas object, then `args` and `kwargs`. Returns a DataFrame, a Series or a scalar. A keyword `partition_info` of it
            is given ``{"number": ..., "division": ...}``, and None while it is tried.
        meta : pandas object, dict, list of (name, dtype) or (name, dtype), optional
            What the result looks like; a value that it does not hold is an error. Without it the function is tried on two made-up rows, and if that fails on the
            first partition; dtypes are revised where other partitions show it.
        enforce_metadata : bool, default True
            False: dtypes of `meta` are revised too.

        Returns
        -------
        DataFrame or Series
            Lazy; the same number of partitions.
        """
        return map_partitions(func, self, *args, meta=meta, enforce_metadata=enforce_metadata, **kwargs)

    def reset_index(self, drop=False, **kwargs):
        """Return the frame with its index as columns, or without it, and rows numbered from 0.

        Parameters
        ----------
        drop : bool, default False
            Leave the index out.
        **kwargs
            As pandas: level, names, col_level, col_fill, allow_duplicates, name. With them all rows go through pandas in one task.
        """
        if kwargs:
            return call(self, "reset_index", (), {"drop": drop, **kwargs}, shape="whole")
        return new_collection(_core.call("reset_index", [self._expr], {"drop": bool(drop)}))

    def sort_index(self, ascending=True, na_position="last", ignore_index=False, **kwargs):
        """Return the rows of one partition in the order of the index.

        Parameters
        ----------
        ascending : bool, default True
        na_position : {"last", "first"}
        ignore_index : bool, default False
            Number the rows from 0.

        Raises
        ------
        NotImplementedError
            With several partitions.
        """
        if self.npartitions != 1:
            raise NotImplementedError(f"sort_index over {self.npartitions} partitions is not there yet; repartition(npartitions=1) puts the rows into one")
        return call(self, "sort_index", (), {"ascending": ascending, "na_position": na_position, "ignore_index": ignore_index, **kwargs}, shape="whole", kept=not ignore_index)

    @property
    def loc(self):
        """Rows by label, and columns: ``df.loc[mask]``, ``df.loc["a":"b"]``, ``df.loc[:, ["x"]]``."""
        return ByLabel(self)

    @property
    def iloc(self):
        """Columns by position: ``df.iloc[:, [0, 2]]``. Rows by position are not supported; see `head` and `partitions`."""
        return ByPosition(self)

    def idxmax(self, axis=0, skipna=True, numeric_only=False, **kwargs):
        """Return the index value of the largest value, of each column of a DataFrame; with axis=1 the column's label of each row.

        Raises
        ------
        ValueError
            At compute, as pandas: no rows, or missing values with skipna=False.
        """
        keywords.check("idxmax", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
        return self._index_of("idxmax", axis, skipna, numeric_only)

    def idxmin(self, axis=0, skipna=True, numeric_only=False, **kwargs):
        """Return the index value of the smallest value; see `idxmax`."""
        keywords.check("idxmin", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
        return self._index_of("idxmin", axis, skipna, numeric_only)

    def _index_of(self, name, axis, skipna, numeric_only):
        if axis in (1, "columns"):
            return call(self, name, (), {"axis": 1, "skipna": skipna, "numeric_only": numeric_only})
        return Located.of(self, name, skipna, numeric_only)

    def quantile(self, q=0.5, axis=0, numeric_only=False, method="default", **kwargs):
        """Return exact quantiles, as pandas.

        Parameters
        ----------
        q : float or list of float, default 0.5
        axis : {0, 1}
        numeric_only : bool, default False
            Of a DataFrame: leave out columns that are not numeric or bool.
        method : str
            Accepted: the result is exact.
        """
        keywords.check("quantile", kwargs, keywords.SHAPING, ("q", "axis", "numeric_only"))
        if axis in (1, "columns") and self.ndim == 2:
            return call(self, "quantile", (q,), {"axis": 1, "numeric_only": numeric_only})
        return quantile(self, q, numeric_only)

    def median(self, axis=0, skipna=True, numeric_only=False, **kwargs):
        """Return the median, exactly; of each column of a DataFrame, with axis=1 of each row."""
        keywords.check("median", kwargs, keywords.SHAPING, ("axis", "skipna", "numeric_only"))
        return median(self, axis, skipna, numeric_only)

    def describe(self, percentiles=None, include=None, exclude=None, **kwargs):
        """Return count, mean, std, min, percentiles and max of the columns, as pandas; one pass over numbers and times.

        Parameters
        ----------
        percentiles : list of float, optional
            Default: 0.25, 0.5, 0.75. Exact.
        include, exclude
            As pandas: dtypes, or "all".
        """
        keywords.check("describe", kwargs, keywords.SHAPING, ("percentiles", "include", "exclude"))
        return describe(self, percentiles, include, exclude)

    def median_approximate(self, axis=0, **kwargs):
        """Return the median, exactly."""
        keywords.check("median_approximate", kwargs, keywords.SHAPING, ("axis",))
        return self.median(axis=axis) if self.ndim == 2 else self.median()

    def nunique_approx(self, split_every=None):
        """Return the number of distinct rows, exactly."""
        if self.ndim == 1:
            return self.nunique(dropna=False)
        return through("nunique_approx", _distinct_rows, (self,), shape="whole")

    def drop_duplicates(self, subset=None, keep="first", ignore_index=False, split_every=None, split_out=None, shuffle_method=None):
        """Return the rows without those equal to another; one partition.

        Parameters
        ----------
        subset : label or list of labels, optional
            Columns to compare; default all.
        keep : {"first", "last", False}
        ignore_index : bool, default False
            Number the rows from 0.
        """
        if subset is not None and self.ndim == 1:
            raise TypeError("Series.drop_duplicates() got an unexpected keyword argument 'subset'")
        if keep == "first" and not ignore_index:
            try:
                return new_collection(_core.call("drop_duplicates", [self._expr], {"subset": plain([subset] if isinstance(subset, str) or isinstance(subset, tuple) and self.ndim == 2 and subset in self else subset)}))
            except NotImplementedError:
                pass
        kwargs = {"keep": keep, "ignore_index": ignore_index}
        if self.ndim == 2:
            kwargs["subset"] = subset
        return call(self, "drop_duplicates", (), kwargs, shape="whole", kept=not ignore_index, labels=False)

    def sample(self, n=None, frac=None, replace=False, random_state=None):
        """Return a random share of the rows, of each partition `frac`.

        Parameters
        ----------
        frac : float
            Share of the rows.
        replace : bool, default False
            A row may come more than once.
        random_state : int or numpy.random.RandomState, optional
            Equal ones give equal rows.

        Raises
        ------
        ValueError
            If `n` is given: the number of rows is not known before they are read.
        """
        if n is not None or frac is None:
            raise ValueError("sample does not support the number of sampled items parameter, 'n'. Please use the 'frac' parameter instead.")
        return through("sample", _sampled, (self, self._partition_numbers()), {"frac": frac, "replace": replace, "seed": _seed(random_state)}, shape="partitions", kept=True, meta=self._meta, labels=False)

    def random_split(self, frac, random_state=None, shuffle=False):
        """Return collections that share the rows at random in these proportions.

        Parameters
        ----------
        frac : list of float
            Shares; their sum is 1.
        random_state : int or numpy.random.RandomState, optional
        shuffle : bool, default False
            Accepted: rows keep their order.
        """
        if abs(sum(frac) - 1) > 1e-9:
            raise ValueError("frac should sum to 1")
        draw = through("random_split", _drawn, (self.index, self._partition_numbers()), {"seed": _seed(random_state)}, meta=_float_series(), labels=False)
        ends = [float(x) for x in np.cumsum([0, *frac])]
        ends[-1] = 2.0
        return [self[(draw >= low) & (draw < high)] for low, high in zip(ends[:-1], ends[1:], strict=True)]

    def _partition_numbers(self):
        return new_collection(_core.call("partition_number", [self._expr], {}))

    def rolling(self, window, min_periods=None, center=False, win_type=None, on=None, closed=None, step=None, **kwargs):
        """Return moving windows over the rows; aggregate with ``mean`` and the like, as pandas.

        Parameters
        ----------
        window : int, str or offset
            Rows, or a time span of a datetime index.
        min_periods, center, win_type, closed
            As pandas.
        """
        return Rolling(self, {"window": window, "min_periods": min_periods, "center": center, "win_type": win_type, "on": on, "closed": closed, "step": step, **kwargs})

    def resample(self, rule, closed=None, label=None, **kwargs):
        """Return groups of rows by time span of the datetime index, as pandas; aggregate with ``mean`` and the like."""
        return Resampler(self, rule, {"closed": closed, "label": label, **kwargs})

    def reduction(self, chunk, aggregate=None, combine=None, meta=no_default, token=None, split_every=None, chunk_kwargs=None, aggregate_kwargs=None, combine_kwargs=None, **kwargs):
        """Return what functions make of the partitions and then of their results.

        Parameters
        ----------
        chunk : callable
            Of a partition.
        aggregate : callable, optional
            Of the concatenated results; default `chunk`.
        combine : callable, optional
            Accepted: results are concatenated once.

        Raises
        ------
        ValueError
            If split_every is no integer from 2 on, or combine_kwargs come without `combine`.
        """
        if split_every is not None and split_every is not False and (not isinstance(split_every, int) or split_every < 2):
            raise ValueError(f"split_every must be an integer >= 2, got {split_every!r}")
        if combine_kwargs and combine is None:
            raise ValueError("combine_kwargs: there is no function `combine`")
        chunked = self.map_partitions(chunk, **{**kwargs, **(chunk_kwargs or {})})
        return through("reduction", aggregate or chunk, (chunked,), {**kwargs, **(aggregate_kwargs or {})}, shape="whole", meta=meta, real=True, forced=True)

    def align(self, other, join="outer", axis=None, fill_value=None):
        """Return both collections with the rows and columns of both, a pair."""
        kwargs = {"join": join, "axis": axis, "fill_value": fill_value}
        return tuple(through("align", _aligned, (self, other), {**kwargs, "side": side}, shape="whole") for side in (0, 1))

    def squeeze(self, axis=None):
        """Return the only column of a DataFrame as Series; else the same. How many rows there are is not known before: axis=0 is refused."""
        if axis not in (None, 1, "columns", 0, "index") or axis in (1, "columns") and self.ndim == 1:
            raise ValueError(f"No axis {axis} for object type {type(self)}")
        if self.ndim == 2 and axis in (0, "index"):
            raise NotImplementedError(f"{type(self)} does not support squeeze along axis 0: how many rows there are is not known before they are computed")
        if self.ndim == 2 and len(self._expr.columns) == 1 and axis in (None, 1, "columns"):
            return self._column(0)
        return self

    @property
    def values(self):
        """The values as an array; arrays are not there yet."""
        raise NotThereYet("values: arrays are not there yet; use compute().values")

    def to_bag(self, index=False, format="tuple"):
        """Return the rows, or the values of a Series, as a bag.

        Parameters
        ----------
        index : bool, default False
            Put the index value in front.
        format : {"tuple", "dict", "frame"}
            What a row is; "frame": the partitions stay pandas objects.

        Examples
        --------
        >>> import muster.dataframe as dd
        >>> dd.from_dict({"x": [1, 2], "y": ["a", "b"]}, npartitions=2).to_bag().compute()
        [(1, 'a'), (2, 'b')]
        """
        return _bags.bag_of_frame(self, index, format)

    def to_csv(self, filename, **kwargs):
        """Write a CSV file per partition; see `muster.dataframe.to_csv`."""
        return to_csv(self, filename, **kwargs)

    def to_json(self, filename, **kwargs):
        """Write a file of JSON lines per partition; see `muster.dataframe.to_json`."""
        return to_json(self, filename, **kwargs)

    def repartition(self, divisions=None, npartitions=None, partition_size=None, freq=None, force=False):
        """Return the same rows in other partitions.

        Parameters
        ----------
        npartitions : int, optional
            Fewer partitions are put together, more are cut by numbers of rows.
        divisions : tuple, optional
            Index values at the borders; the index must ascend.
        partition_size : int or str, optional
            Bytes of a partition; the rows are read once to know their size.
        freq : str, optional
            Time span of a partition.
        force : bool, default False
            `divisions` may reach beyond the index.
        """
        return repartition(self, divisions, npartitions, partition_size, freq, force)

    def map_overlap(self, func, before, after, *args, meta=no_default, **kwargs):
        """Return what a Python function makes of each partition with rows in front and behind; the result stays beside the rows.

        All rows are in one task.

        Parameters
        ----------
        func : callable
            Returns as many rows as it is given. Collections and pandas objects among `args` that have as many rows are cut as these.
        before, after : int or timedelta
            Rows, or a time span of a datetime index.

        Raises
        ------
        ValueError
            If a number of rows is negative or no integer.
        TypeError
            If it is a time span and the index has no times.
        """
        return map_overlap(self, func, before, after, args, meta, kwargs)

    def categorize(self, columns=None, index=None, **kwargs):
        """Return the frame with text columns as categoricals whose categories are known; they are learnt by reading the data once."""
        keywords.check("categorize", kwargs, keywords.SHAPING, ("columns", "index"))
        wanted = [label for label, name, _ in self._expr.columns if name in ("str", "object")] if columns is None else [columns] if isinstance(columns, str) else list(columns)
        labels = self._labels()
        out = self._relabelled(range(len(labels)))
        for label in wanted:
            self[label]  # says which columns there are
            for position in (i for i, known in enumerate(labels) if known == label):
                series = self._column(position)
                known = series if series._expr.columns[0][1].startswith("object:") else series.astype("category")
                out = out._assign({position: known.cat.as_known()})
        return out._relabelled(labels)

    def clear_divisions(self):
        """Return the same rows without known divisions."""
        return new_collection(_core.call("with_index", [self._expr, self.index.to_series()._expr], {})) if self.known_divisions else self

    def __arrow_c_stream__(self, requested_schema=None):
        """Return the computed rows as an Arrow stream, for Polars, DuckDB and others."""
        return arrow_stream(self, requested_schema)

    def memory_usage_per_partition(self, index=True, deep=False):
        """Return the bytes of each partition, a Series by partition number."""
        return through("memory_usage_per_partition", _bytes_of, (self,), {"index": index, "deep": deep}, shape="partitions")

    def _where(self, mask):
        if not _is_column(mask):
            mask = beside(self, mask, "mask")
        if mask._expr.columns[0][1].startswith("object"):
            mask = through("mask", _as_bool, (mask,))
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


@collection_of("frame")
class DataFrame(FrameMethods, Frame):
    """Rows and labelled columns, in partitions that are pandas DataFrames when computed."""

    @staticmethod
    def from_dict(data, *, npartitions=1, orient="columns", dtype=None, columns=None, constructor=None):
        """Return a dict of columns as a lazy DataFrame; see `muster.dataframe.from_dict`."""
        return from_dict(data, npartitions, orient, dtype, columns, constructor)

    def corr(self, method="pearson", min_periods=None, numeric_only=False, **kwargs):
        """Return the correlation of each pair of columns, over the rows where both are there, a DataFrame; one pass.

        Parameters
        ----------
        method : str
            Other methods than "pearson" run through pandas.
        min_periods : int, optional
            Of fewer rows the correlation is NaN.
        numeric_only : bool, default False
            Leave out columns that are not numeric or bool.
        **kwargs
            `split_every`: accepted.
        """
        return of_columns(self, "corr", numeric_only, method=method, min_periods=min_periods, **kwargs)

    def cov(self, min_periods=None, ddof=1, numeric_only=False, **kwargs):
        """Return the covariance of each pair of columns, a DataFrame; one pass. As in pandas `ddof` counts only where no value is missing.

        Parameters
        ----------
        min_periods : int, optional
            Of fewer rows the covariance is NaN.
        ddof : int, default 1
        numeric_only : bool, default False
            Leave out columns that are not numeric or bool.
        **kwargs
            `split_every`: accepted.
        """
        return of_columns(self, "cov", numeric_only, min_periods=min_periods, ddof=ddof, **kwargs)

    @property
    def columns(self):
        """The labels, a pandas Index; assign to rename all."""
        return self._meta.columns

    @columns.setter
    def columns(self, labels):
        self.__dict__["_expr"] = self._relabelled(labels)._expr

    @property
    def dtypes(self):
        """The dtypes by column, a pandas Series. An integer column of a file may turn out float64 if it has missing values; a run that has seen one is remembered."""
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

    def _has_levels(self):
        return self._expr.kind == "frame" and self._expr.levels > 1

    def _relabelled(self, labels):
        return new_collection(_core.call("rename", [self._expr], {"labels": [plain(x) for x in labels]}))

    def _take(self, positions):
        """The frame of the columns at these positions."""
        return new_collection(_core.call("take_columns", [self._expr], {"at": list(positions), "series": False}))

    def _column(self, position):
        """The column at a position, a Series."""
        return new_collection(_core.call("take_columns", [self._expr], {"at": [position], "series": True}))

    def _positions(self, key):
        """Positions of the columns that a label means: all that have it, and of labels in levels all that begin with it. KeyError if there is none."""
        found = self._expr.meant(plain(key)) if isinstance(key, (str, int, tuple)) else []
        if not found:
            found = [i for i, label in enumerate(self._labels()) if label == key]  # labels may be equal without being the same: 1 and 1.0
        if not found:
            self[key]  # says which columns there are
        return found

    def _positions_for(self, operation, key):
        """As `_positions`; the KeyError names the operation."""
        try:
            return [] if hasattr(key, "_expr") else self._positions(key)
        except KeyError as error:
            raise KeyError(str(error.args[0]).replace("getitem:", f"{operation}:", 1)) from None

    def __getitem__(self, key):
        if _is_column(key):
            return self._where(key)
        if isinstance(key, DataFrame):
            return self.where(key)
        if is_mask(key):
            return self._where(key)
        if isinstance(key, slice):
            if any(isinstance(end, int) for end in (key.start, key.stop, key.step)):
                raise NotImplementedError("rows by position; use head, partitions or a mask")
            return self.loc[key]
        key = plain(key)
        if isinstance(key, list):
            return new_collection(_core.call("getitems", [self._expr], {"key": key}))
        return new_collection(_core.call("getitem", [self._expr], {"key": key}))

    def __getattr__(self, name):
        if not name.startswith("_") and name in self:
            return self[name]
        raise_own(self, name)
        if name in FRAME_NAMES:
            raise NotThereYet(f"DataFrame.{name} is not there yet")
        raise AttributeError(f"'DataFrame' object has no attribute {name!r}")

    def __setattr__(self, name, value):
        if name == "columns" or name.startswith("_") or name not in self:
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __setitem__(self, key, value):
        if isinstance(key, list) and not is_mask(key) or isinstance(key, tuple) and isinstance(value, DataFrame) and key not in self:
            columns = [value._column(i) for i in range(len(value._expr.columns))] if isinstance(value, DataFrame) else [value] * len(key)
            if len(columns) != len(key):
                raise ValueError("Columns must be same length as key")
            changed = self
            for label, column in zip(key, columns, strict=True):
                changed = changed._assign({label: column})
        elif isinstance(key, DataFrame):
            changed = self.mask(key, value)
        elif hasattr(key, "_expr"):
            changed = self.mask(key, value)
        else:
            changed = self._assign({key: value})
        self.__dict__["_expr"] = changed._expr

    def __delitem__(self, key):
        self.__dict__["_expr"] = self.drop(columns=[key])._expr

    def __iter__(self):
        return iter(self._labels())

    def __contains__(self, key):
        if self._expr.has_column(key):
            return True
        return not isinstance(key, str) and key in self._labels() or self._has_levels() and key in self.columns  # labels may be equal without being the same: 1 and 1.0

    def __dir__(self):
        return sorted({*super().__dir__(), *(x for x in self._ipython_key_completions_() if isinstance(x, str) and x.isidentifier())})

    def _ipython_key_completions_(self):
        return list(self.columns.unique(0)) if self._has_levels() else self._labels()

    def items(self):
        """Return pairs of label and Series."""
        return ((label, self._column(i)) for i, label in enumerate(self._labels()))

    def _assign(self, values):
        values = {k: beside(self, v, k) if in_memory(v) else v for k, v in values.items()}
        values = {k: repeated(self, v) if is_foreign_scalar(v) else v for k, v in values.items()}
        return new_collection(_core.call("assign", [self._expr], {"columns": {plain(k): plain(v) for k, v in values.items()}}))

    def assign(self, **kwargs):
        """Return the frame with new or replaced columns.

        Parameters
        ----------
        **kwargs
            Series of the same rows, scalars, pandas Series (by index value), arrays with a value for each row, or functions of the frame, by column label.
        """
        out, values = self, {}
        for name, value in kwargs.items():
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
            return self._relabelled([tuple(new(part) for part in label) for label in self._labels()])
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
        return new_collection(_core.call("drop", [self._expr], {"columns": plain([columns] if isinstance(columns, tuple) else columns), "errors": errors}))

    def select_dtypes(self, include=None, exclude=None):
        """Return the columns whose dtypes are included and not excluded, as pandas decides."""
        meta = self._meta
        meta.columns = range(meta.shape[1])
        return self._take(meta.select_dtypes(include=include, exclude=exclude).columns)

    def groupby(self, by, group_keys=True, sort=None, observed=None, dropna=None, **kwargs):
        """Group rows by one or several keys.

        Parameters
        ----------
        by : label, Series of the same rows, function of the index values, or list of these
        group_keys : bool, default True
            Of `apply`: put the keys in front of the index.
        sort : bool, default True
            Order groups by key; False: by first appearance.
        observed : bool, default True
            Of categorical keys: only the categories that occur.
        dropna : bool, default True
            Leave out rows whose key is missing.
        **kwargs
            as_index : bool, default True; False gives the keys as columns.

        Raises
        ------
        ValueError
            If several columns have the label of a key.
        """
        kwargs = {**kwargs, "group_keys": None if group_keys else False}
        return DataFrameGroupBy(self, by, sort=sort, dropna=dropna, observed=observed, **kwargs)

    def apply(self, func, axis=0, broadcast=None, raw=False, reduce=None, args=(), meta=no_default, result_type=None, **kwargs):
        """Return what a Python function makes of each row.

        Parameters
        ----------
        func : callable
        axis : {1, "columns", 0}
            1: of each row. 0: of each column, all rows in one task.
        meta : pandas object, dict or pairs, optional
            What the result looks like. Default: what it is for the first rows; dtypes are revised where other rows show it.
        """
        shape = "rows" if axis in (1, "columns") else "whole"
        options = {"axis": axis, "raw": raw, "result_type": result_type, "args": tuple(args), **kwargs}
        return call(self, "apply", (func,), options, shape=shape, real=True, meta=meta_object(meta), forced=True)

    def melt(self, id_vars=None, value_vars=None, var_name=None, value_name="value", col_level=None, ignore_index=True):
        """Return the values of some columns below each other, each beside its column's label and the values of the other columns.

        Parameters
        ----------
        id_vars : label or list, optional
            Columns that stay, and are repeated.
        value_vars : label or list, optional
            Columns whose values become rows, one column after the other. Default: all others.
        var_name : label, optional
            Of the column of labels. Default: the name of the columns, or "variable".
        value_name : label, default "value"
        col_level : int or str, optional
            Of columns of several levels, the one that is melted; through pandas.
        ignore_index : bool, default True
            Number the rows from 0; False: repeat the index.

        Returns
        -------
        DataFrame
            Rows in pandas' order. The data is read once for each of `value_vars`.

        Examples
        --------
        >>> import muster.dataframe as dd
        >>> df = dd.from_dict({"k": [1, 2], "x": [3, 4], "y": [5, 6]}, npartitions=1)
        >>> df.melt("k").value.compute().tolist()
        [3, 4, 5, 6]
        """
        return melt(self, id_vars, value_vars, var_name, value_name, col_level, ignore_index)

    def map(self, func, na_action=None, meta=no_default, **kwargs):
        """Return what a Python function makes of each value."""
        return call(self, "map", (func,), {"na_action": na_action, **kwargs}, real=True, labels=False, meta=meta_object(meta), forced=True)

    applymap = map

    def query(self, expr, local_dict=None, global_dict=None, **kwargs):
        """Return the rows where an expression over the columns holds.

        Parameters
        ----------
        expr : str
            As pandas.DataFrame.query: ``"x > 1 and y in ['a', 'b'] and z == @limit"``.

        Raises
        ------
        SyntaxError
            If it is no expression.
        """
        keywords.check("query", kwargs, {"engine", "parser"}, ("expr", "local_dict", "global_dict"))
        mask = evaluate(expr, self, Scope.of_caller(local_dict, global_dict))
        return self[mask]

    def eval(self, expr, inplace=False, local_dict=None, global_dict=None, **kwargs):
        """Return the value of an expression over the columns; ``"c = a + b"`` gives the frame with a new column."""
        keywords.check("eval", kwargs, {"engine", "parser"}, ("expr", "inplace", "local_dict", "global_dict"))
        if inplace:
            raise NotImplementedError("eval: inplace=True; assign the result")
        return evaluate(expr, self, Scope.of_caller(local_dict, global_dict))

    def to_backend(self, backend=None):
        """Return the same: there is one backend, pandas."""
        if backend not in (None, "pandas"):
            raise ValueError(f"backend {backend!r} is not known; there is pandas")
        return self

    def pop(self, item):
        """Return a column and take it out of the frame."""
        column = self[item]
        del self[item]
        return column

    def iterrows(self):
        """Yield pairs of index value and row, partition by partition."""
        for part in self.partitions:
            yield from part.compute().iterrows()

    def itertuples(self, index=True, name="Pandas"):
        """Yield named tuples of the rows, partition by partition."""
        for part in self.partitions:
            yield from part.compute().itertuples(index=index, name=name)

    def add_prefix(self, prefix):
        """Return the frame with a text in front of each label."""
        return self.rename(columns=lambda label: f"{prefix}{label}")

    def add_suffix(self, suffix):
        """Return the frame with a text behind each label."""
        return self.rename(columns=lambda label: f"{label}{suffix}")

    def set_index(self, other, drop=True, sorted=False, npartitions=None, divisions=None, sort=True, **kwargs):
        """Return the frame with a column as index, where that moves no rows between partitions.

        Over several partitions the column is read once, to see that it ascends, unless sorted=True or sort=False says what to do.

        Parameters
        ----------
        other : label or Series of the same rows
        drop : bool, default True
            Take the column out.
        sorted : bool, default False
            The rows are in the order of the column already.
        sort : bool, default True
            False: leave the rows where they are.
        divisions : list, optional
            With sorted=True the values at the borders of the partitions.
        """
        for name in ("append", "inplace", "verify_integrity"):
            if kwargs.get(name):
                raise NotImplementedError(f"set_index: {name}=True is not there yet")
        keywords.check("set_index", kwargs, {*keywords.SHAPING, *"append inplace verify_integrity upsample partition_size max_branch compute shuffle".split()}, "drop sorted npartitions divisions sort".split())
        if isinstance(other, list):
            for label in other:
                self._positions_for("set_index", label)
            if len(other) != 1:
                raise NotImplementedError(f"set_index: an index of {len(other)} columns is not supported; put them together into one column first, for example df.assign(key=df.a.astype('str') + ' ' + df.b.astype('str')).set_index('key')")
            other = other[0]
        elif not hasattr(other, "_expr"):
            self._positions_for("set_index", other)
        if divisions is not None and not sorted:
            raise NotImplementedError("set_index of unsorted data by divisions is not there yet; sorted=True if the rows are in order")
        if divisions is not None and len(divisions) != self.npartitions + 1:
            raise ValueError(f"set_index: divisions of sorted rows are the borders of the partitions that are there and must be the same length, {self.npartitions + 1}, got {len(divisions)}; repartition(divisions=...) makes others")
        key = other if hasattr(other, "_expr") else self[other]
        if key.ndim == 2:
            raise ValueError(f"set_index: {len(key._expr.columns)} columns are labelled {other!r}; give them labels of their own")
        frame = self.drop(columns=[other]) if drop and not hasattr(other, "_expr") else self
        if sort and not sorted and self.npartitions > 1:
            return new_collection(_core.call("with_index", [frame._expr, key._expr], {"divisions": plain(divisions_of_ascending(key))}))
        out = new_collection(_core.call("with_index", [frame._expr, key._expr], {} if divisions is None else {"divisions": [plain(d) for d in divisions]}))
        return call(out, "sort_index", (), {"kind": "stable"}, shape="whole") if sort and not sorted else out

    def to_parquet(self, path, **kwargs):
        """Write a Parquet file per partition; see `muster.dataframe.to_parquet`."""
        return to_parquet(self, path, **kwargs)

    def info(self, buf=None, verbose=False, memory_usage=False):
        """Print the columns with their dtypes and numbers of values."""
        counts = self.count().compute() if verbose else None
        lines = [f"{type(self)}", f"Columns: {len(self._expr.columns)} entries" + (f", {self._labels()[0]} to {self._labels()[-1]}" if self._labels() else "")]
        for position, (label, dtype) in enumerate(self.dtypes.items()):
            lines.append(f" {position}  {label}  {'' if counts is None else f'{counts.iloc[position]} non-null  '}{dtype}")
        print("\n".join(lines), file=buf)

    @property
    def axes(self):
        """The index and the labels of the columns."""
        return [self.index, self.columns]

    def to_string(self, max_rows=5):
        """Return the structure as text."""
        return _repr.frame_table(self).to_string(max_rows=max_rows)

    def __repr__(self):
        return _repr.frame_text(self)

    def _repr_html_(self):
        return _repr.frame_html(self)


def _is_column(value):
    return isinstance(value, Rows) and value.ndim == 1


def _as_bool(mask):
    if mask.dtype not in ("bool", "boolean", "bool[pyarrow]") and not mask.isin([True, False]).all():
        raise TypeError(f"a mask must be boolean, got dtype {mask.dtype}")
    return mask.astype("boolean").fillna(False).astype("bool")


def _distinct_rows(frame):
    return len(frame.drop_duplicates())


def _seed(random_state):
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31))
    if hasattr(random_state, "integers"):
        return int(random_state.integers(2**31))
    return int(np.random.SeedSequence().entropy % 2**31) if random_state is None else int(random_state)


def _sampled(frame, numbers, frac, replace, seed):
    if not len(frame):
        return frame
    return frame.sample(frac=frac, replace=replace, random_state=(seed * 1_000_003 + int(numbers.iloc[0])) % 2**32)


def _drawn(index, numbers, seed):
    first = int(numbers.iloc[0]) if len(numbers) else 0
    return pd.Series(np.random.default_rng([seed, first]).random(len(numbers)), index=index)


def _float_series():
    return pd.Series([], dtype="float64")


def _aligned(a, b, side, **kwargs):
    return a.align(b, **kwargs)[side]


def _bytes_of(part, index, deep):
    used = part.memory_usage(index=index, deep=deep)
    return pd.Series([int(used if part.ndim == 1 else used.sum())])


# With axis=1 these are done row by row.
def _along_axis(name, shape, kept=False):
    def run(self, *args, **kwargs):
        kwargs = {k: v for k, v in kwargs.items() if k not in ("split_every", "split_out", "out", "dtype")}
        by_row = kwargs.get("axis") in (1, "columns") and self.ndim == 2
        return call(self, name, args, kwargs, shape="rows" if by_row else shape, kept=kept and not by_row)

    run.__name__, run.__qualname__ = name, f"Frame.{name}"
    how = "whole" if shape in ("whole", "beside") else "rows"
    run.__doc__ = f"""Return what pandas' `{name}` returns, lazy. Arguments and errors are pandas'. Runs through pandas (`explain` says ``python:{how}``), with axis=1 on each partition."""
    return run


for _name in "sem skew kurt kurtosis".split():
    setattr(Frame, _name, _along_axis(_name, "whole"))
add_methods(Frame, "infer_objects convert_dtypes", "rows")
add_methods(Frame, "memory_usage combine combine_first dot value_counts", "whole")
add_methods(Frame, "explode", "partitions", kept=True)
add_methods(Frame, "rename_axis to_timestamp to_period", "partitions")


def add_synonyms(cls):
    """Give a collection pandas' second names of its operators."""
    for name, other in (("div", "truediv"), ("divide", "truediv"), ("rdiv", "rtruediv"), ("product", "prod")):
        setattr(cls, name, getattr(cls, other))


add_synonyms(DataFrame)
