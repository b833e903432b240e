"""DataFrames whose columns are labelled by categories, or by labels with a name: the engine's schema is a list of labels alone."""

import functools

from muster._border.known_columns import note_columns
from muster.dataframe._collection import new_collection


def labelled(frame, columns):
    """Return a frame with a pandas Index of the same labels as its columns, lazily and computed; what is made of it keeps their names."""
    note_columns(frame._expr, columns)
    out = _class_of(type(new_collection(frame._expr)))(frame._expr)
    out.__dict__["_index_of_columns"] = columns
    return out


class _KeepsColumns:
    """What such a frame has before what a DataFrame has."""

    def _with_columns(self, data):
        columns = self.__dict__["_index_of_columns"]
        if list(data.columns) == list(columns):  # else they were changed in place
            data.columns = columns
        return data

    @property
    def _meta(self):
        return self._with_columns(super()._meta)

    def _finish(self, result):
        return self._with_columns(result)

    def _over(self, expr):
        return labelled(new_collection(expr), self.__dict__["_index_of_columns"])

    def __reduce__(self):
        return labelled, (new_collection(self._expr), self.__dict__["_index_of_columns"])


@functools.cache
def _class_of(base):
    return type(base.__name__, (_KeepsColumns, base), {"__doc__": base.__doc__, "__module__": base.__module__})
