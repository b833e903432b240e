"""Functions that look up by type what to do: what libraries for Dask register their own types with."""

import functools
from collections.abc import Callable
from typing import Any


class Dispatch:
    """A function of which there is one for each type; that of the nearest base class is called.

    Parameters
    ----------
    name : str, optional
        Its ``__name__``.

    Examples
    --------
    >>> from muster._base.dispatch import Dispatch
    >>> size = Dispatch("size")
    >>> @size.register((list, tuple))
    ... def of_sequence(x):
    ...     return len(x)
    >>> size([1, 2])
    2
    """

    def __init__(self, name: str | None = None) -> None:
        self._lookup: dict[type, Callable[..., Any]] = {}
        self._lazy: dict[str, Callable[[], object]] = {}
        if name:
            self.__name__ = name

    def register(self, type: Any, func: Callable[..., Any] | None = None) -> Any:
        """Say what is called for a type, or for each of a tuple of types; without `func` a decorator."""

        def decorator(function):
            for t in type if isinstance(type, tuple) else (type,):
                self._lookup[t] = function
            return function

        return decorator(func) if func is not None else decorator

    def register_lazy(self, toplevel: str, func: Callable[[], object] | None = None) -> Any:
        """Say what is called, once, before the first value of a package is dispatched: it registers the package's types."""

        def decorator(function):
            self._lazy[toplevel] = function
            return function

        return decorator(func) if func is not None else decorator

    def dispatch(self, cls: type) -> Callable[..., Any]:
        """Return the function for a type.

        Raises
        ------
        TypeError
            If there is none.
        """
        for base in cls.__mro__:
            package = base.__module__.partition(".")[0]
            register = self._lazy.pop(package, None)
            if register is not None:
                register()
        found = next((self._lookup[base] for base in cls.__mro__ if base in self._lookup), None)
        if found is None:
            raise TypeError(f"No dispatch for {cls}")
        return found

    def __call__(self, arg: Any, *args: Any, **kwargs: Any) -> Any:
        return self.dispatch(type(arg))(arg, *args, **kwargs)

    def __dask_tokenize__(self):
        return getattr(self, "__name__", None) or id(self)  # what is registered changes

    @property
    def __doc__(self):
        try:
            return self.dispatch(object).__doc__
        except TypeError:
            return type(self).__init__.__doc__

    def __get__(self, instance, owner):
        return self if instance is None else functools.partial(self, instance)
