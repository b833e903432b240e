"""Spans of time as texts."""


def parse_timedelta(value):
    """Return seconds from a number or a text such as "500 ms", "2 minutes".

    Examples
    --------
    >>> parse_timedelta("500 ms"), parse_timedelta(2)
    (0.5, 2.0)
    """
    if value is None or isinstance(value, (int, float)):
        return None if value is None else float(value)
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    text = value.replace(" ", "").lower()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    units = {"": 1, "s": 1, "sec": 1, "second": 1, "ms": 1e-3, "us": 1e-6, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
    unit = text[len(number) :]
    unit = unit if unit in units else unit.rstrip("s")
    if unit not in units:
        raise ValueError(f"{value!r} is no time; write for example '500 ms' or '2 minutes'")
    return float(number or 1) * units[unit]
