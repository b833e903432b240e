"""Collections with known divisions beside each other: cut at the same borders, and pandas' functions of what lies between each two.

Index values that are equal lie between the same borders, so what pandas does with them it does there. What it does of all rows, and would not do of some, is
asked of the index values first (`_facts`): whether all are equal, and whether a side lacks some; a partition that is not like the whole in that gets a row
more that makes it so, and is taken out again.
"""

import bisect
import itertools

from muster import _core
from muster._base.libraries import pd
from muster._base.tasks import pack
from muster._base.tokenize import tokenize
from muster._base.values import plain_label
from muster._border.pandas import dtype_of, is_ordered
from muster.dataframe._ascending import STRICTLY, note_as, order_of
from muster.dataframe._collection import Rows, new_collection
from muster.dataframe._delayed import of_tasks
from muster.dataframe._through_pandas import tried
from muster.delayed import Delayed


def borders_of(*collections, uncut=()):
    """Return the divisions of collections together, ascending; None where some are not known or cannot be compared with the others.

    Of those in `uncut` no partition is cut, unless it is known to be in the order of its index values: so all rows stay in their order.
    """
    if not all(can_be_cut(c) for c in collections) or len({_kind(c) for c in collections}) > 1:
        return None
    found = sorted({d for c in collections for d in c.divisions})
    for c in uncut:
        if not order_of(c._expr):
            found = [b for b in found if b in c.divisions or b < c.divisions[0] or b > c.divisions[-1]]
    return found if len(found) > 1 else found * 2


def can_be_cut(collection):
    """Whether rows of a collection can be told apart by its divisions: these are known, ascend, and say where each index value lies."""
    if not isinstance(collection, Rows) or not collection.known_divisions or not collection._expr.index or _kind(collection) is None:
        return False
    return all(a < b for a, b in itertools.pairwise(collection.divisions[:-1])) and not _is_repartitioned(_cut_as_before(collection)._expr)


def _cut_as_before(collection):
    """The rows before they were put between other borders, where they had known divisions."""
    expr = collection._expr
    while expr.op == "repartition" and expr.inputs[0].divisions:
        expr = expr.inputs[0]
    return collection if expr is collection._expr else new_collection(expr)


def _is_repartitioned(expr):
    """Whether rows are put into other partitions on the way: the engine reads all of these for each one that is asked for alone."""
    left, seen = [expr], set()
    while left:
        node = left.pop()
        if node.op == "repartition":
            return True
        seen.add(node.id)
        left += [i for i in node.inputs if i.id not in seen]
    return False


def _kind(collection):
    """What index values compare with: the kind of their dtype, None of what divisions do not say all about."""
    name = collection._expr.index[0][1]
    if name.startswith("object"):
        dtype = dtype_of(name)
        if not is_ordered(dtype) or isinstance(dtype, pd.CategoricalDtype):  # rows out of order are cut by comparing each, which categories refuse
            return None
        return "zoned time" if isinstance(dtype, pd.DatetimeTZDtype) else name
    return next((kind for kind, names in _COMPARABLE.items() if name.startswith(names)), None)


_COMPARABLE = {"number": ("int", "uint", "float"), "time": "datetime64", "span": "timedelta64", "str": "str"}


def together(*collections):
    """Whether collections have other rows than the first, and can be cut as it."""
    rows = collections[0]._expr.rows
    return any(c._expr.rows != rows for c in collections[1:]) and borders_of(*collections) is not None


