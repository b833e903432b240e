"""Native columns that stand in for keys of merges: equal where pandas takes the keys for equal, in its order where that is asked for, and back.

Missing keys are equal to each other. In order means ranked: pandas has missing times, periods and categories in front, other missing keys behind.
"""

from muster._base.libraries import np, pa, pd
from muster._border.equality import text_of
from muster._border.pandas import dtype_name, unknown_categories

_BEHIND = 2**40  # stands in for missing integers of 32 bits and less


def can_stand(dtype):
    """Whether native values compare as those of a dtype."""
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories is not None and not dtype.categories.equals(unknown_categories())
    if isinstance(dtype, pd.ArrowDtype):
        is_of = pa.types
        kinds = is_of.is_integer, is_of.is_floating, is_of.is_boolean, is_of.is_string, is_of.is_large_string, is_of.is_temporal
        return any(is_kind(dtype.pyarrow_dtype) for is_kind in kinds) and not is_of.is_interval(dtype.pyarrow_dtype)
    if isinstance(dtype, (pd.StringDtype, pd.DatetimeTZDtype, pd.PeriodDtype)) or is_objects(dtype):
        return True
    return bool(getattr(dtype, "_is_numeric", False)) and not isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def is_native(dtype):
    return not dtype_name(dtype).startswith("object")


def is_objects(dtype):
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def native_values(values, dtype, ranked):
    """Columns that are equal where values are that are compared in a dtype; `ranked`: and are in pandas' order."""
    if isinstance(dtype, pd.CategoricalDtype):
        return [_places_in(values, dtype.categories)]
    if isinstance(dtype, pd.StringDtype):
        return [_texts(values)]
    if isinstance(dtype, pd.ArrowDtype):
        return _of_arrow(values, dtype)
    if isinstance(dtype, pd.DatetimeTZDtype) and not ranked:
        return [values.dt.as_unit(dtype.unit).dt.tz_convert("UTC").dt.tz_localize(None)]
    if ranked and getattr(dtype, "kind", "O") in "mM" or isinstance(dtype, pd.PeriodDtype):
        return [pd.Series(values.astype(dtype).array.asi8, index=values.index)]  # missing ones are the lowest number, as in pandas
    if is_objects(dtype):
        return [pd.Series([text_of(v) for v in values], index=values.index, dtype="str")]
    if isinstance(dtype, np.dtype):
        return [values.astype(dtype)]
    values = values.astype(dtype)
    if dtype.kind == "f":
        return [values.astype(f"float{8 * dtype.itemsize}")]
    if dtype.itemsize < 8:
        return [values.astype("Int64").fillna(_BEHIND).astype("int64")]
    return [values.isna().astype("int8"), values.fillna(0).astype(dtype.numpy_dtype)]


def _places_in(values, categories):
    own = values.array.categories
    places = np.arange(len(own)) if own.equals(categories) else categories.get_indexer(own)
    if (places < 0).any():
        raise ValueError(f"merge: key {values.name!r} has other categories than its dtype says; .cat.as_known() tells them")
    return pd.Series(np.append(places, -1)[values.array.codes], index=values.index)  # missing ones are in front, as in pandas


def _texts(values):
    if isinstance(values.dtype, pd.CategoricalDtype):
        return pd.Series(pd.array(values.array.categories, dtype="str").take(values.array.codes, allow_fill=True), index=values.index)
    return values.astype("str")


def _of_arrow(values, dtype):
    of = dtype.pyarrow_dtype
    if pa.types.is_string(of) or pa.types.is_large_string(of):
        return [values.astype("str")]
    held = pa.array(values.array)
    if not pa.types.is_floating(of):
        held = held.cast(pa.uint64() if of == pa.uint64() else pa.int32() if pa.types.is_temporal(of) and of.bit_width == 32 else pa.int64())
    return [values.isna().astype("int8"), pd.Series(held.fill_null(0).to_numpy(zero_copy_only=False), index=values.index)]


def width_of(dtype, ranked):
    """How many columns stand in for one of a dtype."""
    return len(native_values(pd.Series([], dtype=dtype), dtype, ranked))


def values_from(stands, dtype):
    """Return the values of a dtype, not of objects, for which these ranked columns stand in."""
    first, *others = stands
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical.from_codes(first, dtype=dtype), index=first.index)
    if isinstance(dtype, pd.ArrowDtype) and others:
        held = pa.array(others[0].to_numpy(), mask=first.to_numpy() != 0).cast(dtype.pyarrow_dtype)
        return pd.Series(pd.array(held, dtype=dtype), index=first.index)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return first.astype(f"M8[{dtype.unit}]").dt.tz_localize("UTC").astype(dtype)
    if isinstance(dtype, pd.PeriodDtype):
        return pd.Series(pd.arrays.PeriodArray(first.to_numpy(), dtype=dtype), index=first.index)
    if others:
        return others[0].astype(dtype).mask(first != 0)
    if dtype.kind in "biu":
        return first.astype("Int64").mask(first == _BEHIND).astype(dtype)
    return first.astype(dtype)
