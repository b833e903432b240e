"""The DataFrame."""

from muster import _core
from muster._base.later import FRAME_NAMES, NotThereYet
from muster._base.libraries import pd
from muster._base.tasks import refuse_to_come
from muster._base.values import no_default, plain, plain_label
from muster._border.known_columns import note_columns
from muster._border.pandas import comparable_label, label_of
from muster._generated.frame import FrameMethods
from muster.dataframe import _columns, _correlation, _melt, _merge, _pivot, _query, _repr, _set_index
from muster.dataframe._beside import assigned, beside, has_other_rows, in_memory, is_foreign_scalar, is_mask, repeated
from muster.dataframe._collection import collection_of, is_column, new_collection, raise_own
from muster.dataframe._groupby import DataFrameGroupBy
from muster.dataframe._labelled import labelled
from muster.dataframe._memory import from_dict
from muster.dataframe._meta import meta_object, warn_of_meta
from muster.dataframe._rows import Frame
from muster.dataframe._scalar import Count
from muster.dataframe._through_pandas import call
from muster.dataframe._write import to_parquet


@collection_of("frame")
class DataFrame(FrameMethods, Frame):
    """Rows and labelled columns, in partitions that are pandas DataFrames when computed."""

    # Methods that stand in the file of what they do.
    assign, drop, rename, select_dtypes = _columns.assign, _columns.drop, _columns.rename, _columns.select_dtypes
    set_index = _set_index.set_index
    corr, cov = _correlation.corr, _correlation.cov
    query, eval = _query.query, _query.eval
    melt = _melt.melt
    pivot_table = _pivot.pivot_table
    merge, join = _merge.merge_frame, _merge.join
    info = _repr.info

    @staticmethod
    def from_dict(data, *, npartitions=1, orient="columns", dtype=None, columns=None, constructor=None):
        """Return a dict of columns as a lazy DataFrame; see `muster.dataframe.from_dict`."""
        return from_dict(data, npartitions, orient, dtype, columns, constructor)

    @property
    def columns(self):
        """The labels, a pandas Index; assign to rename all."""
        return self._meta.columns

    @columns.setter
    def columns(self, labels):
        self.__dict__["_expr"] = self._relabelled(labels)._expr

    @property
    def dtypes(self):
        """The dtypes by column, a pandas Series.

        An integer column of a file may turn out float64 if it has missing values; a run that has seen one is remembered.
        """
        return self._meta.dtypes

    @property
    def shape(self):
        """(lazy number of rows, number of columns)."""
        return Count(_core.call("row_count", [self._expr], {})), len(self._expr.columns)

    @property
    def size(self):
        """Number of values, lazy."""
        return Count((Count(_core.call("row_count", [self._expr], {})) * len(self._expr.columns))._expr)

    def _labels(self):
        return [label_of(f[0]) for f in self._expr.columns]

    def _has_levels(self):
        return self._expr.kind == "frame" and self._expr.levels > 1 and self.columns.nlevels > 1

    def _relabelled(self, labels):
        columns = labels if hasattr(labels, "names") else pd.Index(list(labels))
        said = [*plain_label(list(columns.names)), str(columns.dtype) if columns.nlevels == 1 else None]  # which makes another expression
        out = _core.call("rename", [self._expr], {"labels": [plain_label(x) for x in labels], "said": said})
        note_columns(out, columns)
        return new_collection(out)

    def _take(self, positions):
        """The frame of the columns at these positions."""
        return self._chosen(new_collection(_core.call("take_columns", [self._expr], {"at": list(positions), "series": False})))

    def _chosen(self, frame):
        """A frame of some of the columns; of none it has labels of the dtype that these have."""
        return frame if frame._expr.columns else labelled(frame, self._meta.columns[:0])

    def _column(self, position):
        """The column at a position, a Series."""
        return new_collection(_core.call("take_columns", [self._expr], {"at": [position], "series": True}))

    def _positions(self, key):
        """Positions of the columns that a label means: all that have it, and of labels in levels all that begin with it. KeyError if there is none."""
        found = self._expr.meant(plain_label(key)) if isinstance(key, (str, int, tuple)) else []
        if not found:  # labels may be equal without being the same: 1 and 1.0, 2020 and a time, NaN
            wanted = comparable_label(plain_label(key))
            found = [i for i, (label, _, _) in enumerate(self._expr.columns) if wanted is comparable_label(label) or wanted == comparable_label(label)]
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
        key = plain_label(key)
        if isinstance(key, list):
            return self._chosen(new_collection(_core.call("getitems", [self._expr], {"key": key})))
        return new_collection(_core.call("getitem", [self._expr], {"key": key}))

    def __getattr__(self, name):
        if name != "_expr" and not name.startswith("__") and name in self:
            return self[name]
        raise_own(self, name)
        if name == "nbytes":
            raise NotThereYet("nbytes is not implemented on DataFrame, as pandas has none; of its columns it is, and see memory_usage")
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
        if isinstance(key, (str, int)) and self._expr.has_column(plain_label(key)):
            return True
        # labels may be equal without being the same: 1 and 1.0
        return not isinstance(key, str) and label_of(key) in self._labels() or self._has_levels() and key in self.columns

    def __dir__(self):
        return sorted({*super().__dir__(), *(x for x in self._ipython_key_completions_() if isinstance(x, str) and x.isidentifier())})

    def _ipython_key_completions_(self):
        return list(self.columns.unique(0)) if self._has_levels() else self._labels()

    def items(self):
        """Return pairs of label and Series."""
        return ((label, self._column(i)) for i, label in enumerate(self._labels()))

    def _assign(self, values):
        for value in values.values():
            refuse_to_come(value)
        others = [k for k, v in values.items() if has_other_rows(self, v)]
        if others:
            return self._assign_others(values, others[0])
        values = {k: beside(self, v, k) if in_memory(v) else v for k, v in values.items()}
        values = {k: repeated(self, v) if is_foreign_scalar(v) else v for k, v in values.items()}
        out = _core.call("assign", [self._expr], {"columns": {plain_label(k): plain(v) for k, v in values.items()}})
        if self._expr.columns and any(isinstance(k, tuple) for k in values) and not self._has_levels():
            note_columns(out, pd.Index([label_of(f[0]) for f in out.columns], dtype=object, tupleize_cols=False, name=self.columns.name))
        return new_collection(out)

    def _assign_others(self, values, first):
        """As `_assign`; the values up to `first` have the rows of the frame."""
        labels = list(values)
        at = labels.index(first)
        out = self._assign({k: values[k] for k in labels[:at]}) if at else self
        end = next((i for i in range(at, len(labels)) if not is_column(values[labels[i]]) or values[labels[i]]._expr.kind != "series"), len(labels))
        out = assigned(out, {k: values[k] for k in labels[at:end]})
        return out._assign({k: values[k] for k in labels[end:]}) if end < len(labels) else out

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
            What the result looks like. Default, with a warning: what it is for the first rows; dtypes are revised where other rows show it.
        """
        if axis in (1, "columns"):
            warn_of_meta("apply", meta)
        shape = "rows" if axis in (1, "columns") else "whole"
        options = {"axis": axis, "raw": raw, "result_type": result_type, "args": tuple(args), **kwargs}
        return call(self, "apply", (func,), options, shape=shape, real=True, meta=meta_object(meta), forced=True)

    def map(self, func, na_action=None, meta=no_default, **kwargs):
        """Return what a Python function makes of each value. Warns if `meta`, what the result looks like, is not given."""
        warn_of_meta("map", meta)
        return call(self, "map", (func,), {"na_action": na_action, **kwargs}, real=True, labels=False, meta=meta_object(meta), forced=True)

    applymap = map

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

    def to_parquet(self, path, **kwargs):
        """Write a Parquet file per partition; see `muster.dataframe.to_parquet`."""
        return to_parquet(self, path, **kwargs)

    @property
    def axes(self):
        """The index and the labels of the columns."""
        return [self.index, self.columns]

    def __repr__(self):
        return _repr.frame_text(self)

    def _repr_html_(self):
        return _repr.frame_html(self)
