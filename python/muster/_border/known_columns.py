"""What pandas says of columns besides their labels, by the id of an expression: their names, and that they are objects (tuples, say) or nullable texts."""

import collections

from muster._base.libraries import np, pd
from muster._base.notes import Notes

# No dtype: what the labels have without being told. `tuples`: the labels that are tuples and no levels; others are what aggregates make.
_Said = collections.namedtuple("_Said", "names dtype tuples")
_BOTH = frozenset(("merge", "merge_partitions", "concat"))  # operators whose result has the labels of several frames
_AFFIXED = frozenset(("add_prefix", "add_suffix"))  # whose result has other labels, texts
_known = Notes()


def note_columns(expr, columns):
    """Remember what a pandas Index says, of an expression's columns, besides their labels."""
    names, dtype = tuple(columns.names), getattr(columns, "dtype", None) if columns.nlevels == 1 and len(columns) else None
    is_told = dtype == "object" or isinstance(dtype, pd.StringDtype) and dtype.na_value is not np.nan
    is_plain = not is_told and all(name is None for name in names)
    note_known(expr, None if is_plain else _Said(names, dtype if is_told else None, _tuples(columns) if is_told else frozenset()))


def note_known(expr, said):
    """Remember of an expression what `known_of` gave for another with the same columns."""
    if said is not None or _known:
        _known[expr.id] = said


def note_renamed(expr, labels, other):
    """Remember of an expression with these labels what is known of another one, which has others: tuples among them are no levels."""
    said, tuples = known_of(other), _tuples(labels)
    names = (None,) if said is None else said.names
    note_known(expr, _Said(names, np.dtype(object) if tuples else None, tuples) if tuples or said is not None else None)


def _tuples(labels):
    return frozenset(label for label in labels if isinstance(label, tuple))


def known_of(expr):
    """Return what is known of an expression's columns besides their labels, None where they are plain."""
    return _of(expr) if _known else None


def _of(expr):
    """What is known of an expression, found in what it is made of; remembered, so that a loop of operations walks over each once."""
    found, left = {}, [expr]
    while left:
        node = left[-1]
        if node.id not in _known:
            frames = [i for i in node.inputs if i.kind in ("frame", "row")]
            sides = frames if node.op in _BOTH else frames[:1]
            if to_come := [i for i in sides if i.id not in found]:
                left += to_come
                continue
            of_sides = {found[i.id] for i in sides}
            said = of_sides.pop() if len(of_sides) == 1 else None
            found[node.id] = _Said(said.names, None, frozenset()) if said is not None and node.op in _AFFIXED else said
        else:
            found[node.id] = _known.get(node.id)
        left.pop()
    _known[expr.id] = found[expr.id]
    return found[expr.id]


def as_known(expr, columns):
    """Return a pandas Index of the labels of an expression, with what is known of it."""
    said = known_of(expr)
    if said is None:
        return columns
    if said.dtype == "object" and (columns.nlevels == 1 or not said.tuples.isdisjoint(columns)):
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
