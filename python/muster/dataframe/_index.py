"""The Index."""

from muster import _core
from muster._base.libraries import pd
from muster._base.values import no_default, plain_label
from muster._border.pandas import sample_of
from muster.dataframe import _repr
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._known_index import frequency_of, note_frequency, shifted_frequency
from muster.dataframe._map_partitions import map_partitions
from muster.dataframe._meta import warn_of_meta
from muster.dataframe._numpy import NumpyProtocol
from muster.dataframe._through_pandas import shifted_divisions, through


class Index(NumpyProtocol, Collection):
    """The index of a DataFrame or Series."""

    _is_index = True

    def _finish(self, result):
        return super()._finish(result).index

    @property
    def _meta(self):
        return super()._meta.index

    @property
    def name(self):
        """The label."""
        return self._meta.name

    @property
    def names(self):
        """The labels of the levels."""
        return self._meta.names

    @property
    def dtype(self):
        """The dtype."""
        return self._meta.dtype

    @property
    def nlevels(self):
        """Number of levels."""
        return self._meta.nlevels

    def __len__(self):
        return len(new_collection(self._expr))

    @property
    def size(self):
        """Number of rows, lazy."""
        return self.shape[0]

    @property
    def shape(self):
        """(lazy number of rows,)."""
        return (new_collection(self._expr).shape[0],)

    @property
    def partitions(self):
        """Partitions by position, each an Index."""
        return [Index(p._expr) for p in new_collection(self._expr).partitions]

    def to_series(self, index=None, name=None):
        """Return the values as a Series beside the rows."""
        name = self.name if name is None else name
        if self.nlevels > 1:
            return through("to_series", _to_series, (self,), {"name": name})
        return new_collection(_core.call("index_values", [self._expr], {"name": plain_label(name)}))

    def to_frame(self, index=True, name=None):
        """Return the values as a DataFrame of one column."""
        return self.to_series(name=name).to_frame(name=name if name is not None else self.name if self.name is not None else 0)

    def map(self, arg, na_action=None, meta=None, is_monotonic=False):
        """Return the Index of what a function, a dict or a Series makes of each value.

        Parameters
        ----------
        meta : pandas.Index, optional
            What the result looks like. Default, with a warning: what it is for the first values.
        is_monotonic : bool, default False
            The results ascend as the values do: divisions stay known.
        """
        warn_of_meta("map", meta)
        meta = meta.to_series() if isinstance(meta, pd.Index) else meta
        mapped = self.to_series()._mapped(arg, na_action=na_action, **({} if meta is None else {"meta": meta}))
        divisions = [plain_label(d) for d in pd.Index(self.divisions).map(arg)] if is_monotonic and self.known_divisions else []
        return Made(_core.call("with_index", [mapped._expr, mapped._expr], {"divisions": divisions} if divisions else {}))

    def map_partitions(self, func, *args, meta=no_default, **kwargs):
        """Return what a Python function makes of the pandas Index of each partition; see `DataFrame.map_partitions`."""
        rows = new_collection(self._expr)
        try:
            made = func(sample_of(self._expr).index, *args, **kwargs) if meta is no_default else meta
        except Exception:  # made-up values say nothing to it
            made = func(rows.partitions[0].compute().index, *args, **kwargs)
        given = {} if meta is no_default else {"meta": meta.to_series() if isinstance(meta, pd.Index) else meta}
        out = map_partitions(_OfIndex(func), rows, *args, **given, **kwargs)
        return Made(_core.call("with_index", [out._expr, out._expr], {})) if isinstance(made, pd.Index) else out

    def unique(self, **kwargs):
        """Return the distinct values in order of first appearance, an Index of one partition."""
        distinct = self.to_series().drop_duplicates()
        return Index(_core.call("with_index", [distinct._expr, distinct._expr], {}))

    drop_duplicates = unique

    def _with(self, values):
        return Index(_core.call("with_index", [values._expr, values._expr], {}))

    def astype(self, dtype):
        """Return the Index with values of another dtype."""
        return self._with(self.to_series().astype(dtype))

    def head(self, n=5, npartitions=1, compute=True):
        """Return the first `n` values; computed unless compute=False."""
        first = Index(self.to_series().head(n, npartitions=npartitions, compute=False)._expr)
        return first.compute() if compute else first

    def tail(self, n=5, compute=True):
        """Return the last `n` values; computed unless compute=False."""
        last = Index(self.to_series().tail(n, compute=False)._expr)
        return last.compute() if compute else last

    def shift(self, periods=1, freq=None):
        """Return the Index of times moved by `periods` times `freq`, which is their own if it is not given and they have one; of periods by as many of theirs.

        Divisions stay known where every time is moved by the same span.
        """
        meta = self._meta
        if isinstance(meta, pd.PeriodIndex):
            if freq is not None:
                raise TypeError("`freq` argument is not supported for PeriodIndex.shift")
        else:
            if not isinstance(meta, (pd.DatetimeIndex, pd.TimedeltaIndex)):
                raise NotImplementedError(f"This method is only implemented for DatetimeIndex, PeriodIndex and TimedeltaIndex; Got type {type(meta).__name__}")
            freq = frequency_of(self._expr) if freq is None else freq
        moved = through("shift", _shifted, (self,), {"periods": periods, "freq": freq})
        divisions = shifted_divisions(self, periods, freq)
        out = Index(_core.call("with_index", [moved._expr, moved._expr], {"divisions": divisions} if divisions else {}))
        if not isinstance(meta, pd.PeriodIndex):
            note_frequency(out._expr, shifted_frequency(self._expr, periods, freq, isinstance(meta, pd.TimedeltaIndex)))
        return out

    def quantile(self, q=0.5):
        """Return exact quantiles of the values, lazy."""
        return self.to_series().quantile(q)

    @property
    def dt(self):
        """Calendar fields of the values, Series beside the rows."""
        return self.to_series().dt

    def min(self, **kwargs):
        """Return the smallest value, lazy."""
        return self.to_series().min(**kwargs)

    def max(self, **kwargs):
        """Return the largest value, lazy."""
        return self.to_series().max(**kwargs)

    def count(self, **kwargs):
        """Return the number of values that are not missing, lazy."""
        return self.to_series().count(**kwargs)

    def nunique(self, **kwargs):
        """Return the number of distinct values, lazy."""
        return self.to_series().nunique(**kwargs)

    def all(self, **kwargs):
        """Return whether all values are true, lazy."""
        return self.to_series().all(**kwargs)

    def any(self, **kwargs):
        """Return whether any value is true, lazy."""
        return self.to_series().any(**kwargs)

    def nunique_approx(self, split_every=None):
        """Return the number of distinct values, exactly."""
        return self.to_series().nunique_approx(split_every)

    @property
    def nbytes(self):
        """Bytes of the values, lazy."""
        return self.to_series().nbytes

    def isin(self, values):
        """Return whether each value is one of `values`."""
        return self.to_series().isin(values)

    def __repr__(self):
        return _repr.index_text(self)


