"""Python tasks: nodes, placeholders for inputs deep inside arguments, and what takes containers apart for them."""

import collections
import copy
import dataclasses
import itertools
import operator
import os
import threading

from muster._base import context
from muster._core import TaskNode

_ATOMS = frozenset([int, float, str, bytes, bool, type(None), complex])
_unique = itertools.count()
_process = os.urandom(10).hex()
_current = threading.local()
NOT_LAZY = object()
LEFT_OUT = object()

os.register_at_fork(after_in_child=lambda: globals().__setitem__("_process", os.urandom(10).hex()))


def process():
    """Return the name of this process, which no other has."""
    return _process


def unique():
    """Return a hexadecimal text of 32 digits that no other call returns."""
    return f"{_process}{next(_unique):012x}"


def identity(value):
    """Return the value: the function of a node that is no call."""
    return value


def funcname(function):
    """Return a function's name as it is shown: of a partial the function's, of a method Class.method's last part."""
    while hasattr(function, "func"):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return "lambda" if name == "<lambda>" else name[:50]


class Node(TaskNode):
    """A call as a node of a graph: it has a key, and the annotations that held where it was made."""

    __slots__ = ("_key", "_name", "_length", "_annotations", "__weakref__")

    def __init__(self, key, function=identity, arguments=(), keywords=None, nested=None, length=None, name=None):
        TaskNode.__init__(self, function, arguments, keywords, nested)
        put = object.__setattr__  # Delayed allows no other, and there are many of these
        put(self, "_key", key)
        put(self, "_length", length)
        put(self, "_name", name)
        put(self, "_annotations", context.active_annotations())

    @property
    def key(self):
        """The task's name."""
        if self._key is None:
            self._key = f"{self._name or funcname(self._function)}-{unique()}"
        return self._key

    @property
    def _label(self):
        """What a picture of the graph shows."""
        return funcname(self._function)

    def _holding(self, value):
        """Return the node of this key that is the value."""
        return Node(self.key, arguments=(value,), length=self._length)

    def __dask_tokenize__(self):
        return self.key


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


def unpack(value, lazy, traverse=True):
    """Replace lazy values inside containers: lists, tuples, sets, dicts, deques and what derives from these, iterators of these, slices, named tuples and
    dataclasses.

    Each container is looked at once, however often it is found and however deep it lies.

    Parameters
    ----------
    value : any
    lazy : callable
        Called with every element; returns what stands in its place, LEFT_OUT if nothing shall (in a named tuple, a slice or a dataclass None), or NOT_LAZY.

    Returns
    -------
    any
        `value` itself if nothing in it is lazy, else a copy of the containers around what is.

    Raises
    ------
    ValueError
        If a container with lazy values contains itself.
    """
    if type(value) in _ATOMS:
        return value
    new = lazy(value)
    if new is not NOT_LAZY:
        return None if new is LEFT_OUT else new
    opened = _open(value) if traverse else None
    if opened is None:
        return value
    done, cyclic = {}, set()  # by identity
    stack = [opened]
    inside = {id(value)}
    while True:
        container, parts, new, copied = stack[-1]
        while len(new) < len(parts):
            part = parts[len(new)]
            if type(part) in _ATOMS:
                new.append(part)
                continue
            known = done.get(id(part))
            if known is not None:
                new.append(known[1])
                continue
            if id(part) in inside:
                cyclic.add(id(part))
                new.append(part)
                continue
            stands = lazy(part)
            if stands is NOT_LAZY:
                opened = _open(part)
                if opened is not None:
                    stack.append(opened)
                    inside.add(id(part))
                    break
                new.append(part)
            else:
                done[id(part)] = (part, stands)
                new.append(stands)
        else:
            stack.pop()
            inside.discard(id(container))
            made = container
            if not all(map(operator.is_, parts, new)):
                if id(container) in cyclic:
                    raise ValueError(f"a {type(container).__name__} that contains itself holds lazy values; compute them first")
                made = copied(container, new)
            if not stack:
                return made
            done[id(container)] = (container, made)
            stack[-1][2].append(made)


