"""Numbers of bytes and spans of time, as texts and back."""


def parse_bytes(value):
    """Return a number of bytes from an integer or a text such as "2 GB" or "512MiB".

    Examples
    --------
    >>> from muster._base.units import parse_bytes
    >>> parse_bytes("1.5 kB")
    1500
    """
    if isinstance(value, (int, float)):
        return int(value)
    text = value.replace(" ", "").lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    units = {
        "": 1, "b": 1, **{p + "b": 1000**i for i, p in enumerate("kmgtp", 1)}, **{p: 1000**i for i, p in enumerate("kmgtp", 1)},
        **{p + "ib": 1024**i for i, p in enumerate("kmgtp", 1)}
    }
    try:
        return int(float(digits or 1) * units[text[len(digits) :]])
    except (KeyError, ValueError):
        raise ValueError(f"{value!r} is no number of bytes; write for example '512 MB' or '2 GiB'") from None


def positive_bytes(value, name):
    """Return a number of bytes that has to be at least one; `name` says in messages what it is.

    Examples
    --------
    >>> from muster._base.units import positive_bytes
    >>> positive_bytes("2 kB", "partition_size")
    2000
    """
    size = parse_bytes(value)
    if size < 1:
        raise ValueError(f"{name} must be at least 1 byte, got {value!r}")
    return size


def format_bytes(n):
    """Return a number of bytes as text, such as 1.50 GiB."""
    for prefix, k in (("PiB", 2**50), ("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("kiB", 2**10)):
        if n >= k * 0.9:
            return f"{n / k:.2f} {prefix}"
    return f"{n} B"


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