class Made(Index):
    """The Index of values that a function made: no range, though they may be numbers in a row."""

    def _finish(self, result):
        index = super()._finish(result)
        return pd.Index(index.to_numpy(), name=index.name) if isinstance(index, pd.RangeIndex) else index


class _OfIndex:
    """A function of an Index as one of the rows that have it."""

    def __init__(self, func):
        self.func = func
        self.__name__ = getattr(func, "__name__", type(func).__name__)

    def __call__(self, part, *args, **kwargs):
        made = self.func(part.index, *args, **kwargs)
        return made.to_series() if isinstance(made, pd.Index) else made


def _to_series(index, name):
    return index.to_series(name=name)


def _shifted(index, periods, freq):
    return pd.Series(index.shift(periods, freq), index=index)


def _operator(name):
    def run(self, *others):
        values = [o.to_series() if isinstance(o, Index) else o for o in others]
        return self._with(getattr(self.to_series(), name)(*values))

    run.__name__ = name
    run.__doc__ = f"""Return `{name}` of the values, an Index."""
    return run


def _comparison(name):
    def run(self, other):
        return getattr(self.to_series(), name)(other)

    run.__name__ = name
    run.__doc__ = f"""Return `{name}` of the values, a Series beside the rows: a mask of them."""
    return run


for _name in "lt le gt ge eq ne".split():
    setattr(Index, f"__{_name}__", _comparison(f"__{_name}__"))
for _name in "add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow neg abs".split():
    setattr(Index, f"__{_name}__", _operator(f"__{_name}__"))
Index.__hash__ = Collection.__hash__


def _field(name):
    def read(self):
        return through(name, _calendar, (self,), {"field": name})

    read.__doc__ = f"""`{name}` of each time, a Series beside the rows."""
    return property(read, doc=read.__doc__)


def _calendar(index, field):
    return pd.Series(getattr(index, field), index=index)


for _name in (
    "year month day hour minute second microsecond nanosecond dayofweek weekday dayofyear quarter days_in_month is_month_start is_month_end is_year_start "
    "is_year_end"
).split():
    setattr(Index, _name, _field(_name))
for _name in ("is_monotonic_increasing", "is_monotonic_decreasing", "is_unique"):
    setattr(Index, _name, property(lambda self, name=_name: getattr(self.to_series(), name), doc=f"`{_name}` of the values, lazy."))
