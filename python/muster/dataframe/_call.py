"""From a method call to an expression: what every generated method does."""

import enum
import sys

from muster import _core
from muster._base.values import plain


def _call(op, self, args):
    """Return the collection that operator `op` makes of `self`."""
    from muster.dataframe._collection import new_collection

    try:
        if "other" in args and not _is_operand(args["other"]):
            raise TypeError(f"{op}: an operand of type {type(args['other']).__name__} is not supported")
        if args.get("numeric_only") is True and has_foreign_numbers(self._expr):
            raise NotImplementedError(f"{op}: of nullable numbers")
        if "other" in args and _keeps_its_dtype(op, self, args["other"]):
            raise NotImplementedError(f"{op}: a float64 beside a float32 column")
        if op == "astype" and any(str(d) == "string" for d in (args["dtype"].values() if isinstance(args["dtype"], dict) else [args["dtype"]])):
            raise NotImplementedError("astype: text with pandas.NA; the engine's has NaN, as pandas' 'str'")
        given = {**args, "missing": _finds_missing(self, args["values"])} if op == "isin" else args
        return new_collection(_core.call(op, [self._expr], {k: plain([v] if k in ("columns", "subset") and isinstance(v, tuple) and v in self else v) for k, v in given.items()}))
    except (NotImplementedError, TypeError) as refusal:
        from muster.dataframe._through_pandas import instead

        return instead(op, self, args, refusal)


def has_foreign_numbers(expr):
    """Whether a column is of numbers or bools that the engine carries without opening."""
    foreign = [name for _, name, _ in expr.columns if name.startswith("object:")]
    if not foreign:
        return False
    from muster._border.pandas import is_foreign_number

    return any(is_foreign_number(name) for name in foreign)


def _finds_missing(self, values):
    """Whether a missing value of each column is among values, as pandas has it; None where none of them is missing."""
    by_label = values if isinstance(values, dict) else None
    lists = [by_label.get(label, ()) for label, _, _ in self._expr.columns] if by_label is not None else [values]
    if not any(_has_missing(v) for v in lists):
        return None
    import pandas as pd

    from muster._border.pandas import dtype_of

    def found(name, given):
        if not _has_missing(given):
            return False
        dtype = "float64" if name.startswith(("int", "uint")) else object if name == "bool" else dtype_of(name)  # what such columns of files become
        try:
            return bool(pd.Series([float("nan") if dtype is object else None], dtype=dtype).isin(given).iloc[0])
        except (TypeError, ValueError, OverflowError):
            return True
    return [found(name, given) for (_, name, _), given in zip(self._expr.columns, lists * (len(self._expr.columns) if by_label is None else 1), strict=True)]


def _has_missing(values):
    if isinstance(values, (str, bytes)) or hasattr(values, "_expr") or not hasattr(values, "__iter__"):
        return False
    if hasattr(values, "dtype"):
        import pandas as pd

        return bool(pd.isna(values).any())
    return any(v is None or type(v).__name__ in ("NaTType", "NAType") or (v != v) is True or isinstance(v, float) and v != v for v in values)


_COMPARISONS = frozenset("eq ne lt le gt ge".split())


def _keeps_its_dtype(op, self, value):
    """Whether a number is compared as NumPy's float64 with float32 columns; a Python float, and any number in arithmetic, gives way to the column's dtype."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and op in _COMPARISONS and isinstance(value, numpy.float64) and any(name == "float32" for _, name, _ in self._expr.columns)


def _operator(op, self, args):
    """As `_call`, for Python's operators: NotImplemented lets Python try the other side."""
    if "other" in args and not _is_scalar_of_pandas(args["other"]) and not _is_operand(args["other"]):
        return NotImplemented
    return _call(op, self, args)


def _is_scalar_of_pandas(value):
    """Whether a value beside a column is pandas' to judge, not the value's own: a number, time or container of Python's library, pandas or NumPy."""
    return type(value).__module__.split(".")[0] in ("pandas", "numpy", "datetime", "decimal", "fractions", "uuid", "builtins") or isinstance(value, enum.Enum)


_UFUNCS = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "true_divide": "truediv", "floor_divide": "floordiv", "remainder": "mod", "power": "pow"}
_UFUNCS.update({"equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "logical_and": "and", "logical_or": "or", "bitwise_and": "and", "bitwise_or": "or"})
_FOLDS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_TURNED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def mirrored(op):
    """Return the operator that gives the same with its operands exchanged."""
    return _TURNED.get(op) or (op[1:] if op.startswith("r") else f"r{op}")


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
    outputs = [collections[0].map_partitions(_ufunc_of_partition, *collections[1:], function=function, constants=constants, keywords=kwargs, output=n) for n in range(function.nout)]
    return outputs[0] if function.nout == 1 else tuple(outputs)


def _ufunc_of_partition(*partitions, function, constants, keywords, output):
    partitions = iter(partitions)
    result = function(*(next(partitions) if c is None else c for c in constants), **keywords)
    return result if function.nout == 1 else result[output]


def _is_scalar(value):
    import pandas as pd

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
    from muster._collections.running import compute

    args, kwargs = compute(list(args), kwargs)
    return function(*args, **kwargs)


def _aggregate(op, self, args):
    """Return the collection of an aggregation of grouped rows."""
    kwargs = {k: v for k, v in args.items() if not k.startswith(("split_", "shuffle_"))}
    try:
        return self._native(op, {k: plain(v) for k, v in kwargs.items()})
    except (NotImplementedError, TypeError):
        return self._method(op.removeprefix("groupby."), (), kwargs)


def _is_operand(value):
    if isinstance(value, (list, tuple, dict, set)):
        return False
    value = plain(value)
    return value is None or isinstance(value, (str, bool, int, float, _core.Moment, _core.Expr))
