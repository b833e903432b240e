"""pandas' methods in place of the engine's operators, where these refuse their arguments."""

import operator
import sys

from muster import _core
from muster._base.libraries import pd
from muster._base.values import no_default, plain
from muster._border.pandas import has_unknown_categories, is_foreign_number, is_nullable, sample_of, unknown_categories
from muster._generated.operators import OPERATORS, SHAPES
from muster.dataframe._align import aligned, both_ascend, together
from muster.dataframe._ascending import order_of
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._known_index import note_frequency, shifted_frequency
from muster.dataframe._memory import in_one_partition
from muster.dataframe._through_pandas import Named, Slot, call, filled, in_memory, meta_beside, mirrored, shifted_divisions, through, whole

_BINARY = frozenset("add sub mul truediv floordiv mod pow eq ne lt le gt ge and or xor".split())
_ARITHMETIC = frozenset("add sub mul truediv floordiv mod pow radd rsub rmul rtruediv rfloordiv rmod rpow".split())
_COMPARISONS = frozenset("eq ne lt le gt ge".split())
_REDUCTIONS = frozenset("sum prod mean std var min max any all".split())


def instead(op, self, args, refusal):
    """Return what pandas makes of an operator's arguments that the native kernel refused; raise the refusal where there is no pandas method."""
    if op.startswith("dt."):
        return call(new_collection(self._expr), ("dt", op[3:]), attribute=True)
    shape = SHAPES.get(op)
    if self._expr.kind == "scalar" and op in OPERATORS and isinstance(args.get("other"), (pd.Series, pd.DataFrame)):
        rows = in_one_partition(args["other"])
        return getattr(rows, f"__{mirrored(op)}__")(self)
    has_method = op in OPERATORS or hasattr(pd.DataFrame if self._expr.kind == "frame" else pd.Series, op)
    if shape is None or not has_method or not isinstance(self, Collection):
        raise refusal
    if shape == "rows" and self._expr.kind == "series" and self._expr.columns[0][1:] == ("bool", True):
        shape = "beside"  # objects wherever one is missing: the rows of a partition do not tell
    kwargs = {k: v for k, v in args.items() if v is not no_default and not k.startswith(("split_", "shuffle_"))}  # how the engine spreads it is its own
    if self._expr.kind == "scalar":
        return _of_a_scalar(op, self, kwargs, refusal)
    if op in _REDUCTIONS and self._expr.kind == "frame" and kwargs.get("axis", 0) in (0, "index"):
        row = _of_each_column(op, self, kwargs)
        if row is not None:
            return row
    if op in OPERATORS and kwargs.get("level") is not None:
        raise NotImplementedError(f"{op}: level must be None")
    if (
        op in _ARITHMETIC and self.ndim == 2 and getattr(kwargs.get("other"), "ndim", 0) == 1
        and getattr(getattr(kwargs["other"], "_expr", None), "kind", "") == "series" and kwargs.get("axis", 1) in (1, "columns")
    ):
        said = _said(op)
        raise ValueError(
            f"Unable to {said} dd.Series with axis=1: its index would be matched with the columns; axis=0 matches rows, df.{said}(series, axis=0)"
        )
    if op in OPERATORS and self._expr.kind == "series" and isinstance(kwargs.get("other"), pd.DataFrame):
        raise ValueError(
            f"Unable to {op} a pandas DataFrame: its columns would be matched with the index of a lazy Series; make one row of it first, or a collection of "
            "both"
        )
    if op == "fillna" and isinstance(kwargs.get("value"), pd.Series):
        if self.ndim == 2:  # a value for each column
            return self.fillna(kwargs["value"].to_dict())
        return call(self, op, (), kwargs, shape="rows" if kwargs["value"].index.is_unique else "beside", meta=self._meta, labels=True)
    if isinstance(refusal, TypeError) and (op == "fillna" and _is_open(kwargs["value"]) or op == "isin" and not pd.api.types.is_list_like(kwargs["values"])):
        raise refusal
    if op == "astype":
        return _astype(self, kwargs["dtype"])
    first = "cond" if op in ("where", "mask") else "other"
    positional = [kwargs.pop(first)] if first in kwargs else []
    if positional and isinstance(positional[0], (list, tuple, dict, set)):
        raise TypeError(f"{op}: an operand of type {type(positional[0]).__name__} is not supported; use a scalar, an array or a collection")
    meta = _of_comparison(self, positional[0]) if op in _COMPARISONS and positional else no_default
    name = f"__{op}__" if op in OPERATORS and set(args) <= {"other"} else op  # pandas' methods treat None in object columns otherwise than its operators
    if (out := _aligned(op, name, self, positional, kwargs, meta)) is not None:
        return out
    if op in _COMPARISONS and set(kwargs) <= {"axis"}:
        kwargs = {}
    if self._expr.kind == "row":
        shape = "whole"
    elif kwargs.get("axis") in (1, "columns") and shape in ("whole", "beside"):
        shape = "rows"
    elif kwargs.get("freq") is not None:
        shape = "partitions"
    elif positional and in_memory(positional[0]):
        shape, meta = "whole", meta_beside(self, name, positional[0], kwargs)
    elif any(_other_rows(self, value) for value in (*positional, kwargs.get("other"))) or kwargs.get("axis") in (0, "index") and positional and self.ndim == 2:
        shape = "whole"
    kept = op in ("nlargest", "nsmallest", "dropna", "drop_duplicates") and not kwargs.get("ignore_index")
    if op == "shift" and kwargs.get("freq") is not None:
        return _shifted(call(self, name, positional, kwargs, shape=shape), self, kwargs)
    return call(self, name, positional, kwargs, shape=shape, kept=kept, labels=False if kept else None, meta=meta)


