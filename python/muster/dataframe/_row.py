"""A row: what a reduction of a DataFrame gives, a Series over its columns. The engine holds a column for each of its values."""

from muster import _core
from muster._base.values import plain_label
from muster.dataframe._beside import is_mask
from muster.dataframe._collection import Collection, collection_of, new_collection
from muster.dataframe._scalar import Scalar
from muster.dataframe._series import Series
from muster.dataframe._through_pandas import call, through

# What the engine does with each value by itself; all else looks at the values as rows of one column.
_BY_VALUE = (
    "add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow div divide rdiv eq ne lt le gt ge and or xor rand ror rxor"
).split()
_OWN = {
    *_BY_VALUE, *(f"__{name}__" for name in _BY_VALUE),
    *"__abs__ __neg__ __pos__ __invert__ abs isna isnull notna notnull round name ndim divisions known_divisions".split(),
    *"__getitem__ __repr__ __setattr__ __getattr__".split()
}


def _same(values):
    return values


@collection_of("row")
class Row(Series):
    """A Series over the columns of a DataFrame."""

    def _as_series(self):
        return through("row", _same, (self,), shape="partitions", labels=False)

    @property
    def divisions(self):
        """The first and the last label."""
        labels = self._ordered_labels()
        return (labels[0], labels[-1]) if labels else super().divisions

    @property
    def known_divisions(self):
        """Whether the labels can be put in order."""
        return bool(self._ordered_labels())

    def _ordered_labels(self):
        try:
            return sorted(self._meta.columns)
        except TypeError:
            return []

    def __getitem__(self, key):
        if not isinstance(key, (list, Series)) and not is_mask(key):
            value = new_collection(_core.call("getitem", [self._expr], {"key": plain_label(key)}))
            if isinstance(value, Scalar):
                return value
        return call(self, "__getitem__", (key,), shape="partitions", labels=False)


def _forward(name):
    own = getattr(Series, name)
    if isinstance(own, property):
        setattr(Row, name, property(lambda self: getattr(self._as_series(), name), doc=own.__doc__))
        return

    def run(self, *args, **kwargs):
        return getattr(self._as_series(), name)(*args, **kwargs)

    run.__name__, run.__qualname__, run.__doc__ = name, f"Row.{name}", own.__doc__
    setattr(Row, name, run)


for _name in dir(Series):
    if (
        _name not in _OWN and getattr(Series, _name) is not getattr(Collection, _name, None)
        and (not _name.startswith("_") or _name in ("__len__", "__iter__", "__contains__"))
    ):
        _forward(_name)
