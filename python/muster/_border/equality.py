"""Objects as they are compared for equality: alike wherever they are, also where copies came from another process."""

import datetime
import decimal
import enum
import fractions
import numbers
import uuid

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


def text_of(value):
    """Return a text that is the same for values that pandas takes for the same key, whatever their types, None for a missing one.

    Raises
    ------
    TypeError
        For a value that has no hash, or of a type that is not known to be equal to no other.
    """
    if value is None or value is pd.NA or value is pd.NaT or isinstance(value, (float, np.floating, decimal.Decimal)) and value != value:
        return None
    return _text_of(value)


def _text_of(value):
    if type(value) is str:
        return f"s{value}"
    if type(value) is int:
        return f"n{value}"
    if isinstance(value, str):
        return f"s{str.__str__(value)}"
    if isinstance(value, (numbers.Number, np.bool_)) and not isinstance(value, np.timedelta64):
        return f"n{_number(value)}"
    if isinstance(value, tuple):  # their items may be missing, each kind by itself
        items = [repr(v) if v is None or v is pd.NA or v != v else _text_of(v) for v in value]
        return f"({''.join(f'{len(i)}:{i}' for i in items)}"
    if isinstance(value, frozenset):
        return f"{{{''.join(sorted(f'{len(i)}:{i}' for i in map(_text_of, value)))}"
    if isinstance(value, datetime.datetime):
        return f"t{(value if value.tzinfo is None else value.astimezone(datetime.UTC)).isoformat()}"
    if isinstance(value, datetime.timedelta):
        return f"d{value.days} {value.seconds} {value.microseconds} {getattr(value, 'nanoseconds', 0)}"
    if type(value) in (bytes, datetime.date, uuid.UUID, pd.Period) or isinstance(value, enum.Enum):
        return f"{type(value).__module__}.{type(value).__qualname__} {value!r}"
    hash(value)
    raise TypeError(
        f"merge: keys of objects of type {type(value).__name__}: what these are equal to is not known; make a column of texts or numbers of them first, "
        "df.assign(key=df.key.map(str))"
    )


def _number(value):
    if isinstance(value, complex):
        return _number(value.real) if value.imag == 0 else f"{_number(value.real)}+{_number(value.imag)}j"
    if isinstance(value, fractions.Fraction):
        above, below = value.numerator, value.denominator
    elif isinstance(value, (int, np.integer, np.bool_)):
        return int(value)
    elif value in (float("inf"), float("-inf")) or value != value:
        return float(value)
    else:
        above, below = value.as_integer_ratio()
    return above if below == 1 else f"{above}/{below}"