def _said(op):
    """The operator's name in the call that led here, one of those it has: div, divide or truediv."""
    frame = sys._getframe(1)
    while frame is not None and not frame.f_globals.get("__name__", "").startswith("muster._generated."):
        frame = frame.f_back
    return op if frame is None or frame.f_code.co_name.startswith("__") else frame.f_code.co_name


def _of_comparison(self, other):
    """What a comparison looks like where made-up values do not tell, because categories are not known; elsewhere that is found by trying."""
    sides = [s for s in (self, other) if isinstance(s, Collection)]
    if not any(has_unknown_categories(s) for s in sides):
        return no_default
    meta = self._meta.notna()
    return meta.rename(None) if meta.ndim == 1 and sides[-1].ndim == 1 and sides[-1].name != self.name else meta


def _aligned(op, name, self, positional, kwargs, meta):
    """What pandas' method makes of the partitions of collections with known divisions, side by side; None where it matches index values otherwise."""
    lazy = [v for v in (*positional, *kwargs.values()) if isinstance(v, Collection)]
    if not lazy or not together(self, *lazy) or op not in OPERATORS and op not in ("where", "mask", "fillna"):
        return None
    by_rows = kwargs.get("axis") in (0, "index") and op in OPERATORS
    if any(v.ndim > self.ndim or v.ndim < self.ndim and not by_rows for v in lazy):
        return None
    sides = [self]

    def slot(value):
        if not isinstance(value, Collection):
            return value
        sides.append(value)
        return Slot(len(sides) - 1)

    arguments = {"method": name, "args": [slot(v) for v in positional], "kwargs": {k: slot(v) for k, v in kwargs.items()}}
    if op in OPERATORS:
        like_all = "strict" if op in _COMPARISONS and name != op else True
        return aligned(op, _applied, sides, arguments, like_all=like_all, order=both_ascend(self, sides[1]), meta=None if meta is no_default else meta)
    return aligned(op, _applied, sides, arguments, borders=list(self.divisions), inside=True, order=order_of(self._expr))


def _applied(*sides, method, args, kwargs):
    return Named(method)(sides[0], *filled(args, sides), **filled(kwargs, sides))


def _is_open(value):
    """Whether the engine knows what a value, or each value of a dict, is: then its refusal stands."""
    return all(isinstance(plain(v), (str, bool, int, float, _core.Moment)) for v in (value.values() if isinstance(value, dict) else [value]))


def _of_a_scalar(op, self, kwargs, refusal):
    """An operator of a lazy value that the engine carries without opening."""
    if op not in OPERATORS:
        raise refusal
    operator = _Operator(op)
    if "other" not in kwargs:
        return through(op, operator, (self,), shape="partitions", token=op)
    other = kwargs["other"]
    if getattr(getattr(other, "_expr", None), "kind", "scalar") in ("scalar", "row"):
        return through(op, operator, (self, other), shape="partitions", token=op)
    return through(op, operator, (other, self), {"swapped": True}, token=op)


class _Operator:
    """One of Python's operators by its name in the engine."""

    def __init__(self, op):
        self.op = op

    def __call__(self, one, other=None, swapped=False):
        if self.op in ("neg", "invert"):
            return getattr(operator, self.op)(one)
        mirrored = self.op not in _BINARY
        function = getattr(operator, f"__{self.op.removeprefix('r') if mirrored else self.op}__")
        return function(other, one) if mirrored != swapped else function(one, other)


