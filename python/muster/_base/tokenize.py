"""Names for content: equal tokens mean equal objects.

An object is taken apart into a tag and parts, each object once, without recursion: nested, shared and cyclic objects take time by their size. Functions
and classes of local modules count by what they say, with all they name; those of installed modules by name.
"""

import collections
import copyreg
import datetime
import dis
import enum
import functools
import hashlib
import operator
import os
import sys
import threading
import types

from muster import config
from muster._base.dispatch import Dispatch
from muster._base.libraries import np, pa, pd
from muster._base.modules import found_by_name, is_local

_asked = threading.local()
_sentinels = {}  # by identity; kept, so that no later object gets the token of an earlier one
_HEAP_TYPE = 1 << 9
_NO_CONTENT = frozenset(
    [
        "__dict__", "__weakref__", "__module__", "__qualname__", "__doc__", "__annotations__", "__abstractmethods__", "_abc_impl", "__firstlineno__",
        "__static_attributes__", "__annotate_func__", "__annotations_cache__"
    ]
)
_ENUM_MACHINERY = frozenset(vars(enum.Enum)) | {
    "_member_names_", "_member_map_", "_value2member_map_", "_unhashable_values_", "_hashable_values_", "_member_type_", "_value_repr_", "_use_args_",
    "_new_member_", "__new__"
}

_ATOMS = {
    int: lambda v: f"i{v:x}",
    str: repr,
    float: repr,
    bool: repr,
    type(None): repr,
    bytes: lambda v: repr(v) if len(v) < 64 else "b#" + hashlib.sha1(v, usedforsecurity=False).hexdigest(),
    complex: lambda v: f"c{v.real!r},{v.imag!r}",
    type(...): repr,
    type(NotImplemented): repr,
}


class TokenizationError(RuntimeError):
    """An object cannot be named by content, and a deterministic token was asked for."""


class _Parts:
    """What an object consists of: a tag, and parts whose order counts or not."""

    __slots__ = ("tag", "parts", "ordered")

    def __init__(self, tag, parts=(), ordered=True):
        self.tag, self.parts, self.ordered = tag, parts, ordered


class _Pair(tuple):
    """An item of a mapping."""


def _hashed(text):
    return "#" + hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _digest(root, taken_apart=None):
    """Return the text that stands for an object: it of small atoms, else a hash."""
    taken_apart = taken_apart or _taken_apart
    atom = _ATOMS.get(type(root))
    if atom is not None:
        return atom(root)
    known, numbers, keep, done = {}, {}, [], []
    result = []
    stack = [(None, iter((root,)), result)]
    while True:
        frame, parts, texts = stack[-1]
        for part in parts:
            atom = _ATOMS.get(type(part))
            if atom is not None:
                texts.append(atom(part))
                continue
            me = id(part)
            text = known.get(me)
            if text is not None:
                texts.append(text)
                continue
            if me in numbers:  # it is open: a cycle, named by the number of the object it goes back to
                texts.append(f"^{numbers[me]}")
                continue
            numbers[me] = len(numbers)
            keep.append(part)
            taken = taken_apart(part)
            stack.append(((me, taken), iter(taken.parts), []))
            break
        else:
            stack.pop()
            if frame is None:
                return result[0]
            me, taken = frame
            if not taken.ordered:
                texts.sort()
            done.append(taken)
            known[me] = text = _hashed(f"{taken.tag}({','.join(texts)})")
            stack[-1][2].append(text)


def _taken_apart(value):
    kind = type(value)
    if len(normalize_token._lookup) > 1 or normalize_token._lazy:
        function = normalize_token.dispatch(kind)
        if function is not _content_of:
            return _Parts("token", (kind.__module__, kind.__qualname__, function(value)))
    take = _TAKERS.get(kind)
    if take is not None:
        return take(value)
    if isinstance(value, type):
        return _of_class(value)
    token = getattr(kind, "__dask_tokenize__", None)
    if token is not None:
        return _Parts("token", (kind.__module__, kind.__qualname__, token(value)))
    expr = getattr(value, "_expr", None) if "_expr" in getattr(value, "__dict__", ()) or hasattr(kind, "_expr") else None
    if expr is not None and hasattr(expr, "id"):
        return _Parts("expr", (expr.id,))
    if isinstance(value, enum.Enum):
        return _Parts("member", (kind, value._name_, value._value_))
    library = _LIBRARIES.get(kind.__module__.partition(".")[0])
    if library is None:
        library = next((_LIBRARIES[name] for name in (base.__module__.partition(".")[0] for base in kind.__mro__) if name in _LIBRARIES), None)
    if library is not None:
        parts = library(value)
        if parts is not None:
            return parts
    return _reduced(value, kind)


