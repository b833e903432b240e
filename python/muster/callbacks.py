"""Functions called when tasks of this process start and end."""

from collections.abc import Callable
from typing import Any, Self

from muster._base import context


class Callback:
    """Functions that are called while tasks run in this process, inside a `with` block or from `register()` on.

    Parameters
    ----------
    start : callable, optional
        start(dsk): before a graph runs.
    start_state : callable, optional
        start_state(dsk, state): then.
    pretask : callable, optional
        pretask(key, dsk, state): before each task.
    posttask : callable, optional
        posttask(key, result, dsk, state, worker_id): after each task.
    finish : callable, optional
        finish(dsk, state, errored): after the graph.

    Examples
    --------
    >>> import muster
    >>> from muster.callbacks import Callback
    >>> with Callback(posttask=lambda key, result, dsk, state, id: print(result)):
    ...     x = muster.delayed(abs)(-1).compute()
    1
    """

    def __init__(
        self, start: Callable[..., Any] | None = None, start_state: Callable[..., Any] | None = None, pretask: Callable[..., Any] | None = None,
        posttask: Callable[..., Any] | None = None, finish: Callable[..., Any] | None = None
    ) -> None:
        for name, function in (("_start", start), ("_start_state", start_state), ("_pretask", pretask), ("_posttask", posttask), ("_finish", finish)):
            if function is not None:
                setattr(self, name, function)

    def register(self) -> None:
        """Call from now on, in this thread."""
        context.active_callbacks().append(self)

    def unregister(self) -> None:
        """Stop calling."""
        context.active_callbacks().remove(self)

    def __enter__(self) -> Self:
        self.register()
        return self

    def __exit__(self, *exc: object) -> None:
        self.unregister()

    def _begin(self):
        for name in ("_start", "_start_state"):
            function = getattr(self, name, None)
            if function is not None:
                function(*(({},) if name == "_start" else ({}, {})))

    def _tick(self, done, tasks, size):
        """Nothing: tasks are told one by one."""

    def _end(self):
        function = getattr(self, "_finish", None)
        if function is not None:
            function({}, {}, False)
