"""DataFrames from tasks, and tasks from DataFrames."""

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import node_of
from muster._base.tokenize import tokenize
from muster._base.values import no_default, plain_label
from muster._border.calls import current_partition
from muster._border.values import value_of
from muster._collections import running
from muster._core import TaskNode
from muster.dataframe._collection import new_collection
from muster.dataframe._meta import meta_object


class _Checked:
    """The value of a partition's task. Raises where it is no pandas object, or its columns are not what meta says, if there are such."""

    __name__ = "from_delayed"

    def __init__(self, columns):
        self.columns = columns

    def __call__(self, held):
        part = value_of(held)
        if not isinstance(part, (pd.DataFrame, pd.Series)):
            raise TypeError(f"from_delayed: the task of partition {current_partition()} returned a {type(part).__name__}, not a pandas object")
        if self.columns is None:
            return part
        got = list(part.columns) if isinstance(part, pd.DataFrame) else [part.name]
        if got != self.columns:
            raise ValueError(
                f"Metadata mismatch found in `from_delayed`: the task of partition {current_partition()} returned the columns {got}, "
                f"expected {self.columns}"
            )
        return part


def from_delayed(dfs, meta=no_default, divisions=None, prefix="from-delayed", verify_meta=True):
    """Return the DataFrame or Series whose partitions are the values of tasks.

    Parameters
    ----------
    dfs : Delayed, Future or iterable of these
        Each gives a pandas object of the same columns.
    meta : pandas object, dict or list of pairs, optional
        Names and dtypes; a value that they do not hold is an error. Default: those of the first, which is computed, and wider where others show it.
    divisions : tuple, optional
        Index values at the borders.
    verify_meta : bool, default True
        Check the columns of each, and that a given `meta` holds their values.

    Raises
    ------
    TypeError
        If `dfs` has something that is not lazy.
    ValueError
        If there are not as many divisions as tasks, and one more.

    Examples
    --------
    >>> import muster, pandas as pd, muster.dataframe as dd
    >>> parts = [muster.delayed(pd.DataFrame)({"x": [i, i + 1]}) for i in range(2)]
    >>> int(dd.from_delayed(parts).x.sum().compute())
    4
    """
    dfs = list(dfs) if isinstance(dfs, (list, tuple, set)) or hasattr(dfs, "__next__") else [dfs]
    if not dfs:
        raise TypeError("Must supply at least one delayed object")
    nodes = []
    for d in dfs:
        node = d if isinstance(d, TaskNode) else node_of(d)
        if node is None:
            raise TypeError(f"Expected Delayed object, got {type(d).__name__}")
        nodes.append(node)
    if divisions is not None and len(divisions) != len(nodes) + 1:
        raise ValueError(f"divisions should be a tuple of len(dfs) + 1, got {len(divisions)} for {len(nodes)} tasks")
    same = _partitions_of_one(nodes)
    if same is not None and (meta is no_default or meta is None or _looks_like(same._meta, meta_object(meta))):
        return same
    forced = verify_meta and meta is not no_default and meta is not None
    if meta is no_default or meta is None:
        meta = running.compute(nodes[0], traverse=False)[0]
        if not isinstance(meta, (pd.DataFrame, pd.Series)):
            raise TypeError(f"from_delayed: the task of partition 0 returned a {type(meta).__name__}, not a pandas object")
        meta = meta.iloc[:0]
    else:
        meta = meta_object(meta)
    checked = list(meta.columns) if isinstance(meta, pd.DataFrame) else [meta.name]
    out = of_tasks(nodes, meta, _Checked(checked if verify_meta else None), forced)
    if divisions is None or any(d is None for d in divisions):
        return out
    return new_collection(_core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": plain_label(list(divisions))}))


def of_tasks(nodes, meta, value=value_of, forced=False):
    """Return the collection whose partitions are what the nodes give; `value` takes it out of the row that holds it."""
    values = new_collection(_core.from_values(nodes, tokenize([n.key for n in nodes])))
    return values.map_partitions(value, meta=meta, enforce_metadata=forced)


def _partitions_of_one(nodes):
    """Return the frame whose partitions, some or all, the nodes stand for; None if they stand for anything else."""
    if not all(getattr(n._function, "of_collection", False) for n in nodes):
        return None
    exprs = [n._arguments[0]._expr for n in nodes]
    if any(e.op != "partitions" or len(e.args["partitions"]) != 1 or e.inputs[0].id != exprs[0].inputs[0].id for e in exprs):
        return None
    frame, chosen = new_collection(exprs[0].inputs[0]), [e.args["partitions"][0] for e in exprs]
    return frame if chosen == list(range(frame.npartitions)) else frame.partitions[chosen]


def _looks_like(ours, meta):
    if type(ours) is not type(meta):
        return False
    one, other = ([*zip(m.columns, m.dtypes, strict=True)] if isinstance(m, pd.DataFrame) else [(m.name, m.dtype)] for m in (ours, meta))
    return one == other and ours.index.names == meta.index.names


def to_delayed(frame):
    """Return a list of Delayed, the pandas objects of the partitions."""
    return [frame.partitions[i].__muster_node__() for i in range(frame.npartitions)]
