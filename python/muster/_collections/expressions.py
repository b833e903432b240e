"""What DataFrames' expressions are made of, and what their results become."""

from muster import _core
from muster._border.pandas import to_pandas


def inputs_first(exprs):
    """Return all nodes of expressions, each once, inputs in front."""
    seen, out, stack = set(), [], [(e, False) for e in reversed(exprs)]
    while stack:
        node, is_entered = stack.pop()
        if is_entered:
            out.append(node)
        elif node.id not in seen:
            seen.add(node.id)
            stack.append((node, True))
            stack.extend((i, False) for i in reversed(node.inputs))
    return out


def finish_of(collection):
    """Return what a collection makes of its pandas object, to be sent; None where that is the result."""
    if getattr(type(collection)._finish, "is_result", False):
        return None
    return type(collection), {k: v for k, v in vars(collection).items() if k != "_expr"}


def together(described, finish, *partitions):
    """Make the pandas object of partitions, as the engine has stored them."""
    result = to_pandas(_core.together(described, list(partitions)))
    if finish is None:
        return result
    kind, state = finish
    collection = kind.__new__(kind)
    collection.__dict__.update(state)
    return collection._finish(result)


together.takes_bytes = True