def _nameless(value):
    strict = getattr(_asked, "strict", None)
    if config.get("tokenize.ensure-deterministic", False) if strict is None else strict:
        kind = type(value)
        hint = (
            "; use functions of muster.array.ufunc (dask.array.ufunc) instead" if kind.__name__ == "ufunc"
            else f"; give {kind.__qualname__} a method __dask_tokenize__"
        )
        raise TokenizationError(f"Cannot tokenize {kind.__module__}.{kind.__qualname__}: it cannot be deterministically hashed{hint}")
    return _Parts(f"unique-{os.urandom(16).hex()}")  # no other process gives it either


def _of_sentinel(value):
    if id(value) not in _sentinels:
        _sentinels[id(value)] = (value, _nameless(value))
    else:
        _nameless(value)
    return _sentinels[id(value)][1]


def _reduced(value, kind):
    """Take an object apart as pickle does."""
    if kind is object:
        return _of_sentinel(value)
    try:
        reduce = copyreg.dispatch_table.get(kind)
        parts = reduce(value) if reduce is not None else value.__reduce_ex__(4)
    except Exception:
        return _nameless(value)
    if isinstance(parts, str):
        return _global(value, parts)
    function, arguments, state, items, pairs = (*parts, None, None, None)[:5]
    pairs = None if pairs is None else _Parts(
        "items" if isinstance(value, collections.OrderedDict) else "mapping", tuple(_Pair(p) for p in pairs), isinstance(value, collections.OrderedDict)
    )
    return _Parts("object", (function, arguments, state, None if items is None else list(items), pairs))


def _which_module(value, name):
    import pickle

    return pickle.whichmodule(value, name)


def _global(value, name):
    """Name an object as pickle does that is told a name only, if it is there under that name."""
    for module in (getattr(value, "__module__", None) or type(value).__module__, None):
        module = module or _which_module(value, name)
        try:
            if operator.attrgetter(name)(sys.modules[module]) is value:
                return _Parts("global", (module, name))
        except (AttributeError, KeyError):
            continue
    return _nameless(value)


def _of_dict(value):
    return _Parts("dict", tuple(_Pair(item) for item in value.items()), ordered=False)


def _of_class(cls):
    if not cls.__flags__ & _HEAP_TYPE or found_by_name(cls):
        return _Parts("class", (cls.__module__, cls.__qualname__))
    named = [cls.__module__, cls.__qualname__, cls.__bases__, type(cls)]
    own = vars(cls)
    if isinstance(cls, enum.EnumType):
        named.append([(name, member._value_) for name, member in cls.__members__.items()])
        own = {k: v for k, v in own.items() if k not in _ENUM_MACHINERY and k not in cls.__members__}
    return _Parts("class", (*named, {k: v for k, v in own.items() if k not in _NO_CONTENT}))


@functools.lru_cache(4096)
def _code(code):
    return _digest(
        (
            code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_argcount, code.co_posonlyargcount,
            code.co_kwonlyargcount, code.co_flags,
            getattr(code, "co_exceptiontable", b""), [_code(c) if isinstance(c, types.CodeType) else c for c in code.co_consts],
        )
    )  # fmt: skip


@functools.lru_cache(4096)
def names_in(code):
    """Return (names of globals, names of attributes, names of modules imported inside) that code and what is defined in it use."""
    used, attributes, imported = set(), set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"):
            used.add(step.argval)
        elif step.opname == "IMPORT_NAME":
            imported.add(step.argval)
        elif "ATTR" in step.opname or "METHOD" in step.opname or step.opname == "IMPORT_FROM":
            attributes.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for mine, inner in zip((used, attributes, imported), names_in(constant), strict=True):
                mine |= inner
    return frozenset(used), frozenset(attributes), frozenset(imported)


