"""Calls that wait: `delayed` turns functions, values and their methods into tasks of a graph that runs in parallel.

Examples
--------
>>> import muster
>>> @muster.delayed
... def inc(i):
...     return i + 1
>>> total = muster.delayed(sum)([inc(1), inc(2)])
>>> total.compute()
5
"""

import functools
import operator
import weakref
from types import GenericAlias

from muster import threaded
from muster._base.tasks import NOT_LAZY, Input, Node, funcname, identity, node_of, pack, unpack
from muster._base.tokenize import tokenize
from muster._base.values import no_default
from muster._collections import running
from muster._collections.graphs import to_dict, to_nodes
from muster._core import TaskNode

__all__ = ["Delayed", "DelayedAttr", "DelayedLeaf", "delayed", "to_task_dask", "unpack_collections", "single_key", "rebuild"]

_pure = weakref.WeakValueDictionary()


def _call(function, *args, **kwargs):
    return function(*args, **kwargs)


class _Method:
    """Calls the method `name` of its first argument."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __call__(self, owner, *args, **kwargs):
        return getattr(owner, self.name)(*args, **kwargs)

    @property
    def __name__(self):
        return self.name

    def __reduce__(self):
        return _Method, (self.name,)


class Delayed(Node):
    """A value that is not computed yet: a call with its arguments, some of which may be Delayed too.

    Attributes, items, methods and operators of it are Delayed again. It has no truth value and cannot be changed in place; it can be iterated over
    only if its length is known (`nout`).

    Attributes
    ----------
    key : str
        The task's name: that of the function and a unique or, if pure, a deterministic token.
    """

    __slots__ = ()
    __class_getitem__ = classmethod(GenericAlias)

    def _holding(self, value):
        return Delayed(self.key, arguments=(value,), length=self._length)

    def compute(self, **kwargs):
        """Return the value; keywords as those of `muster.compute`."""
        return running.compute(self, traverse=False, **kwargs)[0]

    def persist(self, **kwargs):
        """Return a Delayed whose value is computed: at once in this process, in the background on a cluster."""
        return running.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, filename="mydask", format=None, optimize_graph=False, **kwargs):
        """Draw the graph of calls; see `muster.visualize`."""
        return running.visualize(self, filename=filename, format=format, optimize_graph=optimize_graph, **kwargs)

    @property
    def dask(self):
        """The graph as a mapping of keys to calls."""
        return self.__dask_graph__()

    def __dask_graph__(self):
        return to_dict([self])

    def __dask_keys__(self):
        return [self.key]

    def __dask_layers__(self):
        return (self.key,)

    @staticmethod
    def __dask_scheduler__(dsk, keys, **kwargs):
        return threaded.get(dsk, keys, **kwargs)

    @staticmethod
    def __dask_optimize__(dsk, keys, **kwargs):
        return dsk

    def __dask_postcompute__(self):
        return single_key, ()

    def __dask_postpersist__(self):
        return rebuild, (self.key, self._length)

    def __repr__(self):
        return f"Delayed({self.key!r})"

    def __hash__(self):
        return hash(self.key)

    def __dir__(self):
        return sorted(set(object.__dir__(self)))

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(f"Attribute {name} not found")
        if name == "visualise":
            import warnings

            warnings.warn("dask.delayed objects have no `visualise` method. Perhaps you meant `visualize`?", UserWarning, stacklevel=2)
        return DelayedAttr(self, name)

    def __setattr__(self, name, value):
        if name in ("_key", "_name", "_length", "_annotations"):
            object.__setattr__(self, name, value)
        else:
            raise TypeError("Delayed objects are immutable")

    def __setitem__(self, index, value):
        raise TypeError("Delayed objects are immutable")

    def __iter__(self):
        if self._length is None:
            raise TypeError("Delayed objects of unspecified length are not iterable")
        return (self[i] for i in range(self._length))

    def __len__(self):
        if self._length is None:
            raise TypeError("Delayed objects of unspecified length have no len()")
        return self._length

    def __bool__(self):
        raise TypeError("Truth of Delayed objects is not supported")

    def __call__(self, *args, pure=None, dask_key_name=None, **kwargs):
        return _call_node(_call, (self, *args), kwargs, pure, dask_key_name, None, "apply")

    def __get__(self, instance, owner):
        if instance is None:
            return self
        import types

        return types.MethodType(self, instance)

    def __reduce__(self):
        # Placeholders are stored as pairs: unpickling a placeholder itself means taking an input.
        arguments, keywords = _exchanged((self._arguments, self._keywords), Input, _Stored)
        return _restored, (self.key, self._function, arguments, keywords, self._nested, self._length)

    def __await__(self):
        raise TypeError("a Delayed is awaited through a client: await client.compute(value)")


class _Stored:
    """A placeholder inside a pickled Delayed."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index

    def __reduce__(self):
        return _Stored, (self.index,)


