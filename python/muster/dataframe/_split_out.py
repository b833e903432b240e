"""split_out: in how many partitions a result is."""

from muster import _core
from muster.dataframe._collection import new_collection


def spread(result, split_out):
    """Return a result of one partition in `split_out` partitions of about equal size, its rows in their order; as it is where none are asked for."""
    if split_out is None or isinstance(split_out, bool) or split_out == 1:
        return result
    if not isinstance(split_out, int) or split_out < 1:
        raise ValueError(f"split_out must be a positive integer or a bool, got {split_out!r}")
    return new_collection(_core.call("repartition", [result._expr], {"partitions": split_out}))
