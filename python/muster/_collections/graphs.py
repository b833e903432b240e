"""Raw graphs: dicts of keys to calls, as older programs write them, to nodes and back.

A value is a call if it is a tuple whose first item is callable; a key of the graph stands for its value, anywhere inside calls and lists.
"""

from muster._base.tasks import NOT_LAZY, Input, Node, funcname, identity, unpack
from muster._core import TaskNode, collect_nodes


def istask(value):
    """Return whether `value` is a call: a tuple whose first item is callable."""
    return type(value) is tuple and bool(value) and callable(value[0])


class literal:
    """A value in a graph that is no call and no key, whatever it looks like."""

    __slots__ = ("data",)

    def __init__(self, data):
        self.data = data

    def __call__(self):
        return self.data

    def __repr__(self):
        return f"literal<type={type(self.data).__name__}>"

    def __reduce__(self):
        return literal, (self.data,)


def quote(value):
    """Return what stands in a graph for a value that looks like a call or holds lists: a call that gives it; other values as they are."""
    return (literal(value),) if istask(value) or type(value) in (list, dict) else value


def _hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


class _Builder:
    def __init__(self, dsk, make):
        self.dsk, self.make = dsk, make
        self.nodes = {}

    def references(self, value):
        """Return the keys that `value` names, at any depth."""
        found, stack, seen = [], [value], set()
        while stack:
            v = stack.pop()
            if type(v) in _HOLDERS:
                if id(v) in seen:
                    continue
                seen.add(id(v))
            if _is_spec(v):
                stack.extend(v.dependencies)
            elif istask(v):
                stack.extend(v[1:])
            elif type(v) in (list, set):
                stack.extend(v)
            elif type(v) is dict:
                stack.extend(v.values())
            elif type(v) is not bool and _hashable(v) and v in self.dsk:
                found.append(v)
        return found

    def build(self, wanted):
        """Make nodes of the wanted keys and all they need, inputs first. Raises on a cycle or a key that is not there."""
        state, stack = {}, [(k, False) for k in wanted]
        while stack:
            key, ready = stack.pop()
            if ready:
                self.nodes[key] = self.node(key, self.dsk[key])
                state[key] = 2
                continue
            if state.get(key) == 2:
                continue
            if state.get(key) == 1:
                raise RuntimeError(f"Cycle detected in Dask: {'->'.join(str(k) for k, s in state.items() if s == 1)}->{key}")
            if key not in self.dsk:
                raise KeyError(f"{key!r} is not a key in the graph")
            state[key] = 1
            stack.append((key, True))
            for r in self.references(self.dsk[key]):
                if state.get(r) == 1:
                    raise RuntimeError(f"Cycle detected in Dask: {'->'.join(str(k) for k, s in state.items() if s == 1)}->{r}")
                if state.get(r) is None:
                    stack.append((r, False))
        return self.nodes

    def node(self, key, value):
        if _is_spec(value):
            return value.to_node(self.nodes, key)
        if istask(value):
            return self.call(value, key)
        if type(value) is not bool and _hashable(value) and value in self.dsk and value != key:
            return self.make(key, identity, (self.nodes[value],))
        nested = []
        args = (self.argument(value, nested, {}, top=False),)
        return self.make(key, identity, args, None, nested or None)

    def call(self, task, key=None):
        nested, known = [], {}
        args = tuple(self.argument(a, nested, known, top=True) for a in task[1:])
        return self.make(key, task[0], args, None, nested or None)

    def argument(self, value, nested, known, top):
        node = None
        if istask(value):
            node = self.call(value)
        elif type(value) is not bool and _hashable(value) and value in self.nodes:
            node = self.nodes[value]
        elif type(value) in (list, set, dict):
            if id(value) not in known:  # a list in several places is one
                if type(value) is dict:
                    known[id(value)] = {k: self.argument(v, nested, known, top=False) for k, v in value.items()}
                else:
                    known[id(value)] = type(value)(self.argument(v, nested, known, top=False) for v in value)
            return known[id(value)]
        if node is None:
            return value
        if top:
            return node
        nested.append(node)
        return Input(len(nested) - 1)


_HOLDERS = (list, set, dict, tuple)


def _is_spec(value):
    return hasattr(type(value), "to_node") and hasattr(type(value), "dependencies")


def to_nodes(dsk, keys, make=Node):
    """Return {key: node} for `keys` and all they need; `make` is the class of nodes.

    Raises
    ------
    KeyError
        If a key is not in the graph.
    RuntimeError
        If the graph has a cycle.
    """
    return _Builder(_flat(dsk), make).build(keys)


def _flat(dsk):
    return dsk if isinstance(dsk, dict) else dict(dsk)


def flatten(keys):
    """Yield the keys of nested lists."""
    if isinstance(keys, list):
        for k in keys:
            yield from flatten(k)
    else:
        yield keys


def to_dict(roots, known=()):
    """Return the graph of nodes as a dict of keys to calls; of those in `known`, by id, the value."""
    nodes, _, _, _ = collect_nodes(list(roots))
    names = {id(n): getattr(n, "key", None) or f"task-{i}" for i, n in enumerate(nodes)}
    out = {}
    for n in nodes:
        if id(n) in known:
            out[names[id(n)]] = (literal(known[id(n)]),)
            continue
        nested = n._nested or []

        def written(value, nested=nested):
            def lazy(v):
                if isinstance(v, TaskNode):
                    return names[id(v)]
                if type(v) is Input:
                    return names[id(nested[v.index])]
                return NOT_LAZY

            return unpack(value, lazy)

        args = tuple(written(a) for a in n._arguments)
        if n._keywords:
            out[names[id(n)]] = (_apply, n._function, list(args), written(n._keywords))
        else:
            out[names[id(n)]] = (n._function, *args)
    return out


def _apply(function, args, kwargs):
    return function(*args, **kwargs)


def to_dot(roots):
    """Return the picture of a graph of nodes in Graphviz' language: boxes for results, circles for calls."""
    nodes, begins, needs, _ = collect_nodes(list(roots))
    lines = ["digraph {", "  rankdir=BT; node [fontname=helvetica, fontsize=12];"]
    for i, n in enumerate(nodes):
        label = (n._label if isinstance(n, Node) else funcname(n._function)).replace("\\", "").replace('"', "'")
        lines.append(f'  f{i} [label="{label}", shape=circle];')
        lines.append(f'  r{i} [label="", shape=box]; f{i} -> r{i};')
        lines.extend(f"  r{m} -> f{i};" for m in dict.fromkeys(needs[begins[i] : begins[i + 1]]))
    return "\n".join([*lines, "}"])
