"""Futures inside lists, tuples, sets and dicts."""

from muster._tasks import NOT_LAZY, unpack
from muster.distributed._future import Future, FutureNode


def inside(futures):
    found = []

    def see(value):
        if type(value) is Future:
            found.append(value)
            return value
        if isinstance(value, FutureNode):
            found.append(value.future)
            return value
        return NOT_LAZY

    unpack(futures, see)
    return found


def without(value, bad):
    """Leave futures out of lists, tuples, sets and dicts."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(without(v, bad) for v in value if not (type(v) is Future and v._id in bad))
    if isinstance(value, dict):
        return {k: without(v, bad) for k, v in value.items() if not (type(v) is Future and v._id in bad)}
    return value
