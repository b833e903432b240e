"""Expressions made again where a column has turned out to be of a dtype that a kernel does not open: pandas' methods take over, as at the call."""

from muster import _core
from muster._base import registry
from muster._border.pandas import label_of
from muster._collections.expressions import inputs_first
from muster.dataframe._collection import new_collection
from muster.dataframe._instead import instead


def made_again(exprs):
    """Return expressions as they would have been made, had the dtypes been known that were found since; None where no operator refuses these.

    Raises
    ------
    TypeError, NotImplementedError
        If an operator refuses them that pandas has no method for.
    """
    made, refused = {}, False
    for node in inputs_first(exprs):
        new = node
        if any(made[i.id].id != i.id for i in node.inputs):
            inputs, args = [made[i.id] for i in node.inputs], _over(made, node.args)
            try:
                new = _core.call(node.op, inputs, args)
            except (TypeError, NotImplementedError) as refusal:
                refused = True
                first, *others = map(new_collection, inputs)
                if node.op == "filter":
                    new = first[others[0]]._expr
                else:
                    new = instead(node.op, first, {k: _as_given(v) for k, v in args.items() if k not in ("missing", "wide")}, refusal)._expr
        made[node.id] = _core.revised(new)
    return [made[e.id] for e in exprs] if refused else None


def _over(made, value):
    """Arguments with the new inputs."""
    if isinstance(value, _core.Expr):
        return made[value.id]
    if isinstance(value, tuple):
        return tuple(_over(made, v) for v in value)
    return {k: _over(made, v) for k, v in value.items()} if isinstance(value, dict) else value


def _as_given(value):
    """An argument as the user's program gives it."""
    if isinstance(value, _core.Expr):
        return new_collection(value)
    if isinstance(value, _core.Moment):
        return label_of(value)
    if isinstance(value, tuple):
        return [_as_given(v) for v in value]
    return {k: _as_given(v) for k, v in value.items()} if isinstance(value, dict) else value


registry.give("made_again", made_again)
