"""Keys of merges that the engine does not compare: native columns stand in for them while two frames are merged, and pandas' values are put back.

Where pandas makes other dtypes of keys than they have, columns become what pandas makes of them before. Where that depends on which rows are found, pandas
merges.
"""

from muster import _core
from muster._base.libraries import np, pd
from muster._border.pandas import dtype_name, string_dtype
from muster._collections.expressions import inputs_first
from muster.dataframe._collection import new_collection
from muster.dataframe._merge_stand_ins import can_stand, is_native, is_objects, native_values, values_from, width_of
from muster.dataframe._through_pandas import Function, through

_INDEX = "\0index"  # label of a column that no result has


def stood_in(left, right, how, keys, sides):
    """Return what to merge instead: (left, right, keys, what makes pandas' result of the engine's, or None of it), or None where that cannot be.

    Parameters
    ----------
    left, right : DataFrame
    how : str
        One that the engine knows.
    keys : pair of lists of labels
        None of them for an index.
    sides : str or None
        Label of the column that says which side a row is from.
    """
    frames = [left, right]
    if any(f._has_levels() or len(f._expr.index) > 1 for f in frames) or (pairs := _pairs(frames, how, keys)) is None:
        return None
    frames = [f._assign({p.labels[i]: f[p.labels[i]].astype(p.becomes[i]) for p in pairs if p.becomes[i] is not None}) for i, f in enumerate(frames)]
    by_index, semi = None in keys, how in ("leftsemi", "leftanti")
    shared = [p.labels[0] for p in pairs if p.domain is not None and p.labels[0] is not None and p.labels[0] == p.labels[1]]
    others = {label: f"\0right {n}" for n, label in enumerate(shared)} if how == "right" else {}  # what they are called on the right
    name = frames[how == "right"]._meta.index.name
    (left, on), (right, right_on) = (_beside_stand_ins(f, pairs, i, how == "outer") for i, f in enumerate(frames))
    if semi:
        return left, right, [on, right_on], lambda merged: merged._take(range(len(frames[0]._expr.columns)))
    if by_index and how != "outer":  # the engine's result numbers its rows
        own = frames[how == "right"].index.to_series()
        left, right = (left, right._assign({_INDEX: own})) if how == "right" else (left._assign({_INDEX: own}), right)
    right = right.rename(columns=others) if how == "right" else _without(right, shared)
    left = _without(left, shared) if how == "outer" else left

    def restored(merged):
        if how == "outer" and (by_index or shared):
            merged = _with_keys(merged, pairs, frames[0], [_INDEX] if by_index else shared)
        else:
            merged = merged._assign({own: merged[other] for own, other in others.items()})
        if merged is None:
            return None
        out = merged._take([i for i, (label, _, _) in enumerate(merged._expr.columns) if not _is_hidden(label) or label == sides])
        return out if not by_index else new_collection(_core.call("with_index", [out._expr, merged[_INDEX].rename(name)._expr], {}))

    return left, right, [on, right_on], restored


class _Pair:
    """A key of both sides: its labels, None of an index; what dtypes the columns become before they are merged, None where they keep theirs; the dtype that
    both are compared in, None where that is the engine's to know.
    """

    def __init__(self, labels, domain=None, becomes=(None, None)):
        self.labels, self.domain, self.becomes = labels, domain, becomes


def _pairs(frames, how, keys):
    """The keys, None where pandas compares one of them, or says what dtype it has."""
    labels = list(zip(*([None] if k is None else k for k in keys), strict=True))
    dtypes = [[_dtype_of(f, x) for f, x in zip(frames, of, strict=True)] for of in labels]
    pairs = [_pair(frames, how, of, both) for of, both in zip(labels, dtypes, strict=True)]
    if None in pairs:
        return None
    if how == "outer" and len(pairs) > 1:  # missing times are in front, other missing keys behind
        for pair, (one, other) in zip(pairs, dtypes, strict=True):
            if pair.domain is None and isinstance(one, np.dtype) and one.kind in "mM":
                if one != other:
                    return None
                pair.domain = one
    return pairs if any(p.domain is not None for p in pairs) else None


def _dtype_of(frame, label):
    return frame._meta.index.dtype if label is None else frame._meta.dtypes.iloc[frame._positions(label)[0]]


def _are_guessed(frame, dtype):
    """Whether categories may turn out to be others, as a function was seen to return these for some rows."""
    name = dtype_name(dtype)
    functions = [n.args["func"].value for n in inputs_first([frame._expr]) if "func" in n.args]
    return any(f.of_some_rows and name in f.guesses.values() for f in functions if isinstance(f, Function))


