"""What users say of how tasks run, as the engine takes it."""

import math

from muster._base.units import parse_timedelta

_LARGEST = 2**31 - 1


def options_of(annotations, key=None):
    """Return what `annotations` say of how tasks run, as the engine takes it.

    Raises
    ------
    TypeError, ValueError
        Naming the annotation that says nothing of the kind.
    """
    out = {}
    for name, taken in _OPTIONS.items():
        value = (annotations or {}).get(name)
        if callable(value):
            value = value(key)
        if value is not None and value is not False:
            out[name] = taken(value)
    return out


def _priority(value):
    try:
        number = math.nan if isinstance(value, (str, bytes, bytearray)) else float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise TypeError(f"'priority' must be a number, got {value!r}")
    return number


def _retries(value):
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"'retries' must be a non-negative integer, got {value!r}")
    return min(value, _LARGEST)


def _workers(value):
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return [str(value)]  # the workers of a LocalCluster have numbers for names
    if not isinstance(value, (list, tuple, set)):
        raise TypeError(f"'workers' must be a text or a list of texts, got {value!r}")
    return [str(w) for w in value]


def _allow_other_workers(value):
    if value is not True:
        raise TypeError(f"'allow_other_workers' must be True or False, got {value!r}")
    return value


def _resources(value):
    if not isinstance(value, dict):
        raise TypeError(f"'resources' must be a dict, got {value!r}")
    out = {}
    for name, amount in value.items():
        try:
            out[str(name)] = float(amount)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"'resources' must say numbers, got {amount!r} for {name!r}") from None
        if not 0 <= out[str(name)] < math.inf:
            raise ValueError(f"'resources' must say how much a task occupies, got {amount!r} for {name!r}")
    return out


def _timeout(value):
    try:
        seconds = parse_timedelta(value)
    except (AttributeError, TypeError):
        raise TypeError(f"'timeout' must be seconds or a text such as '500 ms', got {value!r}") from None
    if not seconds >= 0:
        raise ValueError(f"'timeout' must not be negative, got {value!r}")
    return min(seconds, 1e9)  # thirty years


_OPTIONS = {
    "priority": _priority,
    "retries": _retries,
    "workers": _workers,
    "allow_other_workers": _allow_other_workers,
    "resources": _resources,
    "timeout": _timeout,
}
