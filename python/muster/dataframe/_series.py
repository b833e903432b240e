"""The Series."""

import operator

from muster import _core
from muster._base import keywords
from muster._base.later import SERIES_NAMES, NotThereYet
from muster._base.libraries import pd
from muster._base.values import no_default, plain_label
from muster._border.pandas import label_of
from muster._generated.series import SeriesMethods
from muster.dataframe import _repr
from muster.dataframe._accessors import CategoricalMethods, DatetimeProperties, StringMethods
from muster.dataframe._beside import is_mask
from muster.dataframe._collection import collection_of, new_collection, raise_own
from muster.dataframe._correlation import of_series
from muster.dataframe._groupby import SeriesGroupBy
from muster.dataframe._lookup import lookup_table
from muster.dataframe._meta import meta_object, warn_of_meta
from muster.dataframe._rows import Frame
from muster.dataframe._scalar import Count
from muster.dataframe._split_out import spread
from muster.dataframe._through_pandas import add_methods, call, through, whole


@collection_of("series")
class Series(SeriesMethods, Frame):
    """One column of rows, in partitions that are pandas Series when computed."""

    @property
    def name(self):
        """The label."""
        return None if self._expr.kind == "row" else label_of(self._expr.columns[0][0])

    @name.setter
    def name(self, name):
        self.__dict__["_expr"] = self.rename(name)._expr

    @property
    def dtype(self):
        """The dtype. An integer column of a file may turn out float64 if it has missing values; a run that has seen one is remembered."""
        return self._meta.dtype

    @property
    def shape(self):
        """(lazy number of rows,)."""
        return (Count(_core.call("row_count", [self._expr], {})),)

    @property
    def size(self):
        """Number of rows, lazy."""
        return Count(_core.call("row_count", [self._expr], {}))

    @property
    def dt(self):
        """Calendar fields of a datetime column."""
        return DatetimeProperties(self)

    @property
    def str(self):
        """Methods of text."""
        return StringMethods(self)

    @property
    def cat(self):
        """Categories of a categorical column."""
        return CategoricalMethods(self)

    @property
    def iloc(self):
        """Not there: rows are not found by position; see `head`, `tail` and `partitions`."""
        raise NotThereYet("Series.iloc is not there yet: rows are not found by position; use head, tail, partitions or loc")

    def __getitem__(self, key):
        if isinstance(key, Series) or is_mask(key):
            return self._where(key)
        raise NotImplementedError("Series getitem is only supported for other series objects with matching partition structure")

    def __getattr__(self, name):
        raise_own(self, name)
        if name in SERIES_NAMES:
            raise NotThereYet(f"Series.{name} is not there yet")
        raise AttributeError(f"'Series' object has no attribute {name!r}")

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)

    def __iter__(self):
        for part in self.partitions:
            yield from part.compute()

    def to_frame(self, name=no_default):
        """Return the DataFrame with this one column."""
        return new_collection(_core.call("to_frame", [self._expr], {} if name is no_default else {"name": plain_label(name)}))

    def rename(self, index=None, sorted_index=False):
        """Return the Series with another name, or with index values that a function or a dict makes of each.

        Parameters
        ----------
        index : label, callable, dict or Series
        sorted_index : bool, default False
            The new index values ascend as the old ones do: divisions stay known.
        """
        if getattr(index, "_expr", None) is not None:
            return call(self, "rename", (index,), shape="whole")
        if callable(index) or isinstance(index, (dict, pd.Series)):
            out = call(self, "rename", (index,), shape="partitions")
            if not sorted_index or not self.known_divisions:
                return out
            divisions = pd.Series(0, index=list(self.divisions)).rename(index).index
            if not divisions.is_monotonic_increasing:
                raise ValueError("sorted_index=True, but the new index is non-monotonic")
            return new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": [plain_label(d) for d in divisions]}))
        return new_collection(_core.call("rename", [self._expr], {"name": plain_label(index)}))

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
        if kwargs.get("bins") is not None:
            raise NotImplementedError("value_counts: bins; cut the values with map_partitions(pandas.cut, bins) first")
        keywords.check("value_counts", kwargs, {*keywords.SHAPING, "bins"}, ("sort", "ascending", "dropna", "normalize"))
        return spread(self._counted(sort, ascending, dropna, normalize), kwargs.get("split_out"))

    def _counted(self, sort, ascending, dropna, normalize):
        if self._meta.dtype == object or self._expr.columns[0][1].startswith("object"):
            return call(
                self, "value_counts", (), {"sort": sort is None or sort, "ascending": ascending, "dropna": dropna, "normalize": normalize}, shape="whole"
            )
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
        label = self.name if self.name is not None else 0
        return SeriesGroupBy(self.to_frame(name=label), by, select=label, name=self.name, **kwargs)

    def between(self, left, right, inclusive="both"):
        """Return whether left <= value <= right; `inclusive` is "both", "neither", "left" or "right"."""
        if inclusive not in ("both", "neither", "left", "right"):
            raise ValueError("Inclusive has to be either string of 'both', 'left', 'right', or 'neither'.")
        low = operator.ge if inclusive in ("both", "left") else operator.gt
        high = operator.le if inclusive in ("both", "right") else operator.lt
        return low(self, left) & high(self, right)

    def map(self, arg, na_action=None, meta=no_default, **kwargs):
        """Return what a function, dict or Series makes of each value.

        Parameters
        ----------
        arg : callable, dict, pandas.Series or lazy Series
        na_action : {None, "ignore"}
        meta : pandas object or pair (name, dtype), optional
            What the result looks like. Default, with a warning: what it is for the first rows; the dtype is revised where other rows show it.
        """
        warn_of_meta("map", meta)
        return self._mapped(arg, na_action, meta, **kwargs)

    def _mapped(self, arg, na_action=None, meta=no_default, **kwargs):
        table = lookup_table(arg, na_action, self._expr.columns[0][1]) if meta is no_default and not kwargs else None
        if table is not None:
            return new_collection(_core.call("lookup", [self._expr], table))
        if hasattr(arg, "_expr"):
            return through(
                "map", _mapped, (self,), {"arg": whole(arg), "na_action": na_action}, shape="beside", real=True, labels=False, meta=meta_object(meta),
                forced=True
            )
        return call(self, "map", (arg,), {"na_action": na_action, **kwargs}, real=True, labels=False, meta=meta_object(meta), forced=True)

    def apply(self, func, convert_dtype=no_default, meta=no_default, args=(), **kwargs):
        """Return what a function makes of each value; see `map`."""
        warn_of_meta("apply", meta)
        return call(self, "apply", (func,), {"args": tuple(args), **kwargs}, real=True, labels=False, meta=meta_object(meta), forced=True)

    def corr(self, other, method="pearson", min_periods=None, **kwargs):
        """Return the correlation with another Series, lazy; one pass where both have the same rows, other methods than "pearson" through pandas."""
        return of_series(self, other, "corr", method=method, min_periods=min_periods, **kwargs)

    def cov(self, other, min_periods=None, ddof=1, **kwargs):
        """Return the covariance with another Series, lazy; one pass where both have the same rows."""
        return of_series(self, other, "cov", min_periods=min_periods, ddof=ddof, **kwargs)

    def unique(self, split_every=None, split_out=None):
        """Return the distinct values in order of first appearance, a Series."""
        return spread(self.drop_duplicates().reset_index(drop=True), split_out)

    def items(self):
        """Yield pairs of index value and value, partition by partition."""
        for part in self.partitions:
            yield from part.compute().items()

    def divmod(self, other, level=None, fill_value=None, axis=0):
        """Return the quotients and the remainders: a pair of what `floordiv` and `mod` give."""
        return self.floordiv(other, level=level, fill_value=fill_value, axis=axis), self.mod(other, level=level, fill_value=fill_value, axis=axis)

    def rdivmod(self, other, level=None, fill_value=None, axis=0):
        """Return the quotients and the remainders of `other` by this: a pair of what `rfloordiv` and `rmod` give."""
        return self.rfloordiv(other, level=level, fill_value=fill_value, axis=axis), self.rmod(other, level=level, fill_value=fill_value, axis=axis)

    def __contains__(self, key):
        raise NotImplementedError(
            "Using 'in' to test for membership is not supported: a lazy Series is not known before it is computed; use (s == value).any()"
        )

    @property
    def axes(self):
        """The index."""
        return [self.index]

    def __repr__(self):
        return _repr.series_text(self)

    def _repr_html_(self):
        return _repr.series_html(self)


def _mapped(series, arg, na_action):
    return series.map(arg, na_action=na_action)


add_methods(Series, "add_prefix add_suffix", "partitions")
add_methods(Series, "nbytes is_monotonic_increasing is_monotonic_decreasing is_unique", "whole", attribute=True)
add_methods(Series, "case_when", "rows")
add_methods(Series, "autocorr", "whole")
