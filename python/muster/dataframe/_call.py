"""From a method call to an expression: what every generated method does."""

import enum
import sys

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import refuse_to_come
from muster._base.values import plain, plain_label
from muster._border.pandas import dtype_of, is_foreign_number
from muster.dataframe._collection import new_collection
from muster.dataframe._instead import instead, is_in_lazy
from muster.dataframe._split_out import spread


def _call(op, self, args):
    """Return the collection that operator `op` makes of `self`."""
    return spread(_made(op, self, args), args["split_out"]) if args.get("split_out") is not None else _made(op, self, args)


def _made(op, self, args):
    for value in args.values():
        refuse_to_come(value)
    if op == "isin" and (found := is_in_lazy(self, args["values"])) is not None:
        return found
    try:
        if "other" in args and not _is_operand(args["other"]):
            raise TypeError(f"{op}: an operand of type {type(args['other']).__name__} is not supported")
        if args.get("numeric_only") is True and has_foreign_numbers(self._expr):
            raise NotImplementedError(f"{op}: of nullable numbers")
        if "other" in args and _keeps_its_dtype(op, self, args["other"]):
            raise NotImplementedError(f"{op}: a float64 beside a float32 column")
        if op == "astype":
            _refuse_foreign_texts(args["dtype"])
        given = {**args, "missing": _finds_missing(self, args["values"])} if op == "isin" else args
        return new_collection(_core.call(op, [self._expr], {k: _plain_argument(self, k, v) for k, v in given.items()}))
    except (NotImplementedError, TypeError) as refusal:
        return instead(op, self, args, refusal)


def _plain_argument(self, name, value):
    """An argument as the engine takes it: labels where the operator takes labels, or a dict by label."""
    if name in ("columns", "subset", "column", "name", "label"):
        return plain_label([value] if name in ("columns", "subset") and isinstance(value, tuple) and value in self else value)
    return {plain_label(k): plain(v) for k, v in value.items()} if isinstance(value, dict) else plain(value)


def _refuse_foreign_texts(dtype):
    for wanted in dtype.values() if isinstance(dtype, dict) else [dtype]:
        if str(wanted) == "string":
            raise NotImplementedError("astype: text with pandas.NA; the engine's has NaN, as pandas' 'str'")
        if plain(wanted) in ("object", "O"):
            raise NotImplementedError("astype: text as objects; the engine has it as pandas' 'str'")


def has_foreign_numbers(expr):
    """Whether a column is of numbers or bools that the engine carries without opening."""
    foreign = [name for _, name, _ in expr.columns if name.startswith("object:")]
    if not foreign:
        return False
    return any(is_foreign_number(name) for name in foreign)


def _finds_missing(self, values):
    """Whether a missing value of each column is among values, as pandas has it; None where none of them is missing."""
    by_label = values if isinstance(values, dict) else None
    lists = [by_label.get(label, ()) for label, _, _ in self._expr.columns] if by_label is not None else [values]
    if not any(_has_missing(v) for v in lists):
        return None
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
        return bool(pd.isna(values).any())
    return any(v is None or type(v).__name__ in ("NaTType", "NAType") or (v != v) is True or isinstance(v, float) and v != v for v in values)


_COMPARISONS = frozenset("eq ne lt le gt ge".split())


def _keeps_its_dtype(op, self, value):
    """Whether a number is compared as NumPy's float64 with float32 columns; a Python float, and any number in arithmetic, gives way to the column's dtype."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and op in _COMPARISONS and isinstance(value, numpy.float64) and any(name == "float32" for _, name, _ in self._expr.columns)


def _operator(op, self, args):
    """As `_call`, for Python's operators: NotImplemented lets Python try the other side, as the operators of a Delayed."""
    if isinstance(args.get("other"), _core.TaskNode):
        return NotImplemented
    refuse_to_come(args.get("other"))  # which Python would compare by identity
    if "other" in args and not _is_scalar_of_pandas(args["other"]) and not _is_operand(args["other"]):
        return NotImplemented
    return _call(op, self, args)


def _is_scalar_of_pandas(value):
    """Whether a value beside a column is pandas' to judge, not the value's own: a number, time or container of Python's library, pandas or NumPy."""
    return type(value).__module__.split(".")[0] in ("pandas", "numpy", "datetime", "decimal", "fractions", "uuid", "builtins") or isinstance(value, enum.Enum)


def _aggregate(op, self, args):
    """Return the collection of an aggregation of grouped rows."""
    kwargs = {k: v for k, v in args.items() if not k.startswith(("split_", "shuffle_"))}
    try:
        aggregated = self._native(op, {k: plain(v) for k, v in kwargs.items()})
    except (NotImplementedError, TypeError):
        aggregated = self._method(op.removeprefix("groupby."), (), kwargs)
    return spread(aggregated, args.get("split_out"))


def _is_operand(value):
    if isinstance(value, (list, tuple, dict, set)):
        return False
    value = plain(value)
    return value is None or isinstance(value, (str, bool, int, float, _core.Moment, _core.Expr))
