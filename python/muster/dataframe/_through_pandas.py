"""Operations without a native kernel: pandas' own functions, inside the graph. `explain()` marks them ``python:``.

Four shapes: `rows` (the result stays beside the rows it was made from), `partitions` (each partition gives what it gives), `whole` (one task over all
rows), `beside` (one task over all rows whose result has the same rows in the same order, and stays beside them).
"""

import copy
import functools
import operator

from muster import _core
from muster._base import context
from muster._base.libraries import np, pa, pd
from muster._base.tasks import refuse_to_come
from muster._base.tokenize import tokenize
from muster._base.values import no_default, plain_label
from muster._border.equality import comparable
from muster._border.known_columns import note_columns
from muster._border.pandas import (
    SHORT,
    _levels,
    _object_array,
    comparable_label,
    dtype_name,
    dtype_of,
    fields_of,
    frame_of,
    is_nullable,
    plain_labels,
    sample_of,
    sample_values,
    series_of,
)
from muster._border.promises import unseen
from muster.dataframe._collection import Collection, new_collection
from muster.dataframe._split_out import spread

_TRIED_ROWS = 100  # of the first partition, to see what a user's function returns
_KINDS = {"frame": 0, "series": 1, "index": 2, "scalar": 3}


_TURNED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def mirrored(op):
    """Return the operator that gives the same with its operands exchanged."""
    return _TURNED.get(op) or (op[1:] if op.startswith("r") else f"r{op}")


class Slot:
    """Stands for input number `index` among the arguments."""

    def __init__(self, index):
        self.index = index


class _Later:
    """A collection with other rows: computed inside the task, or, where the task is sent to a cluster, beside it and before."""

    def __init__(self, collection):
        self.collection = collection

    def value(self):
        return self.collection.compute(scheduler="synchronous")

    def made_up(self):
        if any(name == "object" for _, name, _ in self.collection._expr.columns):
            return self.real()  # made-up objects are all texts
        return _sample(self.collection)

    def real(self):
        return self.collection.compute()  # wherever its rows are: what it needs of them alone

    def __reduce__(self):
        results = context.results()
        return (_Later, (self.collection,)) if results is None else (_Known, (results.frame(self.collection),))


class _Known:
    """The value of a collection, which lies on the cluster."""

    def __init__(self, future):
        self.future, self.brought = future, None

    def value(self):
        if self.brought is None:
            self.brought = (self.future.result(),)
        return self.brought[0]


def whole(collection):
    """Stand for all rows of a collection among the arguments of a function, whichever rows it is called with."""
    return _Later(collection)


class Function:
    """A function of pandas objects that the engine calls with the columns of all inputs, one behind the other, and their index."""

    def __init__(self, func, label, inputs, args, kwargs, partition=False, forced=False):
        self.func, self.label, self.inputs, self.args, self.kwargs, self.partition, self.forced = func, label, inputs, args, kwargs, partition, forced
        self.guesses = {}  # names of dtypes that no user promised, by column and by ("index", level)
        self.of_some_rows = False  # a partition was seen to guess them
        self.exact = False  # no other promise holds than what is returned
        self.known_labels = None  # of a result that had those expected
        self.gives_rows = False  # what it was tried on says that it gives a pandas object for each partition

    def __call__(self, arrays, index):
        held, values, at = [], [], 0  # held: pandas copies what another object still has before it writes to it
        for kind, labels in self.inputs:
            made = _object_of(arrays[at : at + len(labels)], index, kind, labels)
            if kind in ("frame", "series") and len(index) > SHORT:
                held.append(made)
                made = made.copy(deep=False)
            values.append(made)
            at += len(labels)
        out = self.func(*filled(self.args, values), **filled(self.kwargs, values))
        if not self.partition:
            return out
        if len(out) != len(index):
            raise ValueError(f"{self.label}: {len(out)} rows came back for {len(index)}")
        frame = out.to_frame() if getattr(out, "ndim", 1) == 1 else out.copy(deep=False)
        frame.columns = range(frame.shape[1])
        frame[frame.shape[1]] = arrays[-1]
        return frame

    def has_labels(self, labels, fields):
        """Whether a result has the labels of the fields that were promised."""
        if not labels.is_(self.known_labels):
            if [comparable_label(x) for x in plain_labels(labels)] != [comparable_label(f[0]) for f in fields]:
                return False
            self.known_labels = labels
        return True