def _pair(frames, how, labels, dtypes):
    one, other = dtypes
    if any(isinstance(d, pd.CategoricalDtype) and _are_guessed(f, d) for f, d in zip(frames, dtypes, strict=True)):
        return None
    zoned = [isinstance(d, pd.DatetimeTZDtype) for d in dtypes]
    if is_native(one) and is_native(other) and not (one.kind == other.kind == "M" and one != other):
        return _Pair(labels)
    both_stay = how in ("right", "outer") and labels[0] == labels[1]  # which rows are found says what dtype there is for keys of two
    if one == other:
        permuted = isinstance(one, pd.CategoricalDtype) and not one.categories.equals(other.categories)
        return None if both_stay and (permuted or is_objects(one)) or not can_stand(one) else _Pair(labels, one)
    if both_stay or labels == (None, None):
        return None
    if one.kind == other.kind == "M" and zoned[0] is zoned[1] and not any(isinstance(d, pd.ArrowDtype) for d in dtypes):
        if (labels[0] == labels[1] or None in labels) and how not in ("leftsemi", "leftanti"):
            return None  # which rows are found says in what unit and zone
        unit = min((np.datetime_data(d)[0] if isinstance(d, np.dtype) else d.unit for d in dtypes), key=["ns", "us", "ms", "s"].index)
        return _Pair(labels, pd.DatetimeTZDtype(unit, "UTC") if zoned[0] else np.dtype(f"M8[{unit}]"))
    if all(_is_text(d) or is_objects(d) for d in dtypes):
        named = 1 if labels[0] is None else 0  # whose key pandas calls it by, and makes another dtype of where a column has that name
        if labels[1 - named] != labels[named] and labels[named] in list(frames[1 - named].columns):
            return None
        becomes = [None, None]
        if how not in ("leftsemi", "leftanti"):
            becomes[named] = getattr(dtypes[named], "categories", pd.Index([], dtype=object)).dtype
        return _Pair(labels, next(filter(is_objects, dtypes), string_dtype()), becomes)
    if all(d.kind in "iufb" and not isinstance(d, pd.ArrowDtype) for d in dtypes) and (one.kind == "b") is (other.kind == "b"):
        common = pd.concat([pd.Series(pd.array([1], dtype=d)) for d in dtypes]).dtype
        return _Pair(labels, common) if can_stand(common) else None
    return None


def _is_text(dtype):
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories is not None and dtype_name(dtype.categories.dtype) == "str"
    return isinstance(dtype, pd.StringDtype)


def _beside_stand_ins(frame, pairs, side, ranked):
    """A frame with the columns that stand in for its keys, and the labels of its keys then."""
    foreign = [p for p in pairs if p.domain is not None]
    keys = frame.index.to_series() if foreign[0].labels[side] is None else frame._take([frame._positions(p.labels[side])[0] for p in foreign])
    dtypes = [p.domain for p in foreign]
    made = through("stand_in", _stand_ins, (keys,), {"dtypes": dtypes, "ranked": ranked}, labels=False)
    on, number = [], 0
    for pair in pairs:
        if pair.domain is None:
            on.append(pair.labels[side])
            continue
        count = width_of(pair.domain, ranked)
        on += [f"\0stand-in {n}" for n in range(number, number + count)]
        number += count
    return frame._assign({f"\0stand-in {n}": made._column(n) for n in range(number)}), on


def _stand_ins(keys, dtypes, ranked):
    columns = [keys] if keys.ndim == 1 else [keys.iloc[:, i] for i in range(keys.shape[1])]
    made = [s for values, dtype in zip(columns, dtypes, strict=True) for s in native_values(values, dtype, ranked)]
    return pd.DataFrame(dict(enumerate(made)), index=keys.index)


def _with_keys(merged, pairs, left, labels):
    """A result with columns of keys, or one of the index, in their places; None where a label would be there twice."""
    known = [label for label, _, _ in merged._expr.columns]
    if any(label in known for label in labels):
        return None
    wanted, at, number = {}, [], 0
    for pair in pairs:
        width = 0 if pair.domain is None else width_of(pair.domain, True)
        if width and (label := _INDEX if pair.labels[0] is None else pair.labels[0]) in labels:
            wanted[label] = _dtype_of(left, pair.labels[0])
            at += [known.index(f"\0stand-in {n}") for n in range(number, number + width)]
        number += width
    meta = pd.DataFrame({n: pd.Series([], dtype=dtype) for n, dtype in enumerate(wanted.values())})
    made = through("merge_keys", _keys, (merged._take(at),), {"dtypes": list(wanted.values())}, meta=meta, labels=False)
    out = merged._assign({label: made._column(n) for n, label in enumerate(wanted)})
    others = iter(range(len(known)))
    order = [len(known) + list(wanted).index(label) if label in wanted else next(others) for label in left._labels()]
    return out._take([*order, *others, *([len(known)] if labels == [_INDEX] else [])])


def _keys(stands, dtypes):
    made, number = [], 0
    for dtype in dtypes:
        width = width_of(dtype, True)
        made.append(values_from([stands.iloc[:, i] for i in range(number, number + width)], dtype))
        number += width
    return pd.DataFrame(dict(enumerate(made)), index=stands.index)


def _without(frame, labels):
    return frame._take([i for i, (label, _, _) in enumerate(frame._expr.columns) if label not in labels])


def _is_hidden(label):
    return isinstance(label, str) and label.startswith("\0")
