"""Functions and classes of local modules as pickles: by value, and yet one in each process.

What a module is elsewhere is a namespace, one for each module of each process that sends: the globals of its functions there, so that they share what they
change. What a function uses of local modules goes with it. A definition that has come before is taken again only if the sender's has changed, a variable
likewise; where it came from, the original is taken.
"""

import _thread
import functools
import importlib
import importlib.util
import os
import sys
import threading
import types
import weakref

import cloudpickle
from cloudpickle import cloudpickle as _theirs

from muster._base import tasks, tokenize
from muster._base.modules import is_local

_ORIGIN = "__muster_origin__"
_ABOUT = ("__name__", "__package__", "__file__", "__path__")
_PROCESS_STATE = {_thread.LockType: threading.Lock, type(threading.RLock()): threading.RLock, threading.local: threading.local}
_CACHED = type(functools.lru_cache(abs))

_spaces = {}  # (process, name of a module) -> _Space
_own = weakref.WeakSet()  # classes this process has sent as theirs
_received = weakref.WeakKeyDictionary()  # class -> [process it is from, token of the definition that was taken]
_marks = {}  # id of a bare object() that a module holds -> (the object, its name elsewhere)
_marks_by_name = {}


class _Module(types.ModuleType):
    """A module of another process: what was sent of it; for all else its file is read."""

    def __getattr__(self, name):
        path = self.__dict__.get("__file__")
        if name.startswith("__") or not isinstance(path, str) or not os.path.exists(path) or self.__name__ == "__main__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        whole = self.__dict__.get("__muster_whole__")
        if whole is None:
            spec = importlib.util.spec_from_file_location(self.__name__, path)
            whole = self.__dict__["__muster_whole__"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(whole)
        return getattr(whole, name)


class _Space:
    """What this process has of a module of another one."""

    def __init__(self, origin, about):
        self.module = _Module(about["__name__"])
        self.names = vars(self.module)
        self.names.update(about, __builtins__=__builtins__, **{_ORIGIN: origin})
        self.taken = {}  # name of a variable -> token of the value that was taken
        self.functions = {}  # name -> (function, token)
        name = about["__name__"]
        if name != "__main__":
            sys.modules.setdefault(name, self.module)
            package, _, last = name.rpartition(".")
            if package:  # what imports a submodule looks at its package
                setattr(_space(origin, _about_package(package, about)).module, last, self.module)

    def take(self, name, token, value):
        if token is None or self.taken.get(name) != token:
            self.names[name] = value
            self.taken[name] = token


def _about_package(package, about):
    """Return what a package would say about itself, guessed from one of its modules."""
    folder = os.path.dirname(about.get("__file__") or "")
    if "__path__" in about:
        folder = os.path.dirname(folder)
    return {"__name__": package, "__package__": package, "__path__": [folder], "__file__": os.path.join(folder, "__init__.py")}


def _space(origin, about):
    """Return the namespace for a module of process `origin`, None for a module that this process has itself."""
    if origin == tasks.process():
        return None
    known = _spaces.get((origin, about["__name__"]))
    if known is None:
        known = _spaces.setdefault((origin, about["__name__"]), _Space(origin, about))
    return known


def _place(names):
    """Return (process, what a module says about itself) of a function's globals; None if they are no module's."""
    origin = names.get(_ORIGIN)
    if origin is None:
        module = sys.modules.get(names.get("__name__"))
        if module is None or vars(module) is not names:
            return None
        origin = tasks.process() if is_local(module.__name__) else ""
    return origin, {k: names[k] for k in _ABOUT if isinstance(names.get(k), (str, list))}


def _is_definition(value):
    return isinstance(value, (types.FunctionType, type, types.ModuleType))


def _uses(function):
    """Return what a function and the code in it use of local modules: [(process, about the module, name, token, value)]."""
    out, seen = [], set()
    used, attributes, imported = tokenize.names_in(function.__code__)
    found = [(function.__globals__, sorted(used))]
    for cell in function.__closure__ or ():
        value = _theirs._get_cell_contents(cell)
        if isinstance(value, types.ModuleType):
            found.append((vars(value), sorted(attributes)))
    package = function.__globals__.get("__package__") or ""
    for name in imported:
        for full in dict.fromkeys((name, *(f"{p}.{name}".rstrip(".") for p in _with_parents(package)))):
            module = sys.modules.get(full)
            if module is not None and is_local(full):
                found.append((vars(module), sorted(attributes)))
    for names, wanted in found:
        place = _place(names)
        if place is None or not place[0]:
            continue
        for name in wanted:
            if name in names and (place[1]["__name__"], name) not in seen:
                seen.add((place[1]["__name__"], name))
                value = names[name]
                out.append((*place, name, *_variable(value)))
                if isinstance(value, types.ModuleType):
                    found.append((vars(value), sorted(attributes)))
    return out


_PLAIN = frozenset([int, float, bool, str, bytes, type(None)])


def stands_alone(function):
    """Return all that a function's pickle follows from, to be compared one by one by identity; None where that is more than the function itself."""
    if type(function) is not types.FunctionType or function.__closure__ or function.__kwdefaults__ or function.__annotations__ or vars(function):
        return None
    names, defaults = function.__globals__, function.__defaults__
    used, _, imported = tokenize.names_in(function.__code__)
    if imported or not used.isdisjoint(names) or not _PLAIN.issuperset(map(type, defaults or ())):
        return None
    about = [names.get(k) for k in (*_ABOUT, _ORIGIN)]
    module = sys.modules.get(about[0]) if isinstance(about[0], str) else None
    own = names.get(function.__qualname__) is function
    return (
        function.__code__, defaults, function.__name__, function.__qualname__, function.__module__, function.__doc__, tasks.process(), module, own, *about
    )


def _with_parents(package):
    while package:
        yield package
        package = package.rpartition(".")[0]


def _variable(value):
    """Return (token, value to send) of a module's variable; without a token the value is always taken."""
    if _is_definition(value):
        return None, value
    if type(value) is object:
        return _marked(value), value
    make = _PROCESS_STATE.get(type(value))
    if make is not None:
        return "of each process", _Made(make)
    return tokenize.tokenize(value), value


class _Made:
    """Stands for an object that is made anew where it arrives."""

    def __init__(self, make):
        self.make = make

    def __reduce__(self):
        return self.make, ()


class ByReference(cloudpickle.Pickler):
    """cloudpickle's pickler, but code keeps the name of its file, so that tracebacks say where it is, and every kind of module goes by name."""

    def reducer_override(self, obj):
        if isinstance(obj, types.ModuleType) and type(obj) is not types.ModuleType and obj.__name__ in sys.modules:
            return importlib.import_module, (obj.__name__,)
        return super().reducer_override(obj)


def _reduced_code(code):
    make, args = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return make, tuple(code.co_filename if a == "<dynamic-code>" else a for a in args)


ByReference.dispatch_table = cloudpickle.Pickler.dispatch_table.new_child({types.CodeType: _reduced_code})


class ByValue(ByReference):
    """Definitions of local modules go by value."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.shells = {}  # id of a closure's cell -> the empty cell that stands for it: closures that share one do so elsewhere

    def reducer_override(self, obj):
        kind = type(obj)
        if kind is types.FunctionType:
            place = _place(obj.__globals__)
            if place is not None and (place[0] or is_local(obj.__module__)):
                return self._function(obj, *place)
        elif issubclass(kind, type):
            if obj in _received or is_local(obj.__module__):
                return _class_parts(obj)
        elif issubclass(kind, types.ModuleType):
            place = _place(vars(obj))
            if place is not None and place[0]:
                return _module_at, place
        elif kind is _CACHED:
            if is_local(obj.__module__):
                return _cached, (obj.__wrapped__, obj.cache_parameters())
        elif kind is object and id(obj) in _marks:
            return _mark, (_marked(obj),)
        return super().reducer_override(obj)

    def _function(self, function, origin, about):
        cells = function.__closure__
        name = function.__qualname__ if function.__globals__.get(function.__qualname__) is function else None
        token = None
        if name is not None:
            space = _space(origin, about) if origin else None
            known = space.functions.get(name) if space is not None else None
            token = known[1] if known is not None and known[0] is function else tokenize.definition(function)
        slots = {k: getattr(function, k) for k in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__annotations__")}
        contents = cells and [_theirs._get_cell_contents(c) for c in cells]
        shells = cells and tuple(self.shells.setdefault(id(c), _Made(types.CellType)) for c in cells)
        return _made_function, (origin, about, name, token, function.__code__, shells), (
            slots, contents, vars(function), _uses(function) if origin else []
        ), None, None, _fill_function


def _made_function(origin, about, name, token, code, cells):
    """Return the function of this name if it is there already, else one to be filled."""
    space = _space(origin, about) if origin else None
    if space is not None:
        known = space.functions.get(name)
        if known is not None and known[1] == token:
            return known[0]
        names = space.names
    else:
        names = vars(importlib.import_module(about["__name__"]))
        known = names.get(name) if origin else None
        if isinstance(known, types.FunctionType):
            return known
    out = types.FunctionType(code, names, closure=cells)
    _unfilled.add(out)
    if space is not None and name is not None:
        space.functions[name] = (out, token)
        space.take(name, None, out)
    return out


_unfilled = weakref.WeakSet()


def _fill_function(function, state):
    slots, contents, attributes, uses = state
    for origin, about, name, token, value in uses:
        space = _space(origin, about)
        if space is not None:
            space.take(name, token, value)
    if function not in _unfilled:
        return
    _unfilled.discard(function)
    for name, value in slots.items():
        setattr(function, name, value)
    vars(function).update(attributes)
    for cell, value in zip(function.__closure__ or (), contents or (), strict=True):
        if value is not _theirs._empty_cell_value:
            cell.cell_contents = value


_class_tokens = weakref.WeakKeyDictionary()  # class -> (what it consists of, its token)
_PLAIN = frozenset([int, float, str, bool, bytes, type(None)])


def _class_token(cls):
    """Return the token of a class' definition; where it holds functions and plain values only, it is made once."""
    stamp = []
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if (
            type(function) is types.FunctionType and not vars(function) and not function.__closure__
            and _PLAIN.issuperset(map(type, function.__defaults__ or ()))
        ):
            stamp.append((name, function.__code__, repr(function.__defaults__)))
        elif type(value) in _PLAIN:
            stamp.append((name, type(value), value))
        elif not name.startswith("__"):
            return tokenize.definition(cls)
    known = _class_tokens.get(cls)
    if known is None or known[0] != stamp:
        known = _class_tokens[cls] = (stamp, tokenize.definition(cls))
    return known[1]


def _class_parts(cls):
    known = _received.get(cls)
    if known is None:
        _own.add(cls)
        origin, token = tasks.process(), _class_token(cls)
    else:
        origin, token = known
    make, args, state, _, _, fill = _theirs._dynamic_class_reduce(cls)
    space = _spaces.get((origin, cls.__module__))
    names = space.names if space is not None else vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    about = {"__name__": cls.__module__, **{k: names[k] for k in _ABOUT if isinstance(names.get(k), (str, list))}}
    return _made_class, (make, args, origin, about), (token, state, fill), None, None, _fill_class


def _made_class(make, args, origin, about):
    cls = make(*args)
    space = _space(origin, about)
    if space is not None:
        if cls not in _received:
            _received[cls] = (origin, None)
        if "." not in cls.__qualname__:
            space.take(cls.__qualname__, None, cls)
    return cls


def _fill_class(cls, state):
    token, content, fill = state
    known = _received.get(cls)
    if known is None and cls in _own or known is not None and known[1] == token:
        return
    fill(cls, content)
    if known is not None:
        _received[cls] = (known[0], token)


def _module_at(origin, about):
    space = _space(origin, about)
    return space.module if space is not None else importlib.import_module(about["__name__"])


def _cached(function, parameters):
    return functools.lru_cache(**parameters)(function)


def _marked(obj):
    """Return the name by which other processes know a bare object(), which is nothing but itself."""
    known = _marks.get(id(obj))
    if known is None:
        known = _marks[id(obj)] = (obj, tasks.unique())
        _marks_by_name[known[1]] = obj
    return known[1]


def _mark(name):
    obj = _marks_by_name.get(name)
    if obj is None:
        obj = _marks_by_name[name] = object()
        _marks[id(obj)] = (obj, name)
    return obj
