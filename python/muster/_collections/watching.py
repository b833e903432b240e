"""Tells the diagnostics of a thread what runs."""

import threading

from muster._base import context
from muster._base.tasks import identity
from muster._core import collect_nodes


def _tick():
    stack = list(context.active_callbacks())
    if not stack:
        return None

    def tick(done, tasks, size):
        for callback in stack:
            callback._tick(done, tasks, size)

    return tick


def watched(function):
    """Return what function(tick) returns; the diagnostics of this thread are told before, meanwhile and after."""
    stack = list(context.active_callbacks())
    for callback in stack:
        callback._begin()
    try:
        return function(_tick())
    finally:
        for callback in stack:
            callback._end()


def _is_value(node):
    """Whether a node is a value in the graph: nothing is called."""
    from muster._core import TaskNode

    return node._function is identity and not node._nested and not any(isinstance(a, TaskNode) for a in node._arguments)


def task_hooks(nodes):
    """Return (before, after), what to call around each task of a graph of nodes, None where nobody listens."""
    active = [c for c in context.active_callbacks() if hasattr(c, "_pretask") or hasattr(c, "_posttask")]
    if not active:
        return None, None
    graph = {getattr(n, "key", None): n for n in collect_nodes(nodes)[0]}

    def before(node):
        for c in active:
            if hasattr(c, "_pretask") and not _is_value(node):
                c._pretask(getattr(node, "key", None), graph, {})

    def after(node, result):
        for c in active:
            if hasattr(c, "_posttask") and not _is_value(node):
                c._posttask(getattr(node, "key", None), result, graph, {}, threading.get_ident())

    return before, after