def aligned(label, func, sides, kwargs=None, *, borders=None, inside=False, like_all=False, spread=(), order=0, meta=None):
    """Return the collection that a function of pandas objects makes of the rows of several collections between each two borders.

    Parameters
    ----------
    label : str
        What messages and plans call it.
    func : callable
        Called with the rows of each side and `kwargs`; the index values of its result lie between the borders.
    sides : list of collections
        With known divisions that compare with each other.
    borders : list, optional
        Default: those of all sides, and no partition is cut whose order may be another than that of its index values.
    inside : bool, default False
        Rows in front of the first border and behind the last need not be given to the function.
    order : int, default 0
        How the index values of the result ascend, if that is known: see `_ascending`.
    like_all : bool or "strict", default False
        Of two sides: pandas' result depends on whether the index values of all rows are equal, and on whether a side lacks some; "strict": it is an error
        where they are not equal.
    spread : tuple of int
        Sides of one partition that all are given whole.
    meta : pandas object, optional
        What the result looks like. Default: what the function makes of two made-up rows.
    """
    kwargs = kwargs or {}
    borders = borders_of(*sides, uncut=sides) if borders is None else borders
    sides = [s if i in spread else _cut_as_before(s) for i, s in enumerate(sides)]
    pieces = [
        [[(0, None, None)]] * (len(borders) - 1) if i in spread else _pieces(list(s.divisions), borders, inside) for i, s in enumerate(sides)
    ]
    name = f"{label}-{tokenize(label, getattr(func, 'token', func), kwargs, [s._expr.id for s in sides], borders, like_all)}"
    facts = [_facts(name, sides, pieces)] if like_all and not _is_like_all(sides, like_all) else [None]
    function = _Between(func, label, kwargs, like_all)
    nodes = _calls(name, label, function, [_partitions(s) for s in sides], pieces, facts)
    meta = tried(label, func, sides, kwargs) if meta is None else meta
    return of_calls(label, nodes, meta, borders, order)


def of_calls(label, nodes, meta, divisions, order=0):
    """Return the collection of the rows that calls give, with known divisions."""
    out = of_tasks(nodes, meta.iloc[:0], _Taken(label))
    out = _core.call("with_index", [out._expr, out.index.to_series()._expr], {"divisions": plain_label(divisions)})
    note_as(out, order)
    return new_collection(out)


def both_ascend(a, b):
    """How rows of which each has an index value of one of two collections ascend, where they come in the order of these."""
    return min(order_of(a._expr), order_of(b._expr))


def _is_like_all(sides, like_all):
    """Whether pandas makes of each partition what it makes of all rows, whatever their index values are."""
    return like_all != "strict" and all(order_of(s._expr) == STRICTLY and not _changes(s._meta) for s in sides)


def cut_at(name, collection, borders):
    """Return the rows of a collection between each two borders, calls; None where none of its partitions has rows."""
    collection = _cut_as_before(collection)
    nodes, out = _partitions(collection), []
    for at, here in enumerate(_pieces(list(collection.divisions), borders, False)):
        cuts = [[(low, high) for _, low, high in here]]
        out.append(Delayed(f"{name}-{at}", _one_side, *pack((cuts, *(nodes[p] for p, _, _ in here)), {}, False)) if here else None)
    return out


def _one_side(cuts, *parts):
    return _cut(cuts, parts)[0]


def _pieces(divisions, borders, inside):
    """Of each two borders, which partitions have rows between them, each with the borders that cut it there, if any."""
    last = len(borders) - 2
    if divisions == borders:
        return [[(p, None, None)] for p in range(last + 1)]
    out = [[] for _ in range(last + 1)]
    for p, (low, high) in enumerate(itertools.pairwise(divisions)):
        ends = p == len(divisions) - 2
        if inside and (low > borders[-1] or high < borders[0] or high == borders[0] and not ends):
            continue
        first = min(max(bisect.bisect_right(borders, low) - 1, 0), last)
        end = min(max((bisect.bisect_right if ends else bisect.bisect_left)(borders, high) - 1, first), last)
        for at in range(first, end + 1):
            out[at].append((p, borders[at] if at > first else None, borders[at + 1] if at < end else None))
    return out


def _partitions(collection):
    return [collection.partitions[i].__muster_node__() for i in range(collection.npartitions)]


def _calls(name, label, function, nodes, pieces, more):
    """A call for each two borders, of what else there is, the cuts, and the partitions that have rows there."""
    out, none = [], {}
    for at in range(len(pieces[0])):
        cuts, parts = [], []
        for side, (of, here) in enumerate(zip(nodes, (p[at] for p in pieces), strict=True)):
            if not here and side not in none:
                none[side] = Delayed(f"{name}-none-{side}", _none_of, *pack((of[0],), {}, False))
            cuts.append([(low, high) for _, low, high in here] or [(None, None)])
            parts += [of[p] for p, _, _ in here] or [none[side]]
        out.append(Delayed(f"{name}-{at}", function, *pack((*more, cuts, *parts), {}, False), None, label))
    return out


def _none_of(part):
    return part.iloc[:0]


class _Taken:
    """Takes the value of a task out of the row that holds it."""

    def __init__(self, label):
        self.__name__ = f"{label}, aligned"

    def __call__(self, held):
        return held.iloc[0, 0].value


