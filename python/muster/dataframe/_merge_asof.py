"""merge_asof: rows of two frames whose keys are near each other."""

from muster._base.libraries import pd
from muster._base.tasks import pack
from muster._base.tokenize import tokenize
from muster._border.pandas import sample_of
from muster.dataframe._align import borders_of, cut_at, of_calls
from muster.dataframe._collection import Collection
from muster.dataframe._memory import in_one_partition
from muster.dataframe._through_pandas import through
from muster.delayed import Delayed


def merge_asof(
    left, right, on=None, left_on=None, right_on=None, left_index=False, right_index=False, by=None, left_by=None, right_by=None, suffixes=("_x", "_y"),
    tolerance=None, allow_exact_matches=True, direction="backward",
):  # fmt: skip
    """Return the rows of `left`, each with the row of `right` whose key is nearest in a direction, as `pandas.merge_asof`.

    Both must be in the order of their keys. Where the keys are the indexes and both have known divisions, partition by partition: each sees the last row in
    front of it and the first one behind. Else all rows are merged in one task.

    Parameters
    ----------
    left, right : DataFrame, Series or pandas object
        At least one of them lazy.
    on, left_on, right_on : label, optional
        The key: numbers or times.
    left_index, right_index : bool, default False
        The index is that side's key.
    by, left_by, right_by : label or list of labels, optional
        Columns that must be equal.
    suffixes : pair of str, default ("_x", "_y")
        Of columns that both have.
    tolerance : int, float or timedelta, optional
        How far a key may be. Default: as far as it is.
    allow_exact_matches : bool, default True
        Equal keys match.
    direction : {"backward", "forward", "nearest"}, default "backward"
        The last key that is not greater, the first that is not less, or the nearest of these.

    Raises
    ------
    ValueError
        If keys are given twice, as `on` and as `left_on`, or `by` and `left_by`; at compute, if keys are not in order.
    pandas.errors.MergeError
        If there is no key, or the keys' dtypes differ.

    Examples
    --------
    >>> import muster.dataframe as dd
    >>> trades = dd.from_dict({"t": [1, 5, 10], "n": [7, 8, 9]}, npartitions=2)
    >>> prices = dd.from_dict({"t": [1, 2, 3, 6, 7], "p": [1, 2, 3, 6, 7]}, npartitions=2)
    >>> dd.merge_asof(trades, prices, on="t").compute()
        t  n  p
    0   1  7  1
    1   5  8  3
    2  10  9  7
    """
    for both, one, other in (("on", left_on, right_on), ("by", left_by, right_by)):
        if (on if both == "on" else by) is not None and (one is not None or other is not None):
            raise pd.errors.MergeError(f"merge_asof: give {both!r}, or 'left_{both}' and 'right_{both}', not a combination of both")
    left, right = (_frame(side, name) for side, name in ((left, "left"), (right, "right")))
    arguments = {"on": on, "left_on": left_on, "right_on": right_on, "left_index": left_index, "right_index": right_index, "by": by, "left_by": left_by}
    arguments |= {"right_by": right_by, "suffixes": suffixes, "tolerance": tolerance, "allow_exact_matches": allow_exact_matches, "direction": direction}
    samples = [sample_of(side._expr) for side in (left, right)]
    meta = _merged(*(s[:0] for s in samples), **arguments)  # of no rows: nothing is missing for want of a key that is near
    meta.index = _merged(*samples, **arguments).index[:0]  # which has another name then
    if left_index and right_index and on is None and left_on is None and right_on is None and (borders := borders_of(left, right)) is not None:
        return _by_divisions(left, right, borders, right_by if by is None else by, arguments, meta)
    return through("merge_asof", _merged, (left, right), arguments, shape="whole", meta=meta, token="merge_asof")


def _frame(side, name):
    if isinstance(side, (pd.DataFrame, pd.Series)):
        side = in_one_partition(side)
    if not isinstance(side, Collection) or side._is_index or side._expr.kind not in ("frame", "series"):
        raise TypeError(f"merge_asof: {name} must be a DataFrame or a named Series, a {type(side).__name__} was passed")
    return side.to_frame() if side.ndim == 1 else side


def _merged(left, right, **kwargs):
    return pd.merge_asof(left, right, **kwargs)


def _by_divisions(left, right, borders, by, arguments, meta):
    name = f"merge_asof-{tokenize(left._expr.id, right._expr.id, arguments)}"
    lefts, rights = (cut_at(f"{name}-{side}", rows, borders) for side, rows in (("left", left), ("right", right)))
    here = [at for at, part in enumerate(lefts) if part is not None]
    none = Delayed(f"{name}-none", _none_of, *pack((next(p for p in rights if p is not None),), {}, False))
    rights = [none if p is None else p for p in rights]
    front = _seen_before(f"{name}-front", rights, by, "last") if arguments["direction"] != "forward" else [None] * len(rights)
    back = _seen_before(f"{name}-back", rights[::-1], by, "first")[::-1] if arguments["direction"] != "backward" else [None] * len(rights)
    nodes = [Delayed(f"{name}-{at}", _near, *pack((lefts[at], front[at], rights[at], back[at]), {"arguments": arguments}, False)) for at in here]
    return of_calls("merge_asof", nodes, meta, borders[here[0] : here[-1] + 2])


def _none_of(part):
    return part.iloc[:0]


def _seen_before(name, parts, by, keep):
    """Of each partition the row that is nearest to it in those before, one of each group."""
    out = [None]
    for at, part in enumerate(parts[:-1]):
        out.append(Delayed(f"{name}-{at}", _nearest, *pack((out[-1], part), {"by": by, "keep": keep}, False)))
    return out


def _nearest(seen, part, by, keep):
    if by is not None:
        pieces = [part] if seen is None else [seen, part] if keep == "last" else [part, seen]
        return pd.concat(pieces).drop_duplicates(by, keep=keep)
    return seen if not len(part) and seen is not None else part.iloc[-1:] if keep == "last" else part.iloc[:1]


def _near(left, front, right, back, arguments):
    pieces = [p for p in (front, right, back) if p is not None and len(p)]
    return _merged(left, pd.concat(pieces) if len(pieces) > 1 else pieces[0] if pieces else right, **arguments)
