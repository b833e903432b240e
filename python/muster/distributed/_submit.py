"""Calls as messages: functions and arguments as bytes, futures and nodes as numbers of inputs."""

import collections
import pickle
import weakref

from muster._base.placing import options_of
from muster._base.serialize import dumps_by_value, dumps_parts, dumps_simple, size_of_parts
from muster._base.tasks import NOT_LAZY, Input, funcname, node_of, unpack
from muster._core import TaskNode, collect_nodes
from muster.distributed._future import Future, FutureNode, sending

_APART = 1 << 20  # larger arguments go to a worker, not through the scheduler
_PLAIN = frozenset([int, bool, type(None), str, bytes, Input])  # a pickle of these says nothing that reads otherwise elsewhere
_by_reference = weakref.WeakKeyDictionary()
_alone = weakref.WeakKeyDictionary()  # function: (what its bytes follow from, bytes)


def function_bytes(function):
    """Return a function as bytes; those that are found by name everywhere, or use nothing but their arguments, are kept."""
    try:
        known = _by_reference.get(function)
    except TypeError:
        return dumps_by_value(function)
    if known is not None:
        return known
    from muster._base.by_value import stands_alone

    facts = stands_alone(function)
    if facts is not None:
        before, known = _alone.get(function, ((), None))
        if len(before) == len(facts) and all(a is b for a, b in zip(before, facts, strict=True)):
            return known
    out = dumps_by_value(function)
    if facts is not None:
        _alone[function] = facts, out
    if len(out) < 200 and b"cloudpickle" not in out and b"muster._base.by_value" not in out:
        try:
            _by_reference[function] = out
        except TypeError:
            pass
    return out


class Arguments:
    """Turns arguments into bytes and the ids of the futures in them."""

    def __init__(self, client):
        self.client = client
        self.keep = []  # futures made on the way: released when their tasks are submitted
        self.held = []  # (number of a task, futures that its function or arguments mention without waiting for them)

    def hold(self, number, futures):
        if futures:
            self.held.append((number, futures))

    def encode(self, args, kwargs, needs, number):
        """Return the bytes of (args, kwargs) of task `number`; ids of futures are appended to `needs`, placeholders count from there."""
        base = len(needs)

        def lazy(value):
            if type(value) is Future:
                future = value
            else:
                node = value if isinstance(value, TaskNode) else node_of(value)
                if node is None:
                    return NOT_LAZY
                (future,) = self.client._submit_nodes([node])  # a lazy value: it is computed on the cluster first
                self.keep.append(future)
            needs.append(self.client._input(future))
            return Input(len(needs) - 1 - base)

        value = unpack((args, kwargs), lazy)
        return self.dumps(value, needs, number)

    def dumps(self, value, needs, number):
        """Return the bytes of (args, kwargs) of a task, or b"" if they are large: then they are stored on a worker and are the last input."""
        if not value[1] and _PLAIN.issuperset(map(type, value[0])):
            body = pickle.dumps(value, 5)
        else:
            with sending() as futures:
                body = dumps_simple(value)
            self.hold(number, futures)
        if len(body) < _APART:
            return body
        parts = dumps_parts(value)
        future = self.client._scatter_parts(parts, "arguments", None)
        self.keep.append(future)
        needs.append(future._id)
        return b""


