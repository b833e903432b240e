"""Values of tasks as rows of the engine, a row each."""

from muster._base.libraries import np


class Held:
    """A value in a row: an object, whatever it is itself."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def payload_of(value):
    """Return the payload of a column of one row that holds a value. Called by the engine."""
    return np.zeros(1, dtype=np.int64), [Held(value)]


def value_of(part):
    """Return the value that a partition's one row holds."""
    return part.iloc[0, 0].value
