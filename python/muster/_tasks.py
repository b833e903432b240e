"""Graphs of Python tasks: nodes, placeholders for inputs deep inside arguments, and running them in this interpreter."""

import dataclasses
import itertools
import os
import threading
import uuid

from muster._core import TaskNode

_ATOMS = frozenset([int, float, str, bytes, bool, type(None), complex])
_unique = itertools.count()
_process = uuid.uuid4().hex[:20]
_current = threading.local()
NOT_LAZY = object()

os.register_at_fork(after_in_child=lambda: globals().__setitem__("_process", uuid.uuid4().hex[:20]))


def unique():
    """Return a hexadecimal text of 32 digits that no other call returns."""
    return f"{_process}{next(_unique):012x}"


class Input:
    """Stands for result number `index` of a task's nested inputs. Unpickling one inside a worker gives the result itself."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index

    def __reduce__(self):
        return taken_input, (self.index,)


def taken_input(index):
    """Return an input of the task whose arguments are being unpickled in this thread."""
    return _current.inputs[index]


class inputs_at_hand:
    """While it is entered, placeholders unpickled in this thread become these inputs."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __enter__(self):
        self.before = getattr(_current, "inputs", None)
        _current.inputs = self.inputs

    def __exit__(self, *exc):
        _current.inputs = self.before


def _is_namedtuple(kind):
    return issubclass(kind, tuple) and kind is not tuple and hasattr(kind, "_fields")


def unpack(value, lazy, traverse=True):
    """Replace lazy values inside containers.

    Parameters
    ----------
    value : any
    lazy : callable
        Called with every element; returns what stands in its place, or NOT_LAZY.

    Returns
    -------
    any
        `value` itself if nothing in it is lazy, else a copy of the containers around what is.
    """
    kind = type(value)
    if kind in _ATOMS:
        return value
    new = lazy(value)
    if new is not NOT_LAZY:
        return new
    if not traverse:
        return value
    if kind in (list, tuple, set, frozenset):
        parts = [unpack(v, lazy) for v in value]
        return kind(parts) if any(p is not v for p, v in zip(parts, value, strict=True)) else value
    if kind is dict:
        parts = {unpack(k, lazy): unpack(v, lazy) for k, v in value.items()}
        return parts if any(p is not v or k is not j for (k, p), (j, v) in zip(parts.items(), value.items(), strict=True)) else value
    if kind is slice:
        parts = [unpack(v, lazy) for v in (value.start, value.stop, value.step)]
        return slice(*parts) if any(p is not v for p, v in zip(parts, (value.start, value.stop, value.step), strict=True)) else value
    if _is_namedtuple(kind):
        parts = [unpack(v, lazy) for v in value]
        return kind(*parts) if any(p is not v for p, v in zip(parts, value, strict=True)) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if hasattr(value, f.name)]
        parts = {f.name: unpack(getattr(value, f.name), lazy) for f in fields}
        changed = {name: part for name, part in parts.items() if part is not getattr(value, name)}
        if not changed:
            return value
        return _copy_dataclass(value, changed)
    return value


def _copy_dataclass(value, changed):
    import copy

    out = copy.copy(value)
    for name, part in changed.items():
        object.__setattr__(out, name, part)
    return out


def pack(arguments, keywords, traverse=True):
    """Return (arguments, keywords, nested): nodes that are no argument themselves are taken out, placeholders stand in their places."""
    nested = []

    def lazy(value):
        if isinstance(value, TaskNode):
            nested.append(value)
            return Input(len(nested) - 1)
        node = node_of(value)
        if node is not None:
            nested.append(node)
            return Input(len(nested) - 1)
        return NOT_LAZY

    if keywords:
        keywords = unpack(keywords, lazy, traverse=True) if traverse else {k: unpack(v, lazy, False) for k, v in keywords.items()}
    plain = True
    for a in arguments:
        if type(a) not in _ATOMS and not isinstance(a, TaskNode):
            plain = False
            break
    if not plain:
        arguments = tuple(a if isinstance(a, TaskNode) else _argument(a, lazy, traverse) for a in arguments)
    return arguments, keywords or None, nested or None


def _argument(value, lazy, traverse):
    node = node_of(value)
    return node if node is not None else unpack(value, lazy, traverse)


def node_of(value):
    """Return the node of a lazy collection that is not a node itself (a DataFrame, a Bag), None for any other value."""
    make = getattr(type(value), "__muster_node__", None)
    return make(value) if make is not None else None


def fill(arguments, keywords, inputs):
    """Put results in the places of placeholders."""

    def lazy(value):
        if type(value) is Input:
            return inputs[value.index]
        return value if isinstance(value, TaskNode) else NOT_LAZY

    return tuple(unpack(a, lazy) for a in arguments), {k: unpack(v, lazy) for k, v in (keywords or {}).items()}
