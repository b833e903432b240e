"""Accessors of one's own, as pandas' and Dask's.

Examples
--------
>>> import muster.dataframe as dd
>>> @dd.extensions.register_series_accessor("doubled")
... class Doubled:
...     def __init__(self, series):
...         self.series = series
...     def sum(self):
...         return (self.series * 2).sum()
>>> dd.from_dict({"x": [1, 2]}, npartitions=1).x.doubled.sum().compute()
np.int64(6)
"""

from collections.abc import Callable
from typing import TypeVar

from muster.dataframe._frame import DataFrame
from muster.dataframe._index import Index
from muster.dataframe._series import Series

_Made = TypeVar("_Made")


class _Accessor:
    """Makes the accessor's object when it is asked for."""

    def __init__(self, name, made):
        self.name, self.made = name, made

    def __get__(self, collection, owner):
        return self.made if collection is None else self.made(collection)


def _registers(cls, name):
    def register(accessor):
        if hasattr(cls, name):
            import warnings

            warnings.warn(
                f"registration of accessor {accessor!r} under name {name!r} for type {cls.__name__!r} is overriding a preexisting attribute with the same "
                "name.",
                UserWarning, stacklevel=2
            )
        setattr(cls, name, _Accessor(name, accessor))
        return accessor

    return register


def register_dataframe_accessor(name: str) -> Callable[[type[_Made]], type[_Made]]:
    """Return a decorator that makes a class the accessor ``df.<name>``; it is called with the DataFrame."""
    return _registers(DataFrame, name)


def register_series_accessor(name: str) -> Callable[[type[_Made]], type[_Made]]:
    """Return a decorator that makes a class the accessor ``series.<name>``; it is called with the Series."""
    return _registers(Series, name)


def register_index_accessor(name: str) -> Callable[[type[_Made]], type[_Made]]:
    """Return a decorator that makes a class the accessor ``index.<name>``; it is called with the Index."""
    return _registers(Index, name)
