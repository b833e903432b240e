"""Objects as they are compared for equality: alike wherever they are, also where copies came from another process."""

import decimal

from muster._base.libraries import np, pd


def comparable(data):
    """Return rows in which missing decimals are one object, as pandas tells them apart by identity.

    Raises
    ------
    TypeError
        For values that are equal to nothing but themselves, and have no hash: arrays, and pandas' objects.
    """
    if data.ndim == 1:
        values = _comparable(data) if data.dtype == "object" else None
        return data if values is None else pd.Series(values, index=data.index, name=data.name, dtype=object)
    changed = {i: _comparable(data.iloc[:, i]) for i, dtype in enumerate(data.dtypes) if dtype == "object"}
    if all(values is None for values in changed.values()):
        return data
    data = data.copy(deep=False)
    for i, values in changed.items():
        if values is not None:
            data.isetitem(i, pd.Series(values, index=data.index, dtype=object))
    return data


def _comparable(column):
    values = column.to_numpy()
    types = set(map(type, values))
    for t in types:
        if issubclass(t, (np.ndarray, pd.Series, pd.DataFrame, pd.Index, pd.api.extensions.ExtensionArray)):
            raise TypeError(f"unhashable type: '{t.__module__}.{t.__name__}'" + ("" if column.name is None else f" (column {column.name!r})"))
    if not any(issubclass(t, decimal.Decimal) for t in types):
        return None
    missing = [i for i, value in enumerate(values) if isinstance(value, decimal.Decimal) and value.is_nan()]
    if len(missing) < 2:
        return None
    values = values.copy()
    for i in missing:
        values[i] = values[missing[0]]
    return values
