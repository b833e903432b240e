"""What pandas says of an index besides its values, by the id of an expression: the frequency of its times, or that its numbers in a row are no range."""

from muster._base.libraries import pd
from muster._base.notes import Notes

NO_RANGE = "no range"
_PARTS = frozenset("partitions repartition head tail".split())  # a stretch of the rows, or all
_known = Notes()


def note_index(expr, index):
    """Remember what a pandas Index, of an expression's rows, is besides its values."""
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        note_frequency(expr, index.freq)
    elif index.dtype == "int64" and not isinstance(index, pd.RangeIndex):
        _known[expr.id] = NO_RANGE


def note_frequency(expr, freq):
    """Remember the frequency of the index values of an expression's rows, None where they have none."""
    if freq is not None:
        _known[expr.id] = freq


def frequency_of(expr):
    """Return the frequency of the index values of an expression's rows, None where none is known."""
    known = _of(expr)
    return None if known is NO_RANGE else known


def _of(expr):
    while _known and expr.id not in _known:
        behind = [i for i in expr.inputs if i.kind not in ("scalar", "row")]
        if not behind or expr.op == "with_index" or expr.op not in _PARTS and expr.rows != behind[0].rows:
            return None
        expr = behind[0]
    return _known.get(expr.id)


def shifted_frequency(expr, periods, freq, of_spans):
    """Return the frequency that pandas gives such an index, of times or of spans, when it is shifted."""
    own = frequency_of(expr)
    if own is None:
        return None
    some = pd.timedelta_range(0, periods=3, freq=own) if of_spans else pd.date_range("2000", periods=3, freq=own)
    return some.shift(periods, freq).freq


def with_known_index(expr, result):
    """Return a computed pandas object whose index has what is known of it: a frequency, where it holds, or that it is no range."""
    known = _of(expr)
    index = getattr(result, "index", None)
    if known is NO_RANGE:
        if isinstance(index, pd.RangeIndex):
            result.index = pd.Index(index.to_numpy(), name=index.name)
    elif known is not None and isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        try:
            result.index = type(index)(index, freq=known)
        except ValueError:  # rows lie otherwise than their expression says
            pass
    return result
