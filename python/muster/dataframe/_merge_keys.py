"""Keys of merges that the engine does not compare: native columns stand in for them while two frames are merged, and pandas' values are put back.

Where pandas makes other dtypes of keys than they have, columns become what pandas makes of them before. Where that depends on which rows are found, pandas
merges.
"""

from muster import _core
from muster._base.libraries import np, pa, pd
from muster._border.equality import text_of
from muster._border.pandas import dtype_name, string_dtype, unknown_categories
from muster.dataframe._collection import new_collection
from muster.dataframe._through_pandas import through

_RIGHT_ONLY = 1  # as the engine numbers sides
_BEHIND = 2**40  # stands in for missing integers of 32 bits and less, which are the last ones
_MASKED = {"b": "boolean", "i": "Int64", "u": "UInt64"}
# Labels of columns that no result has.
_SIDE, _INDEX, _RIGHT_INDEX = "\0side", "\0index", "\0right index"


def stood_in(left, right, how, keys, sides):
    """Return what to merge instead: (left, right, keys, label of the sides, what makes pandas' result of the engine's), or None where that cannot be.

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
    others = {label: f"\0right {n}" for n, label in enumerate(shared)}
    name = frames[how == "right"]._meta.index.name
    (left, on), (right, right_on) = (_beside_stand_ins(f, pairs, i, how == "outer") for i, f in enumerate(frames))
    if semi:
        return left, right, [on, right_on], sides, lambda merged: merged._take(range(len(frames[0]._expr.columns)))
    if by_index:  # the engine's result numbers its rows
        left = left._assign({_INDEX: frames[0].index.to_series()}) if how != "right" else left
        right = right._assign({_RIGHT_INDEX: frames[1].index.to_series()}) if how in ("right", "outer") else right
    right = right.rename(columns=others) if how in ("right", "outer") else _without(right, shared)
    label = _SIDE if sides is None and how == "outer" else sides

    def restored(merged):
        wanted = [(label, other) for label, other in others.items() if other in merged]
        if by_index and how == "outer":
            wanted.append((_INDEX, _RIGHT_INDEX))
        out = merged._assign({own: merged[other] if how == "right" else _of_both(merged, own, other, label) for own, other in wanted})
        kept = [i for i, (label, _, _) in enumerate(out._expr.columns) if not _is_hidden(label) or label == sides]
        if not by_index:
            return out._take(kept)
        index = out[_RIGHT_INDEX if how == "right" else _INDEX].rename(name)
        return new_collection(_core.call("with_index", [out._take(kept)._expr, index._expr], {}))

    return left, right, [on, right_on], label, restored


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


def _pair(frames, how, labels, dtypes):
    one, other = dtypes
    zoned = [isinstance(d, pd.DatetimeTZDtype) for d in dtypes]
    if _is_native(one) and _is_native(other) and not (one.kind == other.kind == "M" and one != other):
        return _Pair(labels)
    both_stay = how in ("right", "outer") and labels[0] == labels[1]  # which rows are found says what dtype there is for keys of two
    if one == other:
        permuted = isinstance(one, pd.CategoricalDtype) and not one.categories.equals(other.categories)
        return None if both_stay and (permuted or _is_objects(one)) or not _can_stand(one) else _Pair(labels, one)
    if both_stay or labels == (None, None):
        return None
    if one.kind == other.kind == "M" and zoned[0] is zoned[1] and not any(isinstance(d, pd.ArrowDtype) for d in dtypes):
        if (labels[0] == labels[1] or None in labels) and how not in ("leftsemi", "leftanti"):
            return None  # which rows are found says in what unit and zone
        unit = min((np.datetime_data(d)[0] if isinstance(d, np.dtype) else d.unit for d in dtypes), key=["ns", "us", "ms", "s"].index)
        return _Pair(labels, pd.DatetimeTZDtype(unit, "UTC") if zoned[0] else np.dtype(f"M8[{unit}]"))
    if all(_is_text(d) or _is_objects(d) for d in dtypes):
        named = 1 if labels[0] is None else 0  # whose key pandas calls it by, and makes another dtype of where a column has that name
        if labels[1 - named] != labels[named] and labels[named] in list(frames[1 - named].columns):
            return None
        becomes = [None, None]
        if how not in ("leftsemi", "leftanti"):
            becomes[named] = getattr(dtypes[named], "categories", pd.Index([], dtype=object)).dtype
        return _Pair(labels, next(filter(_is_objects, dtypes), string_dtype()), becomes)
    if all(d.kind in "iufb" and not isinstance(d, pd.ArrowDtype) for d in dtypes) and (one.kind == "b") is (other.kind == "b"):
        common = pd.concat([pd.Series(pd.array([1], dtype=d)) for d in dtypes]).dtype
        return _Pair(labels, common) if _can_stand(common) else None
    return None


def _is_native(dtype):
    return not dtype_name(dtype).startswith("object")


def _is_objects(dtype):
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def _is_text(dtype):
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories is not None and dtype_name(dtype.categories.dtype) == "str"
    return isinstance(dtype, pd.StringDtype)


def _can_stand(dtype):
    """Whether native values compare as those of a dtype."""
    if isinstance(dtype, pd.CategoricalDtype):
        known = dtype.categories is not None and not dtype.categories.equals(unknown_categories()) and not _is_objects(dtype.categories.dtype)
        return known and (_is_native(dtype.categories.dtype) or _can_stand(dtype.categories.dtype))
    if isinstance(dtype, pd.ArrowDtype):
        is_of = pa.types
        kinds = is_of.is_integer, is_of.is_floating, is_of.is_boolean, is_of.is_string, is_of.is_large_string, is_of.is_temporal
        return any(is_kind(dtype.pyarrow_dtype) for is_kind in kinds) and not is_of.is_interval(dtype.pyarrow_dtype)
    if isinstance(dtype, (pd.StringDtype, pd.DatetimeTZDtype, pd.PeriodDtype)) or _is_objects(dtype):
        return True
    return bool(getattr(dtype, "_is_numeric", False)) and not isinstance(dtype, np.dtype) and dtype.kind in "biuf"


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
        count = len(_native_values(pd.Series([], dtype=pair.domain), pair.domain, ranked))
        on += [f"\0stand-in {n}" for n in range(number, number + count)]
        number += count
    return frame._assign({f"\0stand-in {n}": made._column(n) for n in range(number)}), on


def _stand_ins(keys, dtypes, ranked):
    columns = [keys] if keys.ndim == 1 else [keys.iloc[:, i] for i in range(keys.shape[1])]
    made = [s for values, dtype in zip(columns, dtypes, strict=True) for s in _native_values(values, dtype, ranked)]
    return pd.DataFrame(dict(enumerate(made)), index=keys.index)


def _native_values(values, dtype, ranked):
    """Columns that are equal where values are that are compared in a dtype; `ranked`: and are in pandas' order."""
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_categories(values, dtype, ranked)
    if isinstance(dtype, pd.StringDtype):
        return [values.astype("str")]
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(values, dtype)
    if isinstance(dtype, pd.DatetimeTZDtype) and not ranked:
        return [values.dt.as_unit(dtype.unit).dt.tz_convert("UTC").dt.tz_localize(None)]
    if ranked and getattr(dtype, "kind", "O") in "mM" or isinstance(dtype, pd.PeriodDtype):
        return [pd.Series(values.astype(dtype).array.asi8, index=values.index)]  # missing ones are the lowest number, as in pandas
    if _is_objects(dtype):
        return [pd.Series([text_of(v) for v in values], index=values.index, dtype="str")]
    if isinstance(dtype, np.dtype):
        return [values.astype(dtype)]
    values = values.astype(dtype)
    if dtype.kind == "f":
        return [values.astype(f"float{8 * dtype.itemsize}")]
    if dtype.itemsize < 8:
        return [values.astype("Int64").fillna(_BEHIND).astype("int64")]
    return [values.isna().astype("int8"), values.fillna(0).astype(dtype.numpy_dtype)]