class _Used:
    """A local module as code uses it: the attributes that it names."""

    def __init__(self, module, names):
        self.module, self.names = module, names


def _of_used(value):
    found = vars(value.module)
    return _Parts("module", (value.module.__name__, {n: _Used(v, value.names) if _is_local_module(v := found[n]) else v for n in value.names if n in found}))


def _is_local_module(value):
    return isinstance(value, types.ModuleType) and is_local(value.__name__)


def _of_function(function):
    if found_by_name(function):
        return _Parts("function", (function.__module__, function.__qualname__))
    used, attributes, imported = names_in(function.__code__)
    named = {name: _Used(v, attributes) if _is_local_module(v := function.__globals__[name]) else v for name in used if name in function.__globals__}
    for name in imported:
        module = sys.modules.get(name)
        if module is not None and is_local(name):
            named[f"import {name}"] = _Used(module, attributes)
    cells = list(function.__closure__ or ())
    return _Parts(
        "function",
        (function.__module__, function.__qualname__, _code(function.__code__), function.__defaults__, function.__kwdefaults__, cells, named, vars(function))
    )


def definition(obj):
    """Return a token of what a function or class says itself: other definitions of modules, and what modules hold, count by name."""

    def taken_apart(value):
        if isinstance(value, types.ModuleType) or (isinstance(value, (type, types.FunctionType)) and value is not obj and "." not in value.__qualname__):
            return _Parts("name", (getattr(value, "__module__", None), getattr(value, "__qualname__", value.__name__)))
        if isinstance(value, types.FunctionType):
            return _Parts(
                "function", (value.__qualname__, _code(value.__code__), value.__defaults__, value.__kwdefaults__, list(value.__closure__ or ()), vars(value))
            )
        return _taken_apart(value)

    return _digest(obj, taken_apart)


def _of_cell(cell):
    try:
        return _Parts("cell", (cell.cell_contents,))
    except ValueError:
        return _Parts("empty cell")


def _of_module(module):
    if not is_local(module.__name__):
        return _Parts("module", (module.__name__,))
    return _Parts("module", (module.__name__, {k: v for k, v in vars(module).items() if not k.startswith("__")}))


def _of_memory(view):
    try:
        return _Parts("memory", (type(view), view.format, view.shape, hashlib.sha1(view.tobytes()).hexdigest()))
    except ValueError:  # released
        return _nameless(view)


_TAKERS = {
    list: lambda v: _Parts("list", v),
    tuple: lambda v: _Parts("tuple", v),
    _Pair: lambda v: _Parts("pair", v),
    _Parts: lambda v: v,
    dict: _of_dict,
    types.MappingProxyType: _of_dict,
    set: lambda v: _Parts("set", v, ordered=False),
    frozenset: lambda v: _Parts("frozenset", v, ordered=False),
    range: lambda v: _Parts("range", (v.start, v.stop, v.step)),
    slice: lambda v: _Parts("slice", (v.start, v.stop, v.step)),
    bytearray: lambda v: _Parts("bytearray", (bytes(v),)),
    memoryview: _of_memory,
    types.FunctionType: _of_function,
    types.MethodType: lambda v: _Parts("method", (v.__func__, v.__self__)),
    types.CodeType: lambda v: _Parts("code", (_code(v),)),
    types.CellType: _of_cell,
    types.ModuleType: _of_module,
    types.GetSetDescriptorType: lambda v: _Parts("descriptor", (v.__objclass__.__qualname__, v.__name__)),
    types.MemberDescriptorType: lambda v: _Parts("descriptor", (v.__objclass__.__qualname__, v.__name__)),
    property: lambda v: _Parts("property", (v.fget, v.fset, v.fdel)),
    staticmethod: lambda v: _Parts("staticmethod", (v.__func__,)),
    classmethod: lambda v: _Parts("classmethod", (v.__func__,)),
    functools.cached_property: lambda v: _Parts("cached_property", (v.func, v.attrname)),
    type(functools.lru_cache(abs)): lambda v: _Parts("cached", (v.__wrapped__, v.cache_parameters())),
    _Used: _of_used,
}