def graph_parts(client, roots):
    """Return (parts for the engine, positions of the roots, what was made of the arguments) of a graph of nodes."""
    nodes, begins, needs, at = collect_nodes(roots)
    arguments = Arguments(client)
    outside = {i: n.future for i, n in enumerate(nodes) if isinstance(n, FutureNode)}
    frames = [i for i, n in enumerate(nodes) if getattr(n._function, "of_collection", False)]
    for i, future in zip(frames, client._frame_futures([nodes[i]._arguments[0] for i in frames], [nodes[i]._function for i in frames]), strict=True):
        outside[i] = future
        arguments.keep.append(future)
    number = {i: n for n, i in enumerate(i for i in range(len(nodes)) if i not in outside)}
    functions, labels, function_number, mentioned = [], [], {}, []
    groups = collections.OrderedDict()
    # One part for each set of options; nearly always there is one. Numbers run through all parts, so several need an order of their own.
    keys = []
    for i, n in enumerate(nodes):
        annotations = getattr(n, "_annotations", None)
        options = options_of(annotations, getattr(n, "key", None)) if annotations else {}
        keys.append(repr(options) if options else "{}")
        if i in number and keys[-1] not in groups:
            groups[keys[-1]] = options
    if len(groups) > 1:
        number = _number_by_level(nodes, begins, needs, number, keys, groups)
    parts = []
    for level, options_key in _levels(groups, number, keys):
        part = _Part(labels, functions)
        for i in level:
            n = nodes[i]
            f = n._function
            name = getattr(n, "_name", None)
            place = function_number.get((id(f), name))
            if place is None:
                place = function_number[id(f), name] = len(functions)
                with sending() as futures:
                    functions.append(function_bytes(f))
                mentioned.append(futures)
                labels.append(name or funcname(f))
            mine = needs[begins[i] : begins[i + 1]]
            ids = [number[m] if m in number else client._input(outside[m]) for m in mine]
            arguments.hold(number[i], mentioned[place])
            part.add(place, _node_bytes(n, arguments, ids, number[i]), ids)
        parts.append((part, groups[options_key]))
    return parts, [number.get(i, outside.get(i)) for i in at], arguments


class _Part:
    def __init__(self, labels, functions):
        self.labels, self.functions = labels, functions
        self.function_of, self.arguments, self.begins, self.needs = [], [], [0], []

    def add(self, function, body, ids):
        self.function_of.append(function)
        self.arguments.append(body)
        self.needs.extend(ids)
        self.begins.append(len(self.needs))


def _number_by_level(nodes, begins, needs, number, keys, groups):
    """Number tasks so that each part of equal options is a run of numbers, inputs in front."""
    depth = {}
    for i in number:
        depth[i] = max((depth[m] + (keys[m] != keys[i]) for m in needs[begins[i] : begins[i + 1]] if m in number), default=0)
    order = sorted(number, key=lambda i: (depth[i], list(groups).index(keys[i]), i))
    return {i: n for n, i in enumerate(order)}


def _levels(groups, number, keys):
    runs, last = [], None
    for i in sorted(number, key=number.get):
        if keys[i] != last:
            runs.append(([], keys[i]))
            last = keys[i]
        runs[-1][0].append(i)
    return runs


def _node_bytes(node, arguments, ids, number):
    args, kwargs, nested = node._arguments, node._keywords, node._nested
    direct = 0
    changed = []
    for a in args:
        if isinstance(a, TaskNode):
            changed.append(Input(direct))
            direct += 1
        else:
            changed.append(a)
    if nested:  # placeholders inside count from the first nested input
        shift = direct

        def moved(value):
            return Input(value.index + shift) if type(value) is Input else NOT_LAZY

        changed = [a if type(a) is Input and isinstance(b, TaskNode) else unpack(a, moved) for a, b in zip(changed, args, strict=True)]
        kwargs = unpack(kwargs, moved) if kwargs else kwargs
    value = (tuple(changed), kwargs or {})
    return arguments.dumps(value, ids, number)


def call_parts(client, function, calls, options, label):
    """Return (parts, what was made of the arguments) of calls [(args, kwargs), ...] of one function."""
    arguments = Arguments(client)
    with sending() as mentioned:
        part = _Part([label], [function_bytes(function)])
    for number, (args, kwargs) in enumerate(calls):
        ids = []
        arguments.hold(number, mentioned)
        part.add(0, arguments.encode(args, kwargs, ids, number), ids)
    return [(part, options)], arguments


def size_of(parts):
    """Return the bytes of parts of a layout."""
    return size_of_parts(parts)
