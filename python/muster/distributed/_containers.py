"""Futures inside containers."""

from muster._base.tasks import NOT_LAZY, unpack
from muster._core import TaskNode
from muster.distributed._future import Future, FutureNode, all_futures_of


def future_of(value):
    """Return the future that a value is or stands for, None for any other value."""
    if type(value) is Future:
        return value
    return value.future if isinstance(value, FutureNode) else None


def inside(futures):
    """Return the futures inside a value, whatever became of them."""
    found = []

    def see(value):
        if getattr(value, "_expr", None) is not None:
            found.extend(all_futures_of(value))
            return value
        future = future_of(value)
        if future is not None:
            found.append(future)
        elif isinstance(value, TaskNode) or hasattr(type(value), "__muster_nodes__"):
            found.extend(all_futures_of(value))
        else:
            return NOT_LAZY
        return value

    unpack(futures, see)
    return found
