"""Futures inside containers."""

from muster._base.tasks import NOT_LAZY, unpack
from muster.distributed._future import Future, FutureNode, futures_of


def future_of(value):
    """Return the future that a value is or stands for, None for any other value."""
    if type(value) is Future:
        return value
    return value.future if isinstance(value, FutureNode) else None


def inside(futures):
    """Return the futures inside a value, each once."""
    found = []

    def see(value):
        if getattr(value, "_expr", None) is not None:
            found.extend(futures_of(value))
            return value
        future = future_of(value)
        if future is None:
            return NOT_LAZY
        found.append(future)
        return value

    unpack(futures, see)
    return found
