"""NumPy's functions of collections: operators and methods where there are such, else NumPy's own on each partition or of the values."""

from muster._base.libraries import pd
from muster._collections import running
from muster.dataframe._call import _operator
from muster.dataframe._through_pandas import mirrored

_UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "true_divide": "truediv", "floor_divide": "floordiv", "remainder": "mod",
    "power": "pow"
}
_UFUNCS.update(
    {
        "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "logical_and": "and", "logical_or": "or",
        "bitwise_and": "and", "bitwise_or": "or"
    }
)
_FOLDS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}


def ufunc(self, function, method, inputs, kwargs):
    """Return what a NumPy ufunc makes of a collection: an operator where there is one, else NumPy's own on each partition."""
    if method in ("reduce", "accumulate") and function.__name__ in _FOLDS and len(inputs) == 1 and set(kwargs) <= {"axis"} and inputs[0].ndim == 1:
        name = _FOLDS[function.__name__]
        return getattr(self, name if method == "reduce" else f"cum{name}")()
    if method != "__call__" or not kwargs.keys() <= {"casting", "dtype"}:
        return NotImplemented
    op = None if kwargs else _UFUNCS.get(function.__name__)
    if op is not None and len(inputs) == 2:
        if hasattr(inputs[0], "_expr"):
            return _operator(op, inputs[0], {"other": inputs[1]})
        return _operator(mirrored(op), inputs[1], {"other": inputs[0]})
    if any(not hasattr(i, "_expr") and not _is_scalar(i) for i in inputs):
        return NotImplemented
    collections = [i for i in inputs if hasattr(i, "_expr")]
    constants = [None if hasattr(i, "_expr") else i for i in inputs]
    outputs = [
        collections[0].map_partitions(_ufunc_of_partition, *collections[1:], function=function, constants=constants, keywords=kwargs, output=n)
        for n in range(function.nout)
    ]
    return outputs[0] if function.nout == 1 else tuple(outputs)


def _ufunc_of_partition(*partitions, function, constants, keywords, output):
    partitions = iter(partitions)
    result = function(*(next(partitions) if c is None else c for c in constants), **keywords)
    return result if function.nout == 1 else result[output]


def _is_scalar(value):
    return value is not None and pd.api.types.is_scalar(value)



_REDUCTIONS = frozenset("sum prod mean std var min max any all median cumsum cumprod".split())
_OVER_ALL = _REDUCTIONS - {"cumsum", "cumprod"}  # of a table NumPy makes one value, unless an axis is named


def array_function(function, args, kwargs):
    """Return what a NumPy function makes of collections: the method of that name where there is one, else NumPy's own of the values, which are computed."""
    name = {"amin": "min", "amax": "max", "around": "round"}.get(function.__name__, function.__name__)
    given = {k: v for k, v in kwargs.items() if v is not None and v is not False and type(v).__name__ != "_NoValueType"}
    first = args[0] if args and hasattr(args[0], "_expr") and hasattr(args[0], "ndim") else None
    if first is not None and name == "round" and len(args) <= 2 and set(given) <= {"decimals"}:
        return first.round(*args[1:], **given)
    if first is not None and name == "clip" and set(given) <= {"a_min", "a_max", "min", "max"}:
        lower, upper = (args[1:] + (None, None))[:2]
        return first.clip(given.get("a_min", given.get("min", lower)), given.get("a_max", given.get("max", upper)))
    if first is not None and name in _REDUCTIONS and len(args) == 1 and set(given) <= {"axis", "ddof"}:
        if name in ("std", "var"):
            given.setdefault("ddof", 0)
        if name in _OVER_ALL and first.ndim == 2:
            given.setdefault("axis", None)
        return getattr(first, name)(**given)
    args, kwargs = running.compute(list(args), kwargs)
    return function(*args, **kwargs)


class NumpyProtocol:
    """What NumPy's functions ask of a collection."""

    def __array_ufunc__(self, function, method, *inputs, **kwargs):
        return ufunc(self, function, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return array_function(function, args, kwargs)
