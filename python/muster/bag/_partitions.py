"""What tasks of bags run: functions of partitions, which are any iterables, that return a list."""

import collections
import dataclasses
import datetime
import functools
import heapq
import inspect
import itertools
import math
import numbers
import operator
import random as _random
import sys
import zlib
from collections.abc import Iterable, Iterator

from muster._base.libraries import pd
from muster._base.values import no_default


def mapped(func, args, kwargs, zipped, *parts):
    """Call a function item by item: those of partition number i go to the argument or keyword zipped[i]."""
    parts = [p if isinstance(p, list) else list(p) for p in parts]
    if len({len(p) for p in parts}) > 1:
        raise ValueError(
            "map called with multiple bags that aren't identically partitioned. Please ensure that all bag arguments have the same partition lengths"
        )
    if zipped == [0] and len(args) == 1:
        return kept([func(x, **kwargs) for x in parts[0]])
    out, args = [], list(args)
    for values in zip(*parts, strict=True):
        keywords = kwargs
        for place, value in zip(zipped, values, strict=True):
            if isinstance(place, int):
                args[place] = value
            else:
                keywords = {**keywords, place: value}
        out.append(func(*args, **keywords))
    return kept(out)


def kept(items):
    """Return items; iterators, which could be read once only, become lists."""
    return [list(x) for x in items] if items and isinstance(items[0], Iterator) else items


def filtered(predicate, part):
    return list(filter(predicate, part))


def filtered_by(part, flags):
    return [x for x, keep in zip(part, flags, strict=True) if keep]


def removed(predicate, part):
    return [x for x in part if not predicate(x)]


def plucked(key, default, part):
    if type(key) is list:
        return [tuple(get(x, k, default) for k in key) for x in part]
    return [get(x, key, default) for x in part]


def get(x, key, default):
    if default is no_default:
        return x[key]
    try:
        return x[key]
    except (KeyError, IndexError):
        return default


def flattened(part):
    return [x for inner in part for x in inner]


def reify(part):
    """Return the items of a partition, a list."""
    return kept(part if isinstance(part, list) else list(part))


def starmapped(func, kwargs, part):
    return [func(*x, **kwargs) for x in part]


def part_of(func, args, kwargs):
    out = func(*args, **kwargs)
    return list(out) if isinstance(out, Iterator) else out  # it may be read more than once


def together(parts):
    return [x for p in parts for x in p]


def results(parts):
    """Return the items of partitions; what map_partitions made that is no collection of items is one itself."""
    return kept([x for p in parts for x in (p if isinstance(p, Iterable) and not isinstance(p, str) else (p,))])


def taken(k, warn, *parts):
    import warnings

    out = list(itertools.islice(itertools.chain.from_iterable(parts), k))
    if warn and len(out) < k:
        warnings.warn(
            f"Insufficient elements for `take`. {k} elements requested, only {len(out)} elements available. Try passing larger `npartitions` to `take`.",
            stacklevel=2
        )
    return tuple(out)


def folded(binop, initial, part):
    return functools.reduce(binop, part) if initial is no_default else functools.reduce(binop, part, initial)


def folded_parts(combine, initial, parts):
    parts = [p[0] for p in parts if p]
    if not parts:
        if initial is no_default:
            raise TypeError("reduce() of empty iterable with no initial value")
        return initial
    return functools.reduce(combine, parts)


def fold_some(binop, initial, part):
    part = list(part)
    return [folded(binop, initial, part)] if part or initial is not no_default else []


def by_key(key, binop, initial, part):
    out = {}
    key = key_function(key)
    for x in part:
        k = key(x)
        if k in out:
            out[k] = binop(out[k], x)
        else:
            out[k] = x if initial is no_default else binop(initial, x)
    return out


def merged_keys(combine, initial, parts):
    out = {}
    for part in parts:
        for k, v in part.items():
            out[k] = combine(out[k], v) if k in out else (v if initial is no_default else combine(initial, v))
    return out


def items(d):
    return list(d.items())


def takes_multiple_arguments(func, varargs=True):
    """Return whether a function must be given several arguments; with varargs whether it takes any number."""
    if isinstance(func, type) and func.__module__ == "builtins":
        return False
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return False
    if varargs and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


def key_function(key):
    if callable(key):
        return key
    return (lambda x: tuple(x[k] for k in key)) if type(key) is list else (lambda x: x[key])


def grouped(key, count, part):
    out = [collections.defaultdict(list) for _ in range(count)]
    key = key_function(key)
    for x in part:
        k = key(x)
        out[stable_hash(k) % count][k].append(x)
    return [dict(d) for d in out]