def _cut(cuts, parts):
    """The rows of each side, of the parts that are theirs."""
    parts, out = iter(parts), []
    for of_side in cuts:
        pieces = [_rows_between(next(parts), low, high) for low, high in of_side]
        filled = [p for p in pieces if len(p)] or pieces[:1]
        out.append(pd.concat(filled) if len(filled) > 1 else filled[0])
    return out


def _rows_between(part, low, high):
    if low is None and high is None:
        return part
    if part.index.is_monotonic_increasing:
        begin = 0 if low is None else part.index.searchsorted(low)
        return part.iloc[begin : len(part) if high is None else part.index.searchsorted(high)]
    front = part.index < high if high is not None else True
    return part[front & ~(part.index < low)] if low is not None else part[front]


class _Between:
    """Calls a function with the rows of each side between two borders."""

    def __init__(self, func, label, kwargs, like_all):
        self.func, self.kwargs, self.like_all = func, kwargs, like_all
        self.__name__ = label

    def __call__(self, facts, cuts, *parts):
        sides = _cut(cuts, parts)
        added = []
        if facts is not None and not facts.identical:
            sides, added = _made_like_all(*sides, facts, self.like_all)
        out = self.func(*sides, **self.kwargs)
        return out[~out.index.isin(added)] if added else out


class _Facts:
    """What pandas sees of the index values of two collections: whether they are equal, a value that only the first or the second has, one where they differ."""

    def __init__(self, identical, only, differing):
        self.identical, self.only, self.differing = identical, only, differing


def _facts(name, sides, pieces):
    """The facts of all rows, a task; reads the indexes alone."""
    labels = [(s if s.ndim == 2 else s.to_frame(name="values"))[[]] for s in sides]
    each = _calls(f"{name}-facts", "facts", _facts_between, [_partitions(s) for s in labels], pieces, [])
    return Delayed(f"{name}-all", _facts_of_all, *pack(tuple(each), {}, False))


def _facts_between(cuts, *parts):
    a, b = (s.index for s in _cut(cuts, parts))
    if a.equals(b):
        return _Facts(True, (None, None), None)
    only = tuple(next(iter(one[~one.isin(other)][:1]), None) for one, other in ((a, b), (b, a)))
    return _Facts(False, only, next(iter(a), None))


def _facts_of_all(*facts):
    only = tuple(next((f.only[side] for f in facts if f.only[side] is not None), None) for side in (0, 1))
    return _Facts(all(f.identical for f in facts), only, next((f.differing for f in facts if f.differing is not None), None))


def _made_like_all(a, b, facts, like_all):
    """Two sides with index values that differ as those of all rows do, and the values that were added for that."""
    equal = a.index.equals(b.index)
    as_they_are = a.index.is_monotonic_increasing and a.index.is_unique and like_all != "strict"  # matched with others they would stay so
    if not _changes(a) and not _changes(b) and (as_they_are or not equal):
        return (a, b), []
    added, sides = [], [a, b]
    for at, (one, other) in enumerate(((a, b), (b, a))):
        label = facts.only[at]
        if label is not None and one.index.isin(other.index).all():
            sides[at] = pd.concat([one, _row_at(label, one)])
            added.append(label)
    if equal and not added:
        label = facts.differing
        sides = [pd.concat([a, _row_at(label, a), _row_at(label, a)]), pd.concat([b, _row_at(label, b)])]
        added = [label]
    return sides, added


def _changes(data):
    """Whether a column has another dtype when a value is missing."""
    return any(getattr(dtype, "kind", "O") in "iub" and not pd.api.types.is_extension_array_dtype(dtype) for dtype in _dtypes(data))


def _dtypes(data):
    return [data.dtype] if data.ndim == 1 else list(data.dtypes)


def _row_at(label, like):
    """A row with this index value, of the dtypes of some rows and a value of theirs."""
    index = pd.Index([label], dtype=like.index.dtype, name=like.index.name)
    if len(like):
        return like.iloc[:1].set_axis(index)
    row = like.reindex(index)
    if like.ndim == 1:
        return pd.Series([1], index=index, dtype=like.dtype, name=like.name) if _changes(like) else row
    for at, dtype in enumerate(like.dtypes):
        if _changes(like.iloc[:, at]):
            row.isetitem(at, pd.Series([1], index=index, dtype=dtype))
    return row