def _object_of(arrays, index, kind, labels):
    if kind == "index":
        return index
    if kind == "series":
        return series_of(arrays[0], index, labels[0])
    if kind == "frame":
        return frame_of(arrays, index, labels)
    if not len(index):  # a partition without rows, where any value does
        arrays, index = [sample_values(series_of(a, index, None))[:1] for a in arrays], pd.RangeIndex(1)
    if kind == "scalar":
        return series_of(arrays[0], index, None).iloc[0]
    return _row(frame_of(arrays, index, pd.RangeIndex(len(arrays))), labels)


def _row(frame, labels):
    row = frame.iloc[0].infer_objects().rename(None)
    row.index = labels
    return row


def filled(value, values, later=operator.methodcaller("value")):
    """Return arguments with values in the places of slots, and what `later` gives of collections with other rows."""
    if type(value) is Slot:
        return values[value.index]
    if type(value) in (_Later, _Known):
        return later(value)
    if type(value) is list:
        return [filled(v, values, later) for v in value]
    if type(value) is tuple:
        return tuple(filled(v, values, later) for v in value)
    if type(value) is dict:
        return {k: filled(v, values, later) for k, v in value.items()}
    return value


_made_up = operator.methodcaller("made_up")


def _sample(collection):
    """Made-up rows of a collection, as a function gets them."""
    sample = sample_of(collection._expr)
    if collection._is_index:
        return sample.index
    return _row(sample, _described(collection)[1]) if collection._expr.kind == "row" else sample


def _gather(value, inputs, rows):
    """Take the lazy collections out of nested arguments; those of other rows stay, to be computed in the task."""
    if isinstance(value, Collection):
        for i, known in enumerate(inputs):
            if known is value or (known._expr is value._expr and type(known) is type(value)):
                return Slot(i)
        if value._expr.kind not in ("scalar", "row") and value._expr.rows != rows:
            return _Later(value)
        if value._is_index and value._expr is not inputs[0]._expr:
            return _Later(value)
        inputs.append(value)
        return Slot(len(inputs) - 1)
    if type(value) is list:
        return [_gather(v, inputs, rows) for v in value]
    if type(value) is tuple:
        return tuple(_gather(v, inputs, rows) for v in value)
    if type(value) is dict:
        return {k: _gather(v, inputs, rows) for k, v in value.items()}
    refuse_to_come(value)
    return value


def _has_later(value):
    if type(value) is _Later:
        return True
    if type(value) in (list, tuple):
        return any(_has_later(v) for v in value)
    return type(value) is dict and any(_has_later(v) for v in value.values())


def _described(collection):
    meta = collection._meta
    if collection._is_index:
        return "index", list(range(len(collection._expr.columns)))
    if collection._expr.kind == "scalar":
        return "scalar", [None]
    if collection._expr.kind == "row":
        return "row", meta.columns
    return collection._expr.kind, [meta.name] if meta.ndim == 1 else meta.columns


def fields(meta):
    """Return (kind, index fields, column fields) of a pandas object or scalar: what a result looks like."""
    if isinstance(meta, pd.Index):
        index, columns = fields_of(meta.to_frame(index=True))
        return "index", index, columns
    if not isinstance(meta, (pd.DataFrame, pd.Series)):
        values = pd.Series([meta])
        if values.dtype == object and isinstance(meta, str):
            values = values.astype("str")
        return "scalar", [], [(None, dtype_name(values.dtype), False)]
    index, columns = fields_of(meta)
    return ("series" if isinstance(meta, pd.Series) else "frame"), index, columns


