"""Expressions over columns, for `query` and `eval`: parsed with Python's grammar, evaluated on lazy collections, never run as Python."""

import ast
import operator
import re
import sys

from muster._base import keywords
from muster._base.libraries import np

_BINARY = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}
_COMPARE = {ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
_FUNCTIONS = frozenset("sin cos exp log expm1 log1p sqrt sinh cosh tanh arcsin arccos arctan arccosh arcsinh arctanh abs log10 floor ceil arctan2".split())
_LOCAL, _QUOTED = "__local_", "__quoted_"


class Scope:
    """Where ``@name`` is looked up: the caller's variables."""

    def __init__(self, local, outer):
        self.local, self.outer = local, outer

    @classmethod
    def of_caller(cls, local_dict, global_dict):
        """Return the scope of the function that called the method of a collection."""
        frame = sys._getframe(2)
        return cls(frame.f_locals if local_dict is None else local_dict, frame.f_globals if global_dict is None else global_dict)

    def __getitem__(self, name):
        for names in (self.local, self.outer):
            if name in names:
                return names[name]
        raise NameError(f"local variable {name!r} is not defined")


class _Evaluation:
    def __init__(self, frame, scope, quoted):
        self.frame, self.scope, self.quoted = frame, scope, quoted

    def name(self, name):
        if name.startswith(_LOCAL):
            return self.scope[name[len(_LOCAL) :]]
        if name.startswith(_QUOTED):
            return self.frame[self.quoted[int(name[len(_QUOTED) :])]]
        if name in self.frame:
            return self.frame[name]
        if name == "index" or name == self.frame.index.name:
            return self.frame.index.to_series()
        raise NameError(f"name {name!r} is not defined; columns are {', '.join(map(str, self.frame._labels()))}, variables are written @{name}")

    def value(self, node):
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self.value(e) for e in node.elts]
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand)
            if isinstance(node.op, ast.Not):
                return ~inner if hasattr(inner, "_expr") else not inner
            return {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}[type(node.op)](inner)
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return _BINARY[type(node.op)](self.value(node.left), self.value(node.right))
        if isinstance(node, ast.BoolOp):
            combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            out = self.value(node.values[0])
            for other in node.values[1:]:
                out = combine(out, self.value(other))
            return out
        if isinstance(node, ast.Compare):
            return self.compare(node)
        if isinstance(node, ast.Attribute) and not node.attr.startswith("_"):
            return getattr(self.value(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            return self.value(node.value)[self.value(node.slice)]
        if isinstance(node, ast.Call):
            return self.call(node)
        raise NotImplementedError(f"'{type(node).__name__}' nodes are not implemented")

    def compare(self, node):
        out, left = None, self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            if isinstance(op, (ast.In, ast.NotIn)):
                one = left.isin(list(right) if not isinstance(right, list) else right)
                one = ~one if isinstance(op, ast.NotIn) else one
            elif isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(right, list):
                one = left.isin(right)
                one = ~one if isinstance(op, ast.NotEq) else one
            else:
                one = _COMPARE[type(op)](left, right)
            out, left = one if out is None else out & one, right
        return out

    def call(self, node):
        args, kwargs = [self.value(a) for a in node.args], {k.arg: self.value(k.value) for k in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            return getattr(np, node.func.id)(*args, **kwargs)
        if isinstance(node.func, (ast.Attribute, ast.Name)) and not (isinstance(node.func, ast.Name) and not node.func.id.startswith(_LOCAL)):
            return self.value(node.func)(*args, **kwargs)
        raise ValueError(f'"{ast.unparse(node.func)}" is not a supported function')


def _prepared(text):
    quoted = []

    def keep(match):
        quoted.append(match.group(1))
        return f"{_QUOTED}{len(quoted) - 1}"

    parts = re.split(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", text)
    for i in range(0, len(parts), 2):  # outside of texts
        part = re.sub(r"`([^`]+)`", keep, parts[i])
        part = re.sub(r"@([A-Za-z_]\w*)", _LOCAL + r"\1", part)
        parts[i] = re.sub(r"(?<![&|])([&|])(?![&|])", lambda m: " and " if m.group(1) == "&" else " or ", part)
    return "".join(parts).strip(), quoted


def evaluate(text, frame, scope):
    """Return the value of an expression over a frame's columns; of assignments, a line each, the frame with the new columns."""
    if not isinstance(text, str):
        raise ValueError(f"expr must be a string to be evaluated, {type(text)} given")
    if not text.strip():
        raise ValueError("expr cannot be an empty string")
    lines = [line for line in text.splitlines() if line.strip()]
    out = None
    for line in lines:
        source, quoted = _prepared(line)
        tree = ast.parse(source).body
        if len(tree) != 1 or len(lines) > 1 and not isinstance(tree[0], ast.Assign):
            raise SyntaxError("only a single expression is allowed")
        evaluation = _Evaluation(frame, scope, quoted)
        if isinstance(tree[0], ast.Assign):
            target = tree[0].targets[0]
            if len(tree[0].targets) != 1 or not isinstance(target, ast.Name):
                raise SyntaxError("left hand side of an assignment must be a single name")
            name = quoted[int(target.id[len(_QUOTED) :])] if target.id.startswith(_QUOTED) else target.id
            frame = out = frame.assign(**{name: evaluation.value(tree[0].value)})
        elif isinstance(tree[0], ast.Expr):
            out = evaluation.value(tree[0].value)
        else:
            raise SyntaxError("only expressions and assignments are allowed")
    return out


def query(self, expr, local_dict=None, global_dict=None, **kwargs):
    """Return the rows where an expression over the columns holds.

    Parameters
    ----------
    expr : str
        As pandas.DataFrame.query: ``"x > 1 and y in ['a', 'b'] and z == @limit"``.

    Raises
    ------
    SyntaxError
        If it is no expression.
    """
    keywords.check("query", kwargs, {"engine", "parser"}, ("expr", "local_dict", "global_dict"))
    mask = evaluate(expr, self, Scope.of_caller(local_dict, global_dict))
    return self[mask]


def eval(self, expr, inplace=False, local_dict=None, global_dict=None, **kwargs):
    """Return the value of an expression over the columns; ``"c = a + b"`` gives the frame with a new column."""
    keywords.check("eval", kwargs, {"engine", "parser"}, ("expr", "inplace", "local_dict", "global_dict"))
    if inplace:
        raise NotImplementedError("eval: inplace=True; assign the result")
    return evaluate(expr, self, Scope.of_caller(local_dict, global_dict))