def stable_hash(value):
    """Return a hash that is the same in every process, and of equal values: Python's is another of texts in each process, and pickles of equal tuples differ.

    Numbers hash as Python does it, tuples and frozensets by their items, dataclasses by the fields that they compare, other objects by their class and what
    they reduce to. Only a class with an `__eq__` of its own knows which of its objects are equal: they all have one hash.
    """
    if value is None:
        return 0
    if isinstance(value, str):
        return zlib.crc32(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, numbers.Number):
        return hash(value) if value == value else 0
    if isinstance(value, (bytes, bytearray, memoryview)):
        return zlib.crc32(value)
    if isinstance(value, (tuple, list)):
        return hash(tuple(map(stable_hash, value)))
    if isinstance(value, (set, frozenset)):
        return hash(frozenset(map(stable_hash, value)))
    if isinstance(value, dict):
        return hash(frozenset((stable_hash(k), stable_hash(v)) for k, v in value.items()))
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return hash(value.timestamp())
    if isinstance(value, datetime.datetime):
        return stable_hash(value.isoformat())
    if isinstance(value, datetime.timedelta):
        return hash(value.total_seconds())
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):  # classes and functions
        return stable_hash(name)
    if hasattr(value, "item"):  # NumPy's scalars that are no numbers
        return stable_hash(value.item())
    kind = type(value)
    if dataclasses.is_dataclass(value) and kind.__eq__ is not object.__eq__:
        return stable_hash((kind.__qualname__, *(getattr(value, f.name) for f in dataclasses.fields(value) if f.compare)))
    if kind.__eq__ is not object.__eq__ and kind.__module__.partition(".")[0] not in sys.stdlib_module_names:
        return stable_hash(kind.__qualname__)
    reduced = value.__reduce_ex__(4)
    return stable_hash(reduced if isinstance(reduced, str) else (kind.__qualname__, *reduced[1:3]))


def group_of(number, *parts):
    out = collections.defaultdict(list)
    for p in parts:
        for k, values in p[number].items():
            out[k].extend(values)
    return list(out.items())


def distinct(key, part):
    if key is None:
        return list(dict.fromkeys(part))
    key, seen = key_function(key), {}
    for x in part:
        seen.setdefault(key(x), x)
    return list(seen.values())


def moments(part):
    n = total = squares = 0
    for x in part:
        n, total, squares = n + 1, total + x, squares + x * x
    return n, total, squares


def mean_of(parts):
    n = sum(p[0] for p in parts)
    return sum(p[1] for p in parts) / n


def var_of(ddof, root, parts):
    n, total, squares = (sum(p[i] for p in parts) for i in range(3))
    out = (squares / n - (total / n) ** 2) * n / (n - ddof)
    return math.sqrt(out) if root else out


def top(k, key, part):
    if key is not None:
        of_items = callable(key) and takes_multiple_arguments(key)
        key = (lambda item, key=key: key(*item)) if of_items else key_function(key)
    return heapq.nlargest(k, part, key=key)


def top_of(k, key, parts):
    return top(k, key, together(parts))


def count(part):
    return len(part) if isinstance(part, list) else sum(1 for _ in part)


def frequencies(part):
    return dict(collections.Counter(part))


def summed(parts):
    out = collections.Counter()
    for p in parts:
        out.update(p)
    return dict(out)


def sorted_items(d):
    return sorted(d.items(), key=operator.itemgetter(1), reverse=True)


def joined(on_self, on_other, others, part):
    table = collections.defaultdict(list)
    for o in others:
        table[on_other(o)].append(o)
    return [(o, x) for x in part for o in table.get(on_self(x), ())]


def product(left, right):
    return list(itertools.product(left, right))


def sampled(state, probability, part):
    random = _random.Random()
    random.setstate(state)
    return [x for x in part if random.random() < probability]


def accumulated(binop, first, part, before):
    out = list(
        itertools.accumulate(part, binop, initial=before if before is not no_default else None) if before is not no_default
        else itertools.accumulate(part, binop)
    )
    return (out[1:] if before is not no_default and not first else out), (out[-1] if out else before)


def frame(columns, part):
    return pd.DataFrame(list(part), columns=columns)


def reduce_part(perpartition, part):
    return perpartition(part)


def present(function, parts):
    parts = [p[0] for p in parts if p]
    return function(parts)


def some(function, part):
    part = list(part)
    return [function(part)] if part else []


def fits(fnmatch, pattern, text):
    return fnmatch(text, pattern)


def shares(part):
    part = list(part)
    total = sum(n for _, n in part)
    return [(x, n / total) for x, n in part]


def total_mem_usage(part):
    """Return the bytes of a partition's items."""
    from muster.sizeof import sizeof  # which asks installed packages for entry points

    return sizeof(reify(part))


def slice_of(part, i, n):
    part = list(part)
    return part[len(part) * i // n : len(part) * (i + 1) // n]


def zipped(*parts):
    return list(zip(*parts, strict=False))