def _open(value):
    """Return (container, its parts, a list for what stands in their places, a function that copies it around these); None if it is no container or holds atoms
    only.
    """
    kind = type(value)
    found = _CONTAINERS.get(kind)
    if found is None:
        found = next((_CONTAINERS[base] for base in kind.__mro__ if base in _CONTAINERS), None)
        if found is None:
            if not hasattr(kind, "__dataclass_fields__"):
                return None
            found = _DATACLASS
    take, copied = found
    parts = take(value)
    return None if _ATOMS.issuperset(map(type, parts)) else (value, parts, [], copied)


def _fields(value):
    return [f.name for f in dataclasses.fields(value) if hasattr(value, f.name)]


def _pairs(value):
    return list(itertools.chain.from_iterable(dict.items(value)))


def _present(parts):
    return [p for p in parts if p is not LEFT_OUT]


def _as_none(parts):
    return [None if p is LEFT_OUT else p for p in parts]


def _copy_tuple(value, parts):
    kind = type(value)
    if kind is tuple:
        return tuple(_present(parts))
    if hasattr(kind, "_fields"):
        return kind._make(_as_none(parts))
    out = kind.__new__(kind, _present(parts))
    out.__dict__.update(getattr(value, "__dict__", ()))
    return out


def _copy_filled(value, parts):
    """Copy a list, a set or a deque; what it is besides, such as a largest length, stays."""
    kind, parts = type(value), _present(parts)
    if kind in (list, set, frozenset):
        return kind(parts)
    if isinstance(value, frozenset):
        return kind.__new__(kind, parts)
    out = copy.copy(value)
    out.clear()
    (out.update if isinstance(value, set) else out.extend)(parts)
    return out


def _copy_dict(value, parts):
    out = {} if type(value) is dict else copy.copy(value)
    out.clear()
    for key, part in zip(parts[::2], parts[1::2], strict=True):
        if key is not LEFT_OUT and part is not LEFT_OUT:
            out[key] = part
    return out


def _copy_dataclass(value, parts):
    out = copy.copy(value)
    for name, part in zip(_fields(value), _as_none(parts), strict=True):
        object.__setattr__(out, name, part)
    return out


def _copied(iterator):
    return list(copy.copy(iterator))


_FILLED = (list, _copy_filled)
_ITERATOR = (_copied, lambda iterator, parts: iter(_present(parts)))
_CONTAINERS = {
    list: _FILLED,
    set: _FILLED,
    frozenset: _FILLED,
    collections.deque: _FILLED,
    tuple: (list, _copy_tuple),
    dict: (_pairs, _copy_dict),
    **dict.fromkeys([type(iter([])), type(iter(())), type(iter(set()))], _ITERATOR),
    slice: (lambda s: [s.start, s.stop, s.step], lambda s, parts: slice(*_as_none(parts))),
}
_DATACLASS = (lambda value: [getattr(value, name) for name in _fields(value)], _copy_dataclass)


def pack(arguments, keywords, traverse=True):
    """Return (arguments, keywords, nested): nodes that are no argument themselves are taken out, placeholders stand in their places."""
    plain = True
    for a in arguments:  # a loop: all() would make a generator for each of many tasks
        if type(a) not in _ATOMS and not isinstance(a, TaskNode):
            plain = False
            break
    if plain and not keywords:
        return arguments, None, None
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


def is_to_come(value):
    """Whether a value stands for what tasks are to make: a Delayed, a future, a bag or an item of one. Expressions of rows do not."""
    return isinstance(value, TaskNode) or hasattr(type(value), "__muster_node__") and not hasattr(value, "_expr")


def refuse_to_come(value):
    """Raise a TypeError for what is_to_come, where a value is needed."""
    if is_to_come(value):
        way = ".result()" if hasattr(type(value), "result") else ".compute()"
        raise TypeError(f"{value!r} is not a value yet: give what its {way} returns, or make a collection of it, with from_delayed or to_dataframe")


def fill(arguments, keywords, inputs):
    """Put results in the places of placeholders."""

    def lazy(value):
        if type(value) is Input:
            return inputs[value.index]
        return value if isinstance(value, TaskNode) else NOT_LAZY

    return unpack(tuple(arguments), lazy), unpack(keywords or {}, lazy)
