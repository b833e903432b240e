"""What users say of how tasks run, as the engine takes it."""

from muster._base.units import parse_timedelta

_OPTIONS = ("priority", "retries", "workers", "allow_other_workers", "resources", "timeout")


def options_of(annotations, key=None):
    """Return what `annotations` say of how tasks run, as the engine takes it."""
    out = {}
    for name in _OPTIONS:
        value = (annotations or {}).get(name)
        if callable(value):
            value = value(key)
        if value is None or value is False:
            continue
        if name == "workers":
            value = [value] if isinstance(value, str) else [str(w) for w in value]
        elif name == "timeout":
            value = parse_timedelta(value)
        elif name == "resources":
            value = {str(k): float(v) for k, v in value.items()}
        out[name] = value
    return out