def _exchanged(value, old, new):
    def lazy(v):
        if type(v) is old:
            return new(v.index)
        return v if isinstance(v, TaskNode) else NOT_LAZY

    return unpack(value, lazy)


def _restored(key, function, arguments, keywords, nested, length):
    arguments, keywords = _exchanged((arguments, keywords), _Stored, Input)
    return Delayed(key, function, arguments, keywords, nested, length)


def _call_node(function, args, kwargs, pure, key, length, name=None, traverse=True):
    arguments, keywords, nested = pack(args, kwargs, traverse)
    if pure is None:
        pure = running.config.get("delayed_pure", False)
    if pure and key is None:
        key = f"{name or funcname(function)}-{tokenize(function, args, kwargs)}"
        known = _pure.get(key)
        if known is not None:
            return known
        node = _pure[key] = Delayed(key, function, arguments, keywords, nested, length)
        return node
    return Delayed(key, function, arguments, keywords, nested, length, name)


class DelayedLeaf(Delayed):
    """A value or function made lazy; calling it makes a task."""

    __slots__ = ("_object", "_options")

    def __init__(self, obj, key, pure=None, nout=None, traverse=True):
        Delayed.__init__(self, key, identity, (obj,), None, None, None if callable(obj) else nout, name=funcname(obj) if callable(obj) else type(obj).__name__)
        object.__setattr__(self, "_object", obj)
        object.__setattr__(self, "_options", (pure, nout, traverse))

    def __setattr__(self, name, value):
        if name.startswith("__") or name in ("_object", "_options"):
            object.__setattr__(self, name, value)
        else:
            Delayed.__setattr__(self, name, value)

    @property
    def _label(self):
        return repr(self._object)[:30]

    @property
    def __name__(self):
        return self._object.__name__

    @property
    def __doc__(self):
        return self._object.__doc__

    @property
    def __wrapped__(self):
        return self._object

    def __call__(self, *args, pure=None, dask_key_name=None, **kwargs):
        own_pure, nout, traverse = self._options
        return _call_node(self._object, args, kwargs, own_pure if pure is None else pure, dask_key_name, nout, None, traverse)

    def __reduce__(self):
        return DelayedLeaf, (self._object, self.key, *self._options)


class DelayedAttr(Delayed):
    """An attribute of a Delayed; calling it calls the method in one task."""

    __slots__ = ("_owner", "_attribute")

    def __init__(self, owner, attribute):
        Delayed.__init__(self, None, getattr, (owner, attribute), name=f"getattr-{attribute}")
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_attribute", attribute)

    def __getattr__(self, name):
        if name == "dtype" and self._attribute == "dtype":
            raise AttributeError("Attribute dtype not found")
        return Delayed.__getattr__(self, name)

    def __call__(self, *args, pure=None, dask_key_name=None, **kwargs):
        return _call_node(_Method(self._attribute), (self._owner, *args), kwargs, pure, dask_key_name, None)

    def __reduce__(self):
        return DelayedAttr, (self._owner, self._attribute)


