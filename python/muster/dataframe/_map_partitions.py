"""Python functions of partitions: the expression, and what the result looks like before it is computed."""

import functools

from muster import _core
from muster._call import no_default
from muster.dataframe._collection import Collection, Frame, new_collection


class _PartitionFunction:
    """A user's function with its further arguments; what it returned in object columns is kept in `objects`."""

    def __init__(self, func, args, kwargs):
        self.func, self.args, self.kwargs = func, args, kwargs
        self.objects = []

    def __call__(self, part):
        return self.func(part, *self.args, **self.kwargs)


def _meta_fields(meta):
    import pandas as pd

    from muster._pandas import fields_of

    if isinstance(meta, dict):
        meta = list(meta.items())
    if isinstance(meta, list):
        meta = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in meta})
    elif isinstance(meta, tuple) and len(meta) == 2:
        meta = pd.Series([], dtype=meta[1], name=meta[0])
    elif not isinstance(meta, (pd.DataFrame, pd.Series)):
        meta = pd.Series([meta])
    index, fields = fields_of(meta)
    return ("series" if isinstance(meta, pd.Series) else "frame"), index, fields


def map_partitions(func, *args, meta=no_default, enforce_metadata=True, **kwargs):
    """Return what a Python function makes of each partition of the first collection; see `DataFrame.map_partitions`."""
    frame = next((a for a in args if isinstance(a, Frame)), None)
    if frame is None or args[0] is not frame or any(isinstance(a, Collection) for a in [*args[1:], *kwargs.values()]):
        raise NotImplementedError("map_partitions: one lazy collection, as the first argument")
    if not callable(func):
        raise TypeError(f"map_partitions: func must be callable, got {type(func).__name__}")
    from muster._pandas import sample_of
    from muster._tokenize import function_token, tokenize

    function = _PartitionFunction(func, args[1:], kwargs)
    if meta is no_default:
        try:
            meta = function(sample_of(frame._expr))
        except Exception:
            meta = function(frame.partitions[0].compute())
    kind, index, fields = _meta_fields(meta)
    token = f"{getattr(func, '__name__', type(func).__name__)}-{function_token(func)}-{tokenize(args[1:], kwargs)}"
    code = {"frame": 0, "series": 1}[kind]
    expr = _core.call(
        "map_partitions",
        [frame._expr],
        {
            "func": _core.object(function, token),
            "label": getattr(func, "__name__", type(func).__name__),
            "kind": code,
            "fields": [[f[0], _dtype_code(f[1])] for f in fields],
            "index": [[f[0], _dtype_code(f[1])] for f in index],
        },
    )
    return new_collection(expr)


@functools.cache
def _dtype_code(name):
    return _core.dtype_code(name)

