"""Names for content: equal tokens mean equal objects."""

import hashlib
import itertools
import pickle
import threading
import types

_unique = itertools.count()
_local = threading.local()


def _normal(value):
    if value is None or isinstance(value, (str, bytes, bool, int, float, complex)):
        return repr(value)
    expr = getattr(value, "_expr", None)
    if expr is not None and hasattr(expr, "id"):
        return expr.id
    if isinstance(value, dict):
        return repr(sorted((_normal(k), _normal(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + repr([_normal(v) for v in value])
    if isinstance(value, (set, frozenset)):
        return "set" + repr(sorted(_normal(v) for v in value))
    if isinstance(value, types.FunctionType):
        return function_token(value)
    token = getattr(value, "__dask_tokenize__", None)
    if token is not None and not isinstance(value, type):
        return _normal(token())
    try:
        return hashlib.sha1(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:
        return f"unique-{next(_unique)}"


def _code(code):
    constants = [_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars))


def function_token(function):
    """Return the token of a function: its module, name, code, defaults, closure and the globals it names; a fresh one where these are no plain data."""
    if not isinstance(function, types.FunctionType):
        return _normal(function) if not callable(function) or isinstance(function, type) else f"callable-{next(_unique)}"
    if function in (open_functions := _open_functions()):
        return "recursive"
    open_functions.append(function)
    try:
        return _token_of_parts(function)
    finally:
        open_functions.pop()


def _open_functions():
    if not hasattr(_local, "functions"):
        _local.functions = []
    return _local.functions


def _token_of_parts(function):
    named = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    parts = [function.__module__, function.__qualname__, _code(function.__code__), _normal(function.__defaults__), _normal(function.__kwdefaults__)]
    try:
        parts.append(_normal([cell.cell_contents for cell in function.__closure__ or ()]))
    except ValueError:
        return f"unique-{next(_unique)}"
    for name, value in sorted(named.items()):
        if isinstance(value, types.ModuleType):
            parts.append(f"{name}=module {value.__name__}")
        elif value is function:
            parts.append(f"{name}=self")
        elif isinstance(value, (types.FunctionType, type, types.BuiltinFunctionType)):
            parts.append(f"{name}={value.__module__}.{value.__qualname__}")
            if isinstance(value, types.FunctionType):
                parts.append(_code(value.__code__))
        else:
            parts.append(f"{name}={_normal(value)}")
    return hashlib.sha1(repr(parts).encode()).hexdigest()


def _names(code):
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def tokenize(*args, **kwargs):
    """Return a deterministic token of the arguments, a hexadecimal string; a fresh one for what cannot be named by content.

    Examples
    --------
    >>> import muster
    >>> muster.tokenize(1, "a") == muster.tokenize(1, "a")
    True
    """
    return hashlib.md5(_normal([args, kwargs]).encode(), usedforsecurity=False).hexdigest()
