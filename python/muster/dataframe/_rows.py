"""What DataFrame and Series share; what they have of the engine's operators comes from `muster._generated`, of pandas' methods from `_through_pandas`."""

from muster import _core
from muster._base import keywords
from muster._base.later import NotThereYet
from muster._base.libraries import pd
from muster._base.values import no_default
from muster.dataframe import (
    _both,
    _located,
    _map_partitions,
    _orc,
    _order,
    _overlap,
    _partitioning,
    _rank,
    _repr,
    _sampling,
    _set_index,
    _shuffle,
    _summary,
    _to_sql,
    _window,
)  # fmt: skip
from muster.dataframe._beside import beside, filtered, has_other_rows
from muster.dataframe._collection import Rows, is_column, new_collection
from muster.dataframe._index import Index
from muster.dataframe._locate import ByLabel, ByPosition
from muster.dataframe._make import arrow_stream
from muster.dataframe._map_partitions import map_partitions
from muster.dataframe._numpy import NumpyProtocol
from muster.dataframe._partitioning import repartition
from muster.dataframe._through_pandas import add_methods, call, through
from muster.dataframe._write import to_csv, to_json


class Frame(NumpyProtocol, Rows):
    """What DataFrame and Series share: rows in partitions with an index."""

    # Methods that stand in the file of what they do.
    describe, median, median_approximate, quantile = _summary.describe, _summary.median, _summary.median_approximate, _summary.quantile
    idxmax, idxmin = _located.idxmax, _located.idxmin
    reset_index = _set_index.reset_index
    sort_index, sort_values = _order.sort_index, _order.sort_values
    rolling, resample = _window.rolling, _window.resample
    rank = _rank.rank
    sample, random_split = _sampling.sample, _sampling.random_split
    map_overlap = _overlap.map_overlap
    align, combine_first = _both.align, _both.combine_first
    shuffle = _shuffle.shuffle
    reduction = _map_partitions.reduction
    to_string = _repr.to_string
    enforce_runtime_divisions = _partitioning.enforce_runtime_divisions
    to_sql, to_orc = _to_sql.write_frame, _orc.write_frame

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

            warnings.warn(
                f"Insufficient elements for `head`. {n} elements requested, only {len(result)} elements available. Try passing larger `npartitions` to `head`.",
                stacklevel=2
            )
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
            What the result looks like; a value that it does not hold is an error. Without it the function is tried on two made-up rows, and if that fails
            on the first partition; dtypes are revised where other partitions show it.
        enforce_metadata : bool, default True
            False: dtypes of `meta` are revised too.

        Returns
        -------
        DataFrame or Series
            Lazy; the same number of partitions.
        """
        return map_partitions(func, self, *args, meta=meta, enforce_metadata=enforce_metadata, **kwargs)

    @property
    def loc(self):
        """Rows by label, and columns: ``df.loc[mask]``, ``df.loc["a":"b"]``, ``df.loc[:, ["x"]]``."""
        return ByLabel(self)

    @property
    def iloc(self):
        """Columns by position: ``df.iloc[:, [0, 2]]``. Rows by position are not supported; see `head` and `partitions`."""
        return ByPosition(self)

    def nunique_approx(self, split_every=None):
        """Return the number of distinct rows, exactly."""
        if self.ndim == 1:
            return self.nunique(dropna=False)
        return through("nunique_approx", _distinct_rows, (self,), shape="whole")

    def _partition_numbers(self):
        return new_collection(_core.call("partition_number", [self._expr], {}))

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
        from muster.dataframe._bags import bag_of_frame  # the only need of `muster.bag`

        return bag_of_frame(self, index, format)

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

    def categorize(self, columns=None, index=None, **kwargs):
        """Return the frame with text columns as categoricals whose categories are known; they are learnt by reading the data once."""
        keywords.check("categorize", kwargs, keywords.SHAPING, ("columns", "index"))
        wanted = (
            [label for label, name, _ in self._expr.columns if name in ("str", "object")] if columns is None else [columns] if isinstance(columns, str)
            else list(columns)
        )
        labels = self._labels()
        out = self._relabelled(range(len(labels)))
        for label in wanted:
            self[label]  # says which columns there are
            for position in (i for i, known in enumerate(labels) if known == label):
                series = self._column(position)
                known = series if series._expr.columns[0][1].startswith("object:") else series.astype("category")
                out = out._assign({position: known.cat.as_known()})
        return out._relabelled(self.columns)

    def __arrow_c_stream__(self, requested_schema=None):
        """Return the computed rows as an Arrow stream, for Polars, DuckDB and others."""
        return arrow_stream(self, requested_schema)

    def memory_usage_per_partition(self, index=True, deep=False):
        """Return the bytes of each partition, a Series by partition number."""
        return through("memory_usage_per_partition", _bytes_of, (self,), {"index": index, "deep": deep}, shape="partitions")

    def _where(self, mask):
        if not is_column(mask):
            mask = beside(self, mask, "mask")
        if has_other_rows(self, mask):
            return filtered(self, mask)
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


def _as_bool(mask):
    if mask.dtype not in ("bool", "boolean", "bool[pyarrow]") and not mask.isin([True, False]).all():
        raise TypeError(f"a mask must be boolean, got dtype {mask.dtype}")
    return mask.astype("boolean").fillna(False).astype("bool")


def _distinct_rows(frame):
    return len(frame.drop_duplicates())


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
    run.__doc__ = f"""Return what pandas' `{name}` returns, lazy.

        Arguments and errors are pandas'. Runs through pandas (`explain` says ``python:{how}``), with axis=1 on each partition.
        """
    return run


for _name in "sem skew kurt kurtosis".split():
    setattr(Frame, _name, _along_axis(_name, "whole"))
add_methods(Frame, "infer_objects convert_dtypes", "rows")
add_methods(Frame, "memory_usage combine value_counts", "whole")
add_methods(Frame, "dot", "whole", ignored=("meta",))
add_methods(Frame, "explode", "partitions", kept=True)
add_methods(Frame, "rename_axis to_timestamp to_period", "partitions")