def _of_categories(values, dtype, ranked):
    """Their values, which are the same whatever categories partitions turn out to have. `ranked`: their places among the categories that are known, missing
    ones in front, and the values of those that are not known behind.
    """
    categories, codes, of = values.array.categories, values.array.codes, dtype.categories.dtype
    places = []
    if ranked:
        known = dtype.categories.get_indexer(categories)
        places = [pd.Series(np.append(np.where(known < 0, len(dtype.categories), known), -1)[codes], index=values.index)]
        codes = np.where(np.append(known < 0, False)[codes], codes, -1)
    whole = _MASKED.get(of.kind, of) if isinstance(of, np.dtype) else of
    taken = pd.Series(pd.array(categories, dtype=whole).take(codes, allow_fill=True), index=values.index)
    return [*places, *_native_values(taken, pd.api.types.pandas_dtype(whole), ranked)]


def _of_arrow(values, dtype):
    of = dtype.pyarrow_dtype
    if pa.types.is_string(of) or pa.types.is_large_string(of):
        return [values.astype("str")]
    held = pa.array(values.array)
    if not pa.types.is_floating(of):
        held = held.cast(pa.uint64() if of == pa.uint64() else pa.int32() if pa.types.is_temporal(of) and of.bit_width == 32 else pa.int64())
    return [values.isna().astype("int8"), pd.Series(held.fill_null(0).to_numpy(zero_copy_only=False), index=values.index)]


def _of_both(merged, own, other, sides):
    """The first of two columns of a result, and of rows that are from the right alone the other one."""
    return through("merge_keys", _chosen, (merged[own], merged[other], merged[sides]), meta=merged[own]._meta, labels=False)


def _chosen(own, other, sides):
    if own.dtype != other.dtype:
        own, other = own.astype(object), other.astype(object)
    return own.where(sides != _RIGHT_ONLY, other)


def _without(frame, labels):
    return frame._take([i for i, (label, _, _) in enumerate(frame._expr.columns) if label not in labels])


def _is_hidden(label):
    return isinstance(label, str) and label.startswith("\0")
