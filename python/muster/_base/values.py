"""Plain values: what the engine takes as arguments of its operators."""

import datetime
import decimal
import sys

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import refuse_to_come
from muster._base.tokenize import tokenize


class _NoDefault:
    """Says that an argument was not given, where None means something."""

    def __repr__(self):
        return "<no_default>"


no_default = _NoDefault()


def plain(value):
    """Return `value` as the engine takes it: plain Python values, `_core.Moment` for times, expressions for collections.

    Parameters
    ----------
    value
        Scalar, NumPy scalar or dtype, datetime, list, tuple, set, dict or lazy collection.

    Raises
    ------
    TypeError
        For anything else, with the type's name, and for what tasks are to make.
    """
    if value is None or value is no_default or isinstance(value, (str, bool, int, float)):
        return None if value is no_default else value
    expr = getattr(value, "_expr", None)
    if isinstance(expr, _core.Expr):
        return value.to_series()._expr if hasattr(value, "to_series") and expr.kind != "scalar" else expr
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, set, frozenset, range)):
        return [plain(v) for v in value]
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return _moment(value)
    if isinstance(value, type) and value in (int, float, str, bool, object):
        return value.__name__
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.datetime64):
            return _moment(value)
        if isinstance(value, numpy.generic):
            return value.item()
        if isinstance(value, numpy.dtype) or (isinstance(value, type) and issubclass(value, numpy.generic)):
            return numpy.dtype(value).name
        if isinstance(value, numpy.ndarray) and value.ndim == 1:
            return [plain(v) for v in value]
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        if value is pandas.NA or value is pandas.NaT:
            return None
        if isinstance(value, (pandas.Index, pandas.Series)):
            return [plain(v) for v in value]
        if isinstance(value, pandas.api.extensions.ExtensionDtype):
            return str(value)
    refuse_to_come(value)
    if callable(getattr(value, "tolist", None)):
        return plain(value.tolist())
    return value  # the engine says what it cannot take


def plain_label(value):
    """Return a label, a list of labels or an index value at a partition's border as the engine takes it: as `plain`, but for values that it has none for, such
    as dates, times with a zone, spans and bytes. These it carries without opening, each under a token of what it says.
    """
    if value is None or value is no_default or isinstance(value, (str, bool, float)) or hasattr(value, "_expr"):
        return plain(value)
    if isinstance(value, tuple):
        return tuple(plain_label(v) for v in value)
    if isinstance(value, (list, set, range)):
        return [plain_label(v) for v in value]
    if isinstance(value, dict):
        return {plain_label(k): plain_label(v) for k, v in value.items()}
    if getattr(value, "ndim", 0) == 1:
        return [plain_label(v) for v in value]
    return _carried(value) if _is_carried(value) else plain(value)


def _is_carried(value):
    if isinstance(value, int):
        return not -(2**63) <= value < 2**64
    if isinstance(value, datetime.date):
        return not isinstance(value, datetime.datetime) or value.tzinfo is not None
    return isinstance(value, (bytes, complex, frozenset, decimal.Decimal, datetime.time, datetime.timedelta, pd.Period, pd.Interval))


def _carried(value):
    if isinstance(value, datetime.timedelta):
        value = pd.Timedelta(value)
    elif isinstance(value, datetime.datetime):
        value = pd.Timestamp(value)
    return _core.object(value, f"{str(value).replace('-', '.')}-{tokenize(type(value).__qualname__, value)}")


def _moment(value):
    stamp = pd.Timestamp(value)
    if stamp is pd.NaT:
        return None
    if stamp.tz is not None:
        raise NotImplementedError(f"times with a zone ({stamp}) are not supported yet; convert to UTC without zone")
    try:
        return _core.Moment(stamp.as_unit("ns").value)
    except pd.errors.OutOfBoundsDatetime:
        raise NotImplementedError(f"the time {stamp} is beyond what nanoseconds reach") from None
