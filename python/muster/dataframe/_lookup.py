"""What `Series.map` looks up natively: a dict or a Series whose keys compare with the column's values as the engine compares them."""

from muster import _core
from muster._base.libraries import np, pd
from muster._border.pandas import string_dtype

_EXACT = 2**53  # integers below this are the same as floats


def lookup_table(mapper, na_action, dtype):
    """Return the arguments of the engine's lookup for a column of a dtype, or None where pandas must map: functions, dicts that answer for keys they lack,
    other dtypes.

    Parameters
    ----------
    mapper : object
        As given to `Series.map`.
    na_action : {None, "ignore"}
    dtype : str
        The engine's name of the column's dtype.
    """
    if na_action not in (None, "ignore"):
        return None
    if isinstance(mapper, dict):
        if not mapper or hasattr(mapper, "__missing__"):
            return None
        mapper = pd.Series(list(mapper.values()), index=pd.Index(list(mapper), tupleize_cols=False))
    elif not isinstance(mapper, pd.Series) or not len(mapper):
        return None
    if not mapper.index.is_unique:
        return None
    if na_action == "ignore":
        mapper = mapper[mapper.index.notna()]
    kept, keys = _keys(mapper.index, dtype)
    values = None if keys is None else _values(mapper if kept is None else mapper[kept])
    return None if values is None else {"keys": keys, "values": values, "dtype": _core.dtype_code(_name(mapper.dtype))}


def _name(dtype):
    return "str" if dtype == string_dtype() else str(dtype)


def _keys(index, dtype):
    """Return which keys a column of a dtype can have (None: all) and these as the engine takes them, None for what is missing; (None, None) where they do not
    compare.
    """
    name = _name(index.dtype)
    if name == dtype and (dtype in ("str", "bool") or index.dtype.kind in "mM"):
        return None, _plain(index)
    if not isinstance(index.dtype, np.dtype) or dtype == "uint64" or np.dtype(_numpy(dtype)).kind not in "iuf" or index.dtype.kind not in "if":
        return None, None
    column = np.dtype(dtype)
    keys = index.to_numpy()
    if (column.kind != "f" or keys.dtype.kind != "f") and (np.abs(keys[keys == keys].astype("float64")) >= _EXACT).any():
        return None, None
    with np.errstate(all="ignore"):
        known = (keys != keys) | (keys.astype(column).astype(keys.dtype) == keys)
    if column.kind != "f":
        ends = np.iinfo(column)
        known = (keys != keys) | known & (keys >= ends.min) & (keys <= ends.max)
    keys = keys[known]
    return known, [None if key != key else int(key) if column.kind != "f" else float(key) for key in keys.tolist()]


def _numpy(dtype):
    return "O" if dtype == "str" or dtype.startswith("object") else dtype


def _values(mapper):
    """Return values as the engine takes them, or None for a dtype that it does not make."""
    name = _name(mapper.dtype)
    if name in ("str", "bool", "int64", "float32", "float64") or isinstance(mapper.dtype, np.dtype) and mapper.dtype.kind in "mM":
        return _plain(mapper)
    return None


def _plain(data):
    if data.dtype.kind in "mM":
        return [None if gone else value for gone, value in zip(data.isna(), data.to_numpy().view("int64").tolist(), strict=True)]
    return [None if value != value else value for value in data.tolist()]