def _numpy(value):
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        return None
    if value.dtype.hasobject or value.dtype.kind == "T":
        content = value.tolist()
    else:
        content = hashlib.sha1(np.ascontiguousarray(value).reshape(-1).view("u1"), usedforsecurity=False).hexdigest() if value.nbytes else ""
    return _Parts("array", (type(value), value.dtype.str if value.dtype.kind in "biufcSUmM" else value.dtype.__reduce__(), value.shape, content))


def _pandas(value):
    kind = type(value)
    if isinstance(value, pd.DataFrame):
        more = {name: getattr(value, name, None) for name in value._metadata}
        return _Parts("frame", (kind, value.columns, value.index, [s.array for _, s in value.items()], value.attrs, value.flags.allows_duplicate_labels, more))
    if isinstance(value, pd.Series):
        more = {name: getattr(value, name, None) for name in value._metadata}
        return _Parts("series", (kind, value.name, value.index, value.array, value.attrs, value.flags.allows_duplicate_labels, more))
    if isinstance(value, pd.MultiIndex):
        return _Parts("multiindex", (kind, list(value.names), list(value.levels), list(value.codes)))
    if isinstance(value, pd.RangeIndex):
        return _Parts("rangeindex", (kind, value.name, value.start, value.stop, value.step))
    if isinstance(value, pd.Index):
        return _Parts("index", (kind, value.name, value.array, getattr(value, "freqstr", None)))
    if isinstance(value, pd.arrays.NumpyExtensionArray):
        return _Parts("values", (value.to_numpy(),))
    if isinstance(value, pd.Categorical):
        return _Parts("categorical", (value.codes, value.categories, value.ordered))
    if isinstance(value, (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray)):
        return _Parts("times", (kind, str(value.dtype), value.asi8))
    if isinstance(value, pd.arrays.PeriodArray):
        return _Parts("periods", (str(value.dtype), value.asi8))
    if isinstance(value, (pd.arrays.ArrowExtensionArray, pd.arrays.ArrowStringArray)):
        return _Parts("arrow", (kind, str(value.dtype), pa.array(value)))
    return None


def _arrow(value):
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
        if isinstance(value, pa.ChunkedArray):
            return _Parts("chunks", (str(value.type), value.chunks))
    if isinstance(value, pa.Array):
        batch = pa.record_batch([value], names=["values"])
        return _Parts("arrow", (bytes(batch.schema.serialize()), bytes(batch.serialize())))
    return None


_LIBRARIES = {"numpy": _numpy, "pandas": _pandas, "pyarrow": _arrow}


def _content_of(value):
    is_identical = isinstance(value, _IDENTICAL) or any(base.__module__.partition(".")[0] in _ALSO_IDENTICAL for base in type(value).__mro__)
    return value if is_identical and not isinstance(value, enum.Enum) else ("content", _digest(value))


normalize_token = Dispatch("normalize_token")
"""What stands for an object in a token. Types are registered: ``normalize_token.register(Type, function)``; a method ``__dask_tokenize__`` says the same."""
normalize_token.register(object, _content_of)
_IDENTICAL = (*_ATOMS, slice, datetime.date, datetime.time, datetime.timedelta)
_ALSO_IDENTICAL = ("decimal", "pathlib")  # decimals and paths; not imported for that


def tokenize(*args, ensure_deterministic=None, **kwargs):
    """Return a deterministic token of the arguments, a hexadecimal string; a fresh one for what cannot be named by content.

    Functions count with their code, defaults, closure, attributes and the globals they use, and so do the functions and classes among these; objects by
    their class and what pickle would keep of them, or by what their method ``__dask_tokenize__`` returns, or a function registered with `normalize_token`.
    The order of a dict or a set does not count.

    Parameters
    ----------
    *args, **kwargs
    ensure_deterministic : bool, optional
        Raise where an object cannot be named by content. Default: config `tokenize.ensure-deterministic`, which is False.

    Raises
    ------
    TokenizationError
        A RuntimeError.

    Examples
    --------
    >>> import muster
    >>> muster.tokenize(1, "a") == muster.tokenize(1, "a")
    True
    """
    before = getattr(_asked, "strict", None)
    if ensure_deterministic is not None:
        _asked.strict = ensure_deterministic
    try:
        return hashlib.md5(_digest((args, kwargs) if kwargs else (args,)).encode(), usedforsecurity=False).hexdigest()
    finally:
        _asked.strict = before
