"""What is known of the order of index values inside partitions, by the id of an expression: that they ascend, or ascend strictly."""

from muster._base.notes import Notes
from muster._border.pandas import label_of

ASCENDS, STRICTLY = 1, 2
_known = Notes()


def note(expr, index):
    """Remember how the index values of an expression's rows, a pandas Index, ascend."""
    if index.is_monotonic_increasing:
        _known[expr.id] = STRICTLY if index.is_unique else ASCENDS


def note_as(expr, order):
    """Remember how the index values of an expression's rows ascend, 0 where that is not known."""
    if order:
        _known[expr.id] = order


def order_of(expr):
    """Return how the index values of an expression's rows ascend: STRICTLY, ASCENDS, or 0 where that is not known."""
    while expr.id not in _known:
        behind = [i for i in expr.inputs if i.kind not in ("scalar", "row")]
        if expr.op == "with_index" or not behind or not expr.divisions or _divisions(expr) != _divisions(behind[0]):
            return 0
        expr = behind[0]
    return _known.get(expr.id, 0)


def _divisions(expr):
    return [label_of(d) for d in expr.divisions]
