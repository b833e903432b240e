"""Calls of Python functions with the columns of a partition, as the engine makes them."""

import sys
import threading

from muster._base.libraries import np, pd
from muster._border.pandas import _levels, array_of, index_of
from muster._border.promises import payload_as, payload_of_none

_running = threading.local()


def current_partition():
    """Return the number of the partition whose function this thread runs."""
    return _running.partition


def apply(function, index, columns, rows, out_kind, out_index, out_fields, partition):
    """Call a function with the arrays of columns and their index; return (rows, payloads, object) of its result, for as long as whose columns live the object
    is to live. Called by the engine.
    """
    if not rows and not out_index and out_kind != "scalar":  # pandas asks a function of rows about one that it makes up
        return 0, [payload_of_none(name) for _, name, _ in out_fields], None
    _running.partition = partition
    try:
        out = function([array_of(dtype, payload) for _, dtype, payload in columns], index_of(index, rows))
    except Exception as error:
        error.add_note(f"in {function.label}, partition {partition}")
        raise
    finally:
        index.clear(), columns.clear()
    if not isinstance(out, (pd.DataFrame, pd.Series)):
        if out_kind == "frame" or (function.gives_rows and not isinstance(out, (pd.Index, np.ndarray))):
            raise TypeError(
                f"{function.label}: the function returned a {type(out).__name__} for partition {partition}, not a "
                f"{'DataFrame' if out_kind == 'frame' else 'Series'}; return one without rows where there is nothing"
            )
        out = pd.Series(out) if isinstance(out, (pd.Index, np.ndarray)) and out_kind != "scalar" else _one(out, out_fields[0][1])
    if sys.getrefcount(out) > 2:  # somebody else's too, who may write to it: not to what another object still has
        out = out.copy(deep=False)
    # items() makes a Series a column
    made, labels = ([out.array], [out.name]) if isinstance(out, pd.Series) else (list(out._iter_column_arrays()), out.columns)
    if not rows and not len(out) and len(made) != len(out_fields):  # pandas gives the groups of no rows back as they were
        return 0, [payload_of_none(name) for _, name, _ in (*out_index, *out_fields)], None
    if out_kind == "frame" and isinstance(out, pd.Series):
        raise TypeError(f"{function.label}: the function returned a Series for partition {partition}, not a DataFrame")
    if len(made) != len(out_fields) or (out_kind == "frame" and not function.has_labels(labels, out_fields)):
        raise ValueError(
            f"{function.label}: partition {partition} returned the columns {list(labels)}, expected {[f[0] for f in out_fields]}; "
            "give meta=, or make the function return the same columns for every partition"
        )
    guesses = function.guesses
    levels = _levels(out.index) if out_index else []
    payloads = [payload_as(levels[i].array, name, function, partition, guess=guesses.get(("index", i)) == name) for i, (_, name, _) in enumerate(out_index)]
    payloads += [payload_as(made[i], name, function, partition, guess=guesses.get(i) == name, labels=labels, at=i) for i, (_, name, _) in enumerate(out_fields)]
    return len(out), payloads, out


def _one(value, name):
    if name == "object":
        held = np.empty(1, dtype=object)
        held[0] = value
        return pd.Series(held, dtype=object)
    return pd.Series([value])