def _open_to_the_first(columns, meta):
    """Fields in which objects that are all missing in what was tried promise nothing."""
    values = meta.to_frame() if meta.ndim == 1 else meta
    return [(c[0], unseen(), c[2]) if c[1] == "object" and len(values) and values.iloc[:, i].isna().all() else c for i, c in enumerate(columns)]


def _objects_as_said(fields, dtypes):
    """Fields of what was made of made-up objects. These are all texts, which says nothing of real ones: what is said to be objects is objects."""
    return [(f[0], "object", f[2]) if dtype == "object" else f for f, dtype in zip(fields, dtypes, strict=True)]


def _dtypes(data):
    return [data.dtype] if data.ndim == 1 else list(data.dtypes)


def objects_apart(data):
    """Rows whose objects are copies, where they can be copied: what is tried on them may change them."""
    columns = [i for i, dtype in enumerate(_dtypes(data)) if dtype == "object"]
    if not columns:
        return data
    frame = data.to_frame() if data.ndim == 1 else data.copy(deep=False)
    try:
        copies = copy.deepcopy([list(frame.iloc[:, i]) for i in columns])
    except Exception:
        return data
    for i, values in zip(columns, copies, strict=True):
        frame.isetitem(i, pd.Series(_object_array(values), index=frame.index, dtype=object))
    return frame.iloc[:, 0].rename(data.name) if data.ndim == 1 else frame


@functools.cache
def _code(name):
    return _core.dtype_code(name)


def _coded(of):
    return [[f[0], _code(f[1])] for f in of]


