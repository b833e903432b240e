"""The DataFrame."""

from muster import _core
from muster._base import keywords
from muster._base.later import FRAME_NAMES, NotThereYet
from muster._base.values import no_default, plain
from muster._generated.frame import FrameMethods
from muster.dataframe import _repr
from muster.dataframe._beside import beside, in_memory, is_foreign_scalar, is_mask, repeated
from muster.dataframe._collection import collection_of, is_column, new_collection, raise_own
from muster.dataframe._correlation import of_columns
from muster.dataframe._groupby import DataFrameGroupBy
from muster.dataframe._melt import melt
from muster.dataframe._memory import from_dict
from muster.dataframe._meta import meta_object
from muster.dataframe._partitioning import divisions_of_ascending
from muster.dataframe._query import Scope, evaluate
from muster.dataframe._rows import Frame
from muster.dataframe._scalar import Scalar
from muster.dataframe._through_pandas import call
from muster.dataframe._write import to_parquet


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
        if is_column(key):
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
