"""The scalar."""

import operator

from muster._base.libraries import pd
from muster._generated.scalar import ScalarMethods
from muster.dataframe._collection import Collection, collection_of
from muster.dataframe._numpy import NumpyProtocol
from muster.dataframe._through_pandas import through


def _as_series(value, index):
    return pd.Series([value], index=[index])


@collection_of("scalar")
class Scalar(ScalarMethods, NumpyProtocol, Collection):
    """A lazy value, such as the sum of a column."""

    @property
    def dtype(self):
        """The dtype."""
        return self._meta.dtype

    def __repr__(self):
        return f"<muster Scalar: {self._expr.op}, dtype={self._expr.columns[0][1]}>"

    def to_series(self, index=0):
        """Return the value as a Series of one row with this index value."""
        return through("to_series", _as_series, (self,), {"index": index}, shape="partitions", labels=False)

    def __int__(self):
        return int(self.compute())

    def __float__(self):
        return float(self.compute())

    def __index__(self):
        return operator.index(self.compute())

    def __bool__(self):
        raise TypeError(
            f"Trying to convert {self!r} to a boolean value. Because muster objects are lazily evaluated, they cannot be converted to a boolean value or used "
            "in boolean conditions like if statements. Try calling .compute() to force computation prior to converting to a boolean value or using in a "
            "conditional statement."
        )


class Count(Scalar):
    """How many rows or values there are: computed a Python int."""

    def _finish(self, result):
        return int(result)