def through(
    label, func, args, kwargs=None, shape="rows", meta=no_default, kept=False, token=None, real=False, labels=None, forced=False, nullable=False, made_up=False,
    exact=False,
):  # fmt: skip
    """Return the collection that a function of pandas objects makes.

    Parameters
    ----------
    label : str
        What messages and plans call it.
    func : callable
        Called with `args` and `kwargs`, the lazy collections among them as pandas objects of a partition or of all rows.
    args, kwargs
        The first of `args` is a lazy collection.
    shape : {"rows", "partitions", "whole", "beside"}
    meta : pandas object or scalar, optional
        What the result looks like. Default: what the function makes of two made-up rows.
    real : bool, default False
        Try the function on the first real rows instead: it is a user's, and what it returns depends on them.
    kept : bool, default False
        Of "partitions" and "whole": the result's index values are some of the input's.
    labels : bool, optional
        Whether the function looks at index values, which for numbered rows of files may cost a pass that counts rows. Default: not where pandas'
        own functions work row by row.
    forced : bool, default False
        `meta` is a user's: a value that it does not hold is an error, where another promise gives way to a wider dtype.
    nullable : bool, default False
        A value of nullable columns has a nullable dtype, also where it is never missing.
    made_up : bool, default False
        `meta` was made of made-up rows.
    exact : bool, default False
        Of "whole": dtypes are those that the function returns, also where `meta` would hold the values.

    Raises
    ------
    NotImplementedError
        If a collection among the arguments has other rows than the first, and the shape is neither "whole" nor "beside".
    """
    first = args[0]
    inputs = [first]
    rows = first._expr.rows
    args = tuple([Slot(0), *(_gather(a, inputs, rows) for a in args[1:])])
    kwargs = {k: _gather(v, inputs, rows) for k, v in (kwargs or {}).items()}
    later = _has_later(args) or _has_later(kwargs)
    if later and shape not in ("whole", "beside"):
        raise NotImplementedError(f"{label}: the collections have different rows; take them from one frame")
    exprs = [i._expr for i in inputs]
    function = Function(func, label, [_described(i) for i in inputs], args, kwargs)
    if meta is no_default:
        try:
            meta, made_up = _tried(function, inputs, real)
        except (TypeError, NotImplementedError) as error:
            if not real:
                _name_column(error, function, inputs)
            raise
    else:
        function.forced = forced
    function.exact = exact
    function.of_some_rows = real or shape == "partitions"
    if real and shape == "partitions":
        is_rows = isinstance(meta, (pd.DataFrame, pd.Series))
        function.gives_rows = is_rows and not function.forced
        meta = meta if is_rows else pd.Series(meta if isinstance(meta, pd.Index) else [meta])
    labels_of, (kind, index, columns) = meta.columns if isinstance(meta, pd.DataFrame) else None, fields(meta)
    if made_up and kind in ("series", "frame") and any(name == "object" for i in inputs for _, name, _ in (*i._expr.index, *i._expr.columns)):
        index, columns = _objects_as_said(index, [level.dtype for level in _levels(meta.index)]), _objects_as_said(columns, _dtypes(meta))
    if kind == "scalar" and (name := _nullable(meta, function, inputs, nullable)) is not None:
        columns = [(None, name, False)]
    if real and not function.forced and kind in ("series", "frame"):
        columns = _open_to_the_first(columns, meta)
    if not function.forced:
        function.guesses = {i: f[1] for i, f in enumerate(columns)} | {("index", i): f[1] for i, f in enumerate(index)}
    token = f"{label}-{token or tokenize(func)}-{tokenize(_tokens(args), _tokens(kwargs), [d[0] for d in function.inputs], function.forced)}"
    if labels is None:
        labels = shape != "rows" or real or any(i._is_index for i in inputs)
    arguments = {"label": label, "kind": _KINDS[kind], "fields": _coded(columns), "index": _coded(index), "kept": kept, "labels": labels}
    if shape == "beside":
        objects = [str(dtype) == "object" for dtype in ([meta.dtype] if meta.ndim == 1 else meta.dtypes)]  # made-up texts say nothing of real ones
        columns = [(c[0], "object", False) if is_object else c for c, is_object in zip(columns, objects, strict=True)]
        number = _core.call("partition_number", [first._expr], {})
        beside = Function(func, label, [*function.inputs, ("series", [None])], args, kwargs, partition=True, forced=function.forced)
        beside.guesses = function.guesses
        everything = [*([i, c[1]] for i, c in enumerate(columns)), [len(columns), "int64"]]
        whole = _core.call(
            "python_whole", [*exprs, number],
            {**arguments, "func": _core.object(beside, token), "kind": 0, "fields": _coded(everything), "index": [], "kept": False}
        )
        out = _core.call("unpacked", [first._expr, _core.call("packed", [whole], {})], {"kind": _KINDS[kind], "fields": _coded(columns), "index": []})
        return _labelled(out, labels_of)
    arguments["func"] = _core.object(function, token)
    op = {"rows": "python_rows", "partitions": "map_partitions", "whole": "python_whole"}[shape]
    if kind == "index" or shape == "rows" and kind == "scalar":
        raise TypeError(f"{label}: the function returned a {type(meta).__name__}, not rows")
    return _labelled(_core.call(op, exprs, arguments), labels_of)


def _labelled(expr, columns):
    """The collection of an expression; of a frame with what pandas says of its columns."""
    if columns is not None:
        note_columns(expr, columns)
    return new_collection(expr)


def _nullable(meta, function, inputs, always):
    """The engine's name of the dtype of a value that is pandas.NA where all that it is made of are missing, or `always`; None of another."""
    import warnings

    names = [name for i in inputs for _, name, _ in i._expr.columns]
    if not any(is_nullable(name) for name in names):
        return None
    values = [_missing_sample(i._expr) for i in inputs]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not always and function.func(*filled(function.args, values, _made_up), **filled(function.kwargs, values, _made_up)) is not pd.NA:
                return None
    except Exception:
        return None
    dtypes = [dtype_of(name) for name in names if is_nullable(name)]
    known = 1.0 if meta is pd.NA else meta  # of too few values
    if any(isinstance(d, pd.ArrowDtype) for d in dtypes):
        return dtype_name(pd.ArrowDtype(pa.scalar(known).type))
    if isinstance(known, str):
        return dtype_name(next(d for d in dtypes if isinstance(d, pd.StringDtype)))
    return dtype_name(pd.array(np.asarray([known])).dtype)


def _missing_sample(expr):
    if expr.kind == "scalar":
        return pd.NA if is_nullable(expr.columns[0][1]) else sample_of(expr)
    return sample_of(expr) if expr.kind == "row" else sample_of(expr).set_axis([0, 1], axis=0).reindex([2, 3])


