"""What pandas says of columns besides their labels, by the id of an expression: their names, and that they are objects (tuples, say) or nullable texts."""

import collections

from muster._base.libraries import np, pd
from muster._base.notes import Notes

_Said = collections.namedtuple("_Said", "names dtype")  # no dtype: what the labels have without being told
_BOTH = frozenset(("merge", "merge_partitions", "concat"))  # operators whose result has the labels of several frames
_known = Notes()


def note_columns(expr, columns):
    """Remember what a pandas Index says, of an expression's columns, besides their labels."""
    names, dtype = tuple(columns.names), getattr(columns, "dtype", None) if columns.nlevels == 1 and len(columns) else None
    is_told = dtype == "object" or isinstance(dtype, pd.StringDtype) and dtype.na_value is not np.nan
    note_known(expr, _Said(names, dtype if is_told else None) if is_told or any(name is not None for name in names) else None)


def note_known(expr, said):
    """Remember of an expression what `known_of` gave for another with the same columns."""
    if said is not None or _known:
        _known[expr.id] = said


def note_renamed(expr, other):
    """Remember of an expression what is known of another one whose columns had other labels: tuples among these are no levels."""
    said = known_of(other)
    has_tuples = any(isinstance(label, tuple) for label, _, _ in expr.columns)
    names = said.names if said is not None else (None,)
    note_known(expr, _Said(names, np.dtype(object) if has_tuples else None) if has_tuples or said is not None else None)


def known_of(expr):
    """Return what is known of an expression's columns besides their labels, None where they are plain."""
    return _of(expr) if _known else None


def _of(expr):
    while expr.id not in _known:
        frames = [i for i in expr.inputs if i.kind in ("frame", "row")]
        if not frames:
            return None
        if expr.op in _BOTH and len({_of(i) for i in frames}) > 1:
            return None
        expr = frames[0]
    return _known.get(expr.id)


def as_known(expr, columns):
    """Return a pandas Index of the labels of an expression, with what is known of it."""
    said = known_of(expr)
    if said is None:
        return columns
    if said.dtype == "object":
        columns = pd.Index(list(columns), dtype=object, tupleize_cols=False)
    elif said.dtype is not None and columns.inferred_type == "string":
        columns = columns.astype(said.dtype)
    names = [*said.names, *[None] * (columns.nlevels - len(said.names))][-columns.nlevels :]  # aggregates are one level more, a label of the first one less
    return columns if list(columns.names) == names else columns.set_names(names)


def with_known_columns(expr, result):
    """Return a computed pandas object whose labels are as an expression's are known to be."""
    if _known and isinstance(result, pd.DataFrame) and expr.kind == "frame":
        result.columns = as_known(expr, result.columns)
    elif _known and isinstance(result, pd.Series) and expr.kind == "row":
        result.index = as_known(expr, result.index)
    return result