def _of_each_column(op, self, kwargs):
    """A row of the reductions of a frame's columns, where the engine opens them all or pandas has pandas.NA for what they lack; None elsewhere."""
    columns = self._expr.columns
    names = [name for _, name, _ in columns]
    if not any(map(is_nullable, names)) or not all(is_nullable(n) or not n.startswith("object") for n in names):
        return None
    numeric = kwargs.pop("numeric_only", False)
    at = [i for i, n in enumerate(names) if not numeric or is_foreign_number(n) or n.startswith(("int", "uint", "float", "bool"))]
    each = [
        call(self._column(i), op, (), kwargs, shape="whole", nullable=True) if is_nullable(names[i]) else getattr(self._column(i), op)(**kwargs) for i in at
    ]
    return new_collection(_core.call("joined_rows", [c._expr for c in each], {"labels": [columns[i][0] for i in at]})) if each else None


def _shifted(moved, self, kwargs):
    """Rows with a shifted index; divisions stay known where all are moved by the same span."""
    periods, freq = kwargs.get("periods", 1), kwargs["freq"]
    if divisions := shifted_divisions(self, periods, freq):
        moved = new_collection(_core.call("with_index", [moved._expr, moved.index.to_series()._expr], {"divisions": divisions}))
    note_frequency(moved._expr, shifted_frequency(self._expr, periods, freq, isinstance(self._meta.index, pd.TimedeltaIndex)))
    return moved


def _astype(self, dtype):
    """astype through pandas; categories that are not named are those of all rows."""
    def unnamed(given):
        return isinstance(given, str) and given == "category" or isinstance(given, pd.CategoricalDtype) and given.categories is None

    wanted = dtype if isinstance(dtype, dict) else {label: dtype for label in ([self.name] if self.ndim == 1 else self._labels())}
    objects = {label: object for label, d in wanted.items() if str(pd.api.types.pandas_dtype(d)) == "object"}
    if objects:  # which texts stay: what is tried would be text
        if len(objects) < len(wanted):
            self = self.astype({label: d for label, d in wanted.items() if label not in objects})
        chosen = objects if isinstance(dtype, dict) else object
        return call(self, "astype", (chosen,), shape="rows", meta=self._meta.astype(chosen))
    if not any(unnamed(d) for d in wanted.values()):
        times = {label for label, name, _ in self._expr.columns if name.startswith(("datetime64", "timedelta64"))}
        as_text = any(isinstance(pd.api.types.pandas_dtype(d), pd.StringDtype) for label, d in wanted.items() if label in times)
        return call(self, "astype", (dtype,), shape="beside" if as_text else "rows", real=True)  # how many digits a time has depends on all of them
    meta = sample_of(self._expr).astype(dtype).iloc[:0]

    def promised(given, wanted, made):
        if not unnamed(wanted):
            return made
        if isinstance(given, pd.CategoricalDtype):  # and keeps its categories
            return given if isinstance(wanted, str) else given.update_dtype(wanted)
        return pd.CategoricalDtype(unknown_categories(), getattr(wanted, "ordered", False))

    if self.ndim == 1:
        meta = pd.Series([], dtype=promised(self._meta.dtype, wanted.get(self.name), meta.dtype), name=self.name)
    else:
        columns = {
            i: pd.Series([], dtype=promised(given, wanted.get(label), made))
            for i, (label, given, made) in enumerate(zip(self._labels(), self._meta.dtypes, meta.dtypes, strict=True))
        }
        meta = pd.DataFrame(columns).set_axis(meta.columns, axis=1)
    return call(self, "astype", (dtype,), shape="beside", meta=meta)


def is_in_lazy(self, values):
    """Return isin of lazy values, all rows of which are looked into, or that pandas matches by index value; None where none are lazy."""
    if isinstance(values, Collection):
        if values._expr.kind == "scalar":
            raise TypeError(f"only list-like objects are allowed to be passed to isin(), you passed a `{type(values).__name__}`; compute() its value first")
        if self.ndim == 2 and not values._is_index:  # by index value
            return call(self, "isin", (values,), shape="whole" if _other_rows(self, values) else "rows", labels=True)
        return through("isin", _is_in, (self, whole(values)), shape="beside")
    held = [values] if isinstance(values, (list, tuple, set)) else list(values.values()) if isinstance(values, dict) else []
    for one in held:
        for value in [one, *one] if isinstance(one, (list, tuple, set)) else [one]:
            if isinstance(value, Collection):
                raise NotImplementedError(f"isin: a lazy {type(value).__name__} among the values; compute() it first")
    return None


def _is_in(data, values):
    return data.isin(values)


def _other_rows(self, value):
    expr = getattr(value, "_expr", None)
    return expr is not None and expr.kind in ("frame", "series") and expr.rows != self._expr.rows