def _tokens(value):
    if type(value) is Slot:
        return ("slot", value.index)
    if type(value) is _Later:
        return ("later", value.collection._expr.id)
    if type(value) in (list, tuple):
        return [_tokens(v) for v in value]
    if type(value) is dict:
        return [(k, _tokens(v)) for k, v in value.items()]
    return value


def tried(label, func, collections, kwargs):
    """Return what a function makes of made-up rows of collections, or of their first ones."""
    return _tried(Function(func, label, [], tuple(Slot(i) for i in range(len(collections))), kwargs), collections, False)[0]


def _tried(function, inputs, real):
    """What the function makes of made-up rows, or of the first real ones; and whether they were made up."""
    import warnings

    def call(values, later=operator.methodcaller("real")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function.func(*filled(function.args, values, later), **filled(function.kwargs, values, later))

    samples = [_sample(i) for i in inputs]
    if not real:
        try:
            return call(samples, _made_up), True
        except Exception:
            if not any(name == "object" for i in inputs for _, name, _ in i._expr.columns):
                raise  # of other columns the made-up values are good
    lazy = [i._expr.kind not in ("scalar", "row") for i in inputs]
    apart = objects_apart if real else lambda rows: rows

    def rows(npartitions, present=False):
        """The first rows of so many partitions; `present`: that are not missing."""
        heads = (new_collection(i._expr) if not present else new_collection(i._expr).dropna() for i in inputs)
        return [apart(h.head(_TRIED_ROWS, npartitions, compute=False).compute()) if many else h.compute() for h, many in zip(heads, lazy, strict=True)]

    first, found = rows(1), True
    if not len(first[0]) and inputs[0].npartitions > 1:  # a filter, maybe
        first, found = rows(-1), False
    if not len(first[0]):
        try:
            return call(samples, _made_up), True
        except Exception:
            return call(first), False
    try:
        out = call(first)
        if len(inputs) == 1 and inputs[0]._expr.kind == "series" and first[0].isna().all():
            present = rows(-1, present=True)
            out = call(present) if len(present[0]) else out
    except Exception:
        if not found:
            raise
        return call([apart(new_collection(i._expr).partitions[0].compute()) if many else f for f, i, many in zip(first, inputs, lazy, strict=True)]), False
    if isinstance(out, (pd.DataFrame, pd.Series)) and not len(out):  # no group, or no row that is kept: made-up rows say more
        try:
            return call(samples, _made_up), True
        except Exception:
            return out, False
    return out, False


def _name_column(error, function, inputs):
    """Say in an error of pandas' about a dtype which column has it."""
    first = inputs[0]
    if len(error.args) != 1 or not isinstance(error.args[0], str) or first._expr.kind not in ("series", "frame"):
        return
    sample, *others = [_sample(i) for i in inputs]
    for i, (label, dtype) in enumerate([(sample.name, sample.dtype)] if sample.ndim == 1 else zip(sample.columns, sample.dtypes, strict=True)):
        if sample.ndim == 2:
            values = [sample.iloc[:, [i]], *others]
            try:
                function.func(*filled(function.args, values, _made_up), **filled(function.kwargs, values, _made_up))
            except type(error):
                pass
            except Exception:
                return
            else:
                continue
        if label is not None and repr(label) not in error.args[0]:
            error.args = (f"{error.args[0]} (column {label!r}, {dtype})",)
        return


class Named:
    """Calls a method, or reads an attribute, of its first argument; `path` is the way there, such as ("str", "lower")."""

    def __init__(self, *path, attribute=False):
        self.path, self.attribute = path, attribute

    def __call__(self, data, *args, **kwargs):
        for name in self.path[:-1]:
            data = getattr(data, name)
        name = self.path[-1]
        if self.attribute:
            return getattr(data, name)
        result = getattr(data, name)(*args, **kwargs)
        if result is NotImplemented:  # an operator that is the other operand's to answer
            mirrored = f"__{name[3:]}" if name.startswith("__r") else f"__r{name[2:]}"
            result = getattr(args[0], mirrored, lambda _: NotImplemented)(data)
        if result is NotImplemented:
            raise TypeError(f"unsupported operand type(s) for {name}: {type(data).__name__!r} and {type(args[0]).__name__!r}")
        return result

    @property
    def token(self):
        return ".".join(self.path)


class _Comparing(Named):
    """Calls a method that puts equal values together."""

    def __call__(self, data, *args, **kwargs):
        return super().__call__(comparable(data), *args, **kwargs)


_COMPARING = frozenset([("drop_duplicates",), ("duplicated",), ("mode",), ("unique",), ("nunique",), ("value_counts",)])


def call(self, path, args=(), kwargs=None, shape="rows", attribute=False, **options):
    """Return what pandas' method of this name makes of a collection."""
    path = (path,) if isinstance(path, str) else path
    named = (_Comparing if path in _COMPARING else Named)(*path, attribute=attribute)
    return through(named.token, named, (self, *args), kwargs, shape=shape, token=named.token, **options)


def in_memory(value):
    return getattr(value, "_expr", None) is None and type(value).__module__.split(".")[0] in ("pandas", "numpy") and getattr(value, "ndim", 0) > 0


def meta_beside(self, name, other, kwargs):
    """What a method makes of two rows and as many of an object in memory."""
    sample = sample_of(self._expr)
    part = other[:2] if len(other) >= 2 else other
    if hasattr(part, "set_axis") and len(part) == 2:
        part = part.set_axis(sample.index, axis=0)
    elif len(part) < 2:
        sample = sample.iloc[: len(part)]
    return getattr(sample, name)(part, **kwargs)


def method(owner, name, shape, kept=False, path=(), attribute=False, ignored=()):
    """Return a method (or property) that runs pandas' one of this name in this shape."""

    def run(self, *args, **kwargs):
        split_out = kwargs.get("split_out")
        kwargs = {k: v for k, v in kwargs.items() if k not in ("split_every", "split_out", "shuffle_method", *ignored)}
        kwargs.pop("meta", None) if kwargs.get("meta", no_default) is no_default else None
        beside = shape == "whole" and len(args) == 1 and getattr(self, "ndim", 2) == 1 and in_memory(args[0])  # has more rows than what is tried
        meta = meta_beside(self, name, args[0], kwargs) if beside else no_default
        return spread(call(self, (*path, name), args, kwargs, shape=shape, kept=kept, attribute=attribute, meta=meta), split_out)

    run.__name__, run.__qualname__ = name, f"{owner}.{name}"
    how = {"rows": "each partition", "partitions": "each partition", "whole": "all rows in one task", "beside": "all rows in one task"}[shape]
    pandas_name = ".".join(("Series" if owner in ("Series", "Index") else "DataFrame", *path, name))
    run.__doc__ = f"""Return what pandas' `{pandas_name}` returns, lazy.

        Arguments and errors are pandas'; they are checked at the call, on made-up rows. Runs through pandas, on {how}
        (`explain` says ``python:{"rows" if how == "each partition" else "whole"}``).
        """
    return property(run, doc=run.__doc__) if attribute else run


def add_methods(cls, names, shape, **options):
    """Give a class pandas' methods of these names; a name it has stays."""
    for name in names.split():
        if name not in cls.__dict__:
            setattr(cls, name, method(cls.__name__, name, shape, **options))


def shifted_divisions(collection, periods, freq):
    """Return the divisions of rows whose index is shifted, none where they are not known then."""
    meta = collection._meta if collection._is_index else collection.index._meta
    if not collection.known_divisions:
        return []
    divisions = pd.Index(list(collection.divisions))
    if isinstance(meta, pd.PeriodIndex):
        return [plain_label(d) for d in pd.PeriodIndex(divisions, freq=meta.freq).shift(periods)]
    offset = pd.tseries.frequencies.to_offset(freq)
    return [plain_label(d) for d in divisions.shift(periods, offset)] if isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)) else []