def _operator(name, function, reflected=False):
    def method(self, *others):
        args = (*others, self) if reflected else (self, *others)
        return _call_node(function, args, None, None, None, None)

    method.__name__ = name
    return method


for _name in "add sub mul truediv floordiv mod pow matmul lshift rshift and or xor".split():
    _function = getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    setattr(Delayed, f"__{_name}__", _operator(f"__{_name}__", _function))
    setattr(Delayed, f"__r{_name}__", _operator(f"__r{_name}__", _function, reflected=True))
for _name in "eq ne lt le gt ge abs neg pos invert getitem".split():
    setattr(Delayed, f"__{_name}__", _operator(f"__{_name}__", getattr(operator, _name)))
for _name, _function in (("divmod", divmod), ("round", round)):
    setattr(Delayed, f"__{_name}__", _operator(f"__{_name}__", _function))


def delayed(obj=no_default, name=None, pure=None, nout=None, traverse=True):
    """Make a function or a value lazy.

    Parameters
    ----------
    obj : any
        A function becomes one whose calls are tasks; any other object a lazy value. Without it the decorator of these options: ``@delayed(nout=2)``. Lazy
        values inside lists, tuples, sets, dicts, dataclasses and
        named tuples become inputs of the task.
    name : str, optional
        Key of the value; default a token.
    pure : bool, default False
        Calls with equal arguments are one task, with a deterministic key. Default: config `delayed_pure`.
    nout : int, optional
        Number of values a call returns: what it returns can then be unpacked.
    traverse : bool, default True
        Look for lazy values inside containers.

    Returns
    -------
    Delayed

    Raises
    ------
    ValueError
        If nout is negative or not an integer.

    Examples
    --------
    >>> from muster import delayed
    >>> quotient, rest = delayed(divmod, nout=2)(7, 2)
    >>> (quotient * 10 + rest).compute()
    31
    """
    if obj is no_default:
        return functools.partial(delayed, name=name, pure=pure, nout=nout, traverse=traverse)
    if nout is not None and (type(nout) is not int or nout < 0):
        raise ValueError(f"nout must be None or a non-negative integer, got {nout}")
    if isinstance(obj, Delayed):
        return obj
    node = node_of(obj)
    if isinstance(node, Delayed):
        return node
    label = funcname(obj) if callable(obj) else type(obj).__name__
    if name is None and (running.config.get("delayed_pure", False) if pure is None else pure):
        name = f"{label}-{tokenize(obj)}"
    if node is not None:  # of a future, or of rows
        return Delayed(name, identity, (node,), None, None, nout, label)
    if not callable(obj) or isinstance(obj, TaskNode):
        arguments, _, nested = pack(((obj,)), None, traverse) if traverse else ((obj,), None, None)
        if nested:
            return Delayed(name, identity, arguments, None, nested, nout, label)
    return DelayedLeaf(obj, name, pure, nout, traverse)


def unpack_collections(value, _return_collections=True):
    """Return `value` with placeholders for the lazy values inside it, and these."""
    found = []

    def lazy(v):
        if isinstance(v, TaskNode):
            found.append(v)
            return v
        node = node_of(v)
        if node is not None:
            found.append(node)
            return node
        return NOT_LAZY

    return unpack(value, lazy), tuple(found)


def to_task_dask(value):
    """Return (value, graph): the lazy values in `value` and the graph that computes them."""
    new, found = unpack_collections(value)
    return new, to_dict(found)


def single_key(seq):
    """Return the first of the results: a Delayed has one."""
    return seq[0]


def rebuild(dsk, key, length, rename=None):
    """Return a Delayed over results in `dsk`."""
    key = (rename or {}).get(key, key)
    return to_nodes(dsk, [key], Delayed)[key]
