"""Aggregates of groups beside their rows: a group-by, whose result each row looks up by its keys."""

from muster import _core
from muster._base.values import plain_label
from muster._border.pandas import is_nullable
from muster.dataframe._collection import Rows, new_collection

# Aggregates that give a group one value which stands beside each of its rows.
ALIKE = frozenset("sum mean min max count size std var first last nunique median".split())
_SMALL = frozenset("int8 int16 int32 uint8 uint16 uint32".split())


def beside_rows(frame, keys, values, function, sort, dropna, series):
    """Return the values of aggregates, in the rows of a frame; of rows without a group they are missing.

    Parameters
    ----------
    frame : DataFrame
    keys : list of label or Series of the frame's rows
    values : list of int
        Positions of the columns that are aggregated.
    function : str
        One of ALIKE.
    sort, dropna : bool
        As of the group-by.
    series : bool
        The result is a Series, of the only column or of the groups' sizes.

    Raises
    ------
    NotImplementedError, TypeError
        Where the engine has no such aggregate of a column's dtype, or cannot compare the keys.
    """
    of_keys = [key if isinstance(key, Rows) else frame[key] for key in keys]
    if any(key._expr.rows != frame._expr.rows for key in of_keys):
        raise NotImplementedError("transform: keys of other rows")
    columns = frame._expr.columns
    if function in ("count", "size") and any(is_nullable(columns[i][1]) for i in values):
        raise NotImplementedError("transform: of nullable columns")
    if function == "sum" and any(columns[i][1] in _SMALL for i in values):
        raise NotImplementedError("transform: sums of small integers, whose dtype depends on their values")
    names = [f"key {i}" for i in range(len(keys))]
    beside = frame._take(values)._relabelled([f"value {i}" for i in range(len(values))])._assign(dict(zip(names, of_keys, strict=True)))
    if function == "size":
        aggregates, labels = [{"label": "value 0", "function": "size", "whole_rows": True}], [columns[values[0]][0] if series and values else None]
    else:
        aggregates = [{"label": f"value {i}", "column": i, "function": function} for i in range(len(values))]
        labels = [columns[i][0] for i in values]
    arguments = {"by": names, "sort": sort, "dropna": dropna, "kind": 0, "values": list(range(len(values))), "aggregates": aggregates}
    groups = _core.call("reset_index", [_core.call("groupby", [beside._expr], arguments)], {"drop": False})
    narrow = [i for i, at in enumerate(values) if function == "sum" and columns[at][1] == "float32"]  # whose sum has 64 bits
    if narrow:
        groups = new_collection(groups).astype({f"value {i}": "float32" for i in narrow})._expr
    out = new_collection(_core.call("groupby.transform", [beside[names]._expr, groups], {"keys": len(keys), "kind": int(series)}))
    return out.rename(labels[0]) if series else out._relabelled([plain_label(label) for label in labels])
