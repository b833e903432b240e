"""The border to pandas: columns of the engine to pandas objects and back."""

import functools
import itertools

from muster import _core
from muster._base.libraries import np, pa, pd
from muster._base.tokenize import tokenize
from muster._base.values import plain_label
from muster._border.known_columns import as_known, note_columns


@functools.cache
def string_dtype():
    """The dtype of texts: pandas' str over Arrow."""
    return pd.StringDtype("pyarrow", na_value=np.nan)


def array_of(dtype, payload):
    """Return one column's values as pandas keeps them.

    Parameters
    ----------
    dtype : str
        The engine's name of the dtype.
    payload : tuple
        As `_core.compute` gives it.
    """
    if dtype == "str":
        offsets, data, bitmap = payload
        buffers = [None if bitmap is None else pa.py_buffer(bitmap), pa.py_buffer(offsets), pa.py_buffer(data)]
        return pd.arrays.ArrowStringArray(pa.LargeStringArray.from_buffers(len(offsets) - 1, buffers[1], buffers[2], buffers[0]), dtype=string_dtype())
    values, present = payload
    if dtype.startswith("object"):
        array = _objects(dtype, values, present)
        return array.to_numpy() if type(array) is pd.arrays.NumpyExtensionArray else array
    if dtype == "bool objects":  # a value was missing, be it in another row
        values = values.view(np.bool_).astype(object)
    elif dtype == "bool":
        values = values.view(np.bool_)
    elif dtype in ("int64", "uint64"):
        values = values.view(dtype)  # C's long long is another type to NumPy's issubdtype
    elif dtype.startswith(("datetime64", "timedelta64")):
        values = values.view(dtype)
        if present is not None:
            values = np.where(present.view(np.bool_), values, np.array("NaT", dtype))
        return values
    if present is not None and not present.all():
        missing = ~present.view(np.bool_)
        values = values.astype(object if dtype.startswith("bool") else "float64")
        values[missing] = np.nan
    return values


_POSITION_BITS = 40  # of a position in an object column; the bits above say which source
_foreign = {}  # dtypes that the engine carries and never opens, by its names of them
_foreign_names = {}


def foreign_name(dtype):
    """Return the engine's name of a dtype that it carries without opening: of its content, the same in every process."""
    key = (type(dtype), repr(dtype), *(getattr(dtype, name, None) for name in _more_content(dtype)))
    if isinstance(dtype, pd.CategoricalDtype):
        if dtype.categories is not None and len(dtype.categories) == 1 and dtype.categories[0] == unknown_categories()[0]:
            dtype = pd.CategoricalDtype(None, dtype.ordered)
        categories = () if dtype.categories is None else (str(dtype.categories.dtype), tuple(dtype.categories))
        if categories and dtype.categories.dtype == object:
            categories = (*categories, tuple(map(type, dtype.categories)))  # 1 and True are equal
        key = (pd.CategoricalDtype, dtype.ordered, *categories)
    try:
        name = _foreign_names.get(key)
    except TypeError:  # lists, say, that a function made of categories
        if isinstance(dtype, pd.CategoricalDtype):
            return "object"
        raise
    if name is None:
        name = _foreign_names[key] = _core.know_dtype(str(dtype), tokenize(*key), dtype)
        _foreign[name] = dtype
    return name


def _more_content(dtype):
    """The attributes that tell apart dtypes of one class and representation: those that pandas compares. Its own dtypes say all in their representation."""
    return getattr(dtype, "_metadata", ()) if not type(dtype).__module__.startswith("pandas.") or isinstance(dtype, pd.ArrowDtype) else ()


def dtype_of(name):
    """Return the pandas dtype of an engine's name."""
    if name == "str":
        return string_dtype()
    if not name.startswith("object:"):
        return np.dtype(name)
    dtype = _foreign.get(name)
    if dtype is None:
        dtype = _core.known_dtype(name)  # another process has made it
        if dtype is None:
            raise RuntimeError(f"the dtype {name} came to a process without its definition")
        _foreign[name] = dtype
    return dtype


def is_nullable(name):
    """Whether the dtype of an engine's name has pandas.NA for what is missing."""
    return name.startswith("object:") and getattr(dtype_of(name), "na_value", None) is pd.NA


def is_foreign_number(name):
    """Whether an engine's name is of a dtype that it carries and that pandas counts as numeric: nullable and Arrow's numbers and bools, float16 and complex."""
    return name.startswith("object:") and (isinstance(dtype_of(name), np.dtype) or bool(getattr(dtype_of(name), "_is_numeric", False)))


def _object_array(values):
    """An array of these objects, whatever they are: lists too are objects."""
    if not isinstance(values, list):
        return np.asarray(values, dtype=object)
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def _objects(name, positions, sources):
    """The values at these positions of the sources of an object column."""
    dtype = dtype_of(name)
    if len(positions) and positions.min() < -1:
        positions = np.where(positions < -1, -2 - positions, positions)  # objects that say themselves that they are missing
    if dtype == np.dtype(object):
        out = np.full(len(positions), None, dtype=object)
        borders = 1 + np.flatnonzero((positions[1:] != positions[:-1] + 1) | (positions[:-1] < 0))  # of runs of objects one after the other
        if len(borders) * 16 <= len(positions):
            for begin, end in itertools.pairwise([0, *borders.tolist(), len(positions)]):
                if begin < end and (position := int(positions[begin])) >= 0:
                    first = position & ((1 << _POSITION_BITS) - 1)
                    out[begin:end] = _object_array(sources[position >> _POSITION_BITS][first : first + end - begin])
            return out
        numbers = positions >> _POSITION_BITS  # -1 of a missing value
        by_source = np.argsort(numbers, kind="stable")
        ends = np.searchsorted(numbers[by_source], np.arange(len(sources) + 1))
        for number, source in enumerate(sources):
            here = by_source[ends[number] : ends[number + 1]]
            out[here] = _object_array(source)[positions[here] & ((1 << _POSITION_BITS) - 1)]
        return out
    if not sources:
        known = pd.CategoricalDtype([], dtype.ordered) if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None else dtype
        if len(positions):
            return pd.array([None] * len(positions), dtype=known)
        return pd.array([], dtype=known)
    if len(sources) == 1:
        return sources[0].take(positions, allow_fill=bool((positions < 0).any()))
    sizes = np.cumsum([0, *(len(s) for s in sources)])
    if isinstance(dtype, pd.CategoricalDtype):
        joined = _joined(sources)
    else:
        joined = type(sources[0])._concat_same_type(sources)
    flat = np.where(positions < 0, -1, (positions & ((1 << _POSITION_BITS) - 1)) + sizes[np.maximum(positions, 0) >> _POSITION_BITS])
    return joined.take(flat, allow_fill=bool((flat < 0).any()))


def _joined(categoricals):
    """Categoricals one behind the other, with the categories of all. An order is kept where all have it, but for those that have no categories."""
    ordered = categoricals[0].dtype.ordered
    known = [c.dtype for c in categoricals if len(c.categories)]
    if not ordered or any(dtype != known[0] for dtype in known):
        try:
            return pd.api.types.union_categoricals(_of_one_dtype(categoricals), ignore_order=ordered)
        except TypeError:  # pandas compares by a hash, which tuples in front of others do not have
            return _united(categoricals)
    return type(categoricals[0])._concat_same_type([c if len(c.categories) or not known else c.set_categories(known[0].categories) for c in categoricals])


def _united(categoricals):
    categories = pd.Index([value for c in categoricals for value in c.categories], dtype=object, tupleize_cols=False).unique()
    codes = [np.append(categories.get_indexer(c.categories), -1)[c.codes] for c in categoricals]  # the last stands for what is missing
    return pd.Categorical.from_codes(np.concatenate(codes), dtype=pd.CategoricalDtype(categories))


def _of_one_dtype(categoricals):
    """Categoricals whose categories have one dtype; no categories have none."""
    dtypes = {str(c.categories.dtype): c.categories[:1] for c in categoricals if len(c.categories)}
    if len(dtypes) == 0 or len({str(c.categories.dtype) for c in categoricals}) == 1:
        return categoricals
    common = functools.reduce(pd.Index.append, dtypes.values()).dtype
    return [c.rename_categories(c.categories.astype(common)) for c in categoricals]


def _label(label):
    if isinstance(label, tuple):
        return tuple(_label(part) for part in label)
    if isinstance(label, _core.Moment):
        return pd.Timestamp(label.ns)
    return np.nan if isinstance(label, float) and label != label else label  # the one object that Python finds in lists and dicts


def comparable_label(label):
    """Return what is equal for labels that are equal, times and NaN among them."""
    if isinstance(label, tuple):
        return tuple(comparable_label(part) for part in label)
    if isinstance(label, _core.Moment):
        return _core.Moment, label.ns
    if isinstance(label, _core.Object):
        return label.value
    return np.nan if isinstance(label, float) and label != label else label


def _labels(fields, integer):
    labels = [_label(f[0]) for f in fields]
    if integer and labels == list(range(len(labels))):
        return pd.RangeIndex(len(labels))
    if labels and all(isinstance(x, tuple) for x in labels) and len({len(x) for x in labels}) == 1:
        return pd.MultiIndex.from_tuples(labels)
    # what columns of texts leave behind
    if all(isinstance(x, str) for x in labels):
        return pd.Index(labels, dtype=string_dtype())
    return pd.Index(labels, dtype=object if any(x is None for x in labels) else None, tupleize_cols=False)


def index_of(columns, rows):
    """Return the index that these index columns are."""
    if not columns:
        return pd.RangeIndex(rows)
    if isinstance(columns[0][2], int):
        return pd.RangeIndex(columns[0][2], columns[0][2] + rows)
    arrays = [array_of(dtype, payload) for _, dtype, payload in columns]
    names = [_label(c[0]) for c in columns]
    if len(arrays) > 1:
        return pd.MultiIndex.from_arrays(arrays, names=names)
    array = arrays[0]
    return pd.Index(array, name=names[0], dtype=object if columns[0][1] == "object" else None)


def to_pandas(result):
    """Return what `_core.compute` gave as a DataFrame, Series, Index or NumPy scalar."""
    kind, columns = result["kind"], result["columns"]
    arrays = [array_of(dtype, payload) for _, dtype, payload in columns]
    if kind == "scalar":
        value = arrays[0][0]
        if columns[0][1].startswith("datetime64"):
            return pd.Timestamp(value)
        return pd.Timedelta(value) if columns[0][1].startswith("timedelta64") else value
    if kind == "row":
        labels = _labels(columns, result["labels_integer"])
        if not arrays:
            return pd.Series([], index=labels, dtype="float64")
        if len({a.dtype if isinstance(a, np.ndarray) else None for a in arrays}) == 1 and isinstance(arrays[0], np.ndarray):
            joined = pd.Series(np.concatenate(arrays))
        elif len({str(a.dtype) for a in arrays}) == 1:
            joined = pd.concat([pd.Series(a) for a in arrays])
        else:
            joined = pd.concat([pd.Series(a, dtype=None if a.dtype != bool else object) for a in arrays])
        joined.index = labels
        return joined
    index = index_of(result["index"], result["rows"])
    if kind == "series":
        return series_of(arrays[0], index, _label(columns[0][0]))
    if kind == "index":
        return pd.Index(arrays[0], name=_label(columns[0][0]))
    return frame_of(arrays, index, _labels(columns, result["labels_integer"]))


SHORT = 2048  # rows; a copy of so many numbers costs less than an object for them


def series_of(array, index, name):
    """Return a Series over an array, which is copied only where it is short."""
    if len(array) <= SHORT and isinstance(array, np.ndarray):
        array = array.copy()
    return pd.Series(as_is(array, index), index=index, name=name, copy=False)


def frame_of(arrays, index, labels):
    """Return a DataFrame over arrays, which are copied only where they are short: those of one dtype into one block."""
    if not arrays:
        return pd.DataFrame(index=index, columns=labels)
    kinds = [a.dtype.str if isinstance(a, np.ndarray) else None for a in arrays] if len(index) <= SHORT else [None] * len(arrays)
    blocks = []
    for together, places in _blocks(tuple(kinds)):
        first = arrays[places[0]]
        values = np.array([arrays[i] for i in places]) if together else first.reshape(1, -1) if isinstance(first, np.ndarray) else first
        blocks.append((values, places))
    return pd.api.internals.create_dataframe_from_blocks(blocks, index=index, columns=labels)


@functools.lru_cache(maxsize=256)
def _blocks(kinds):
    """The blocks of columns of these dtypes: whether they are put together, and their places. None and objects stay alone."""
    alone = [(False, [i]) for i, kind in enumerate(kinds) if kind in (None, "|O")]
    places = {}
    for i, kind in enumerate(kinds):
        if kind not in (None, "|O"):
            places.setdefault(kind, []).append(i)
    return [(together, np.array(at)) for together, at in [*alone, *((True, at) for at in places.values())]]


def as_is(array, index=None):
    """Values, or a Series of them, that pandas takes without looking: objects that are all times or texts stay objects."""
    return pd.Series(array, index=index, dtype=object, copy=False) if isinstance(array, np.ndarray) and array.dtype == object else array


def dtype_name(dtype):
    """Return the engine's name of a pandas dtype; "object" or "object:..." for what it carries without opening."""
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is np.nan:
        return "str"
    if (
        isinstance(dtype, np.dtype)
        and (dtype.kind in "biu" or dtype in (np.float32, np.float64) or (dtype.kind in "mM" and np.datetime_data(dtype)[0] in ("s", "ms", "us", "ns")))
    ):
        return dtype.name
    return "object" if isinstance(dtype, np.dtype) and dtype.kind not in "fc" else foreign_name(dtype)


def is_text(values):
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def payload_of(array, name):
    """Return an array's values as the engine takes them.

    Parameters
    ----------
    array : numpy.ndarray or pandas ExtensionArray
    name : str
        The engine's dtype name.
    """
    if name == "str":
        text = pa.array(array, type=pa.large_string(), from_pandas=True)
        if isinstance(text, pa.ChunkedArray):
            text = text.combine_chunks() if text.num_chunks != 1 else text.chunk(0)
        bitmap, offsets, data = text.buffers()
        empty = np.empty(0, np.uint8)
        all_offsets = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1] if offsets else np.zeros(1, np.int64)
        return all_offsets, np.frombuffer(data, np.uint8) if data else empty, np.frombuffer(bitmap, np.uint8) if bitmap else None, text.offset
    if name.startswith("object"):
        positions = np.arange(len(array), dtype=np.int64)
        if (
            name == "object" and isinstance(array, np.ndarray) and array.dtype == object and array.flags.c_contiguous and array.flags.writeable
            and _core.all_are_present(array)
        ):
            return positions, array
        missing = pd.isna(array)
        if name != "object" and isinstance(array, np.ndarray):  # float16, complex: with the methods of pandas' other arrays
            array = pd.arrays.NumpyExtensionArray(array)
        return np.where(missing, -2 - positions, positions) if missing.any() else positions, array
    values = np.ascontiguousarray(array)
    present = None
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        values = values.view(np.int64)
        present = None if not missing.any() else (~missing).view(np.uint8)
    elif values.dtype.kind == "b":
        values = values.view(np.uint8)
    return values, present


def _name_of_values(dtype, values):
    """pandas 3 reads Python strings as str; an object column of strings becomes text, as Dask converts it. `values` gives the column."""
    name = dtype_name(dtype)
    return "str" if name == "object" and is_text(values()) else name


def fields_of(data):
    """Return (index fields, column fields) of a pandas object: lists of (label, dtype name, False)."""
    index_fields = [(_plain_label(level.name), _name_of_values(level.dtype, lambda level=level: level), False) for level in _levels(data.index)]
    if isinstance(data, pd.Series):
        return index_fields, [(_plain_label(data.name), _name_of_values(data.dtype, lambda: data), False)]
    return index_fields, [
        (_plain_label(label), _name_of_values(dtype, lambda i=i: data.iloc[:, i]), False) for i, (label, dtype) in enumerate(data.dtypes.items())
    ]


def _levels(index):
    """An index' levels, row by row."""
    return [index] if index.nlevels == 1 else [index.get_level_values(i) for i in range(index.nlevels)]


def plain_labels(labels):
    return [_plain_label(label) for label in labels]


def _plain_label(label):
    return None if label is None else plain_label(label)


def from_pandas(data, cuts, divisions=None):
    """Return the expression of a pandas object in memory, cut into partitions at these rows. Divisions not given are known if the index ascends; no value
    may lie on both sides of a cut.
    """
    data = data.copy(deep=False)  # held with the columns: what the user changes later is copied first, and not seen here
    index_fields, fields = fields_of(data)
    if isinstance(data, pd.Series):
        arrays = [data.array]
    else:
        arrays = [data.iloc[:, i].array for i in range(data.shape[1])]
    arrays = [level.array for level in _levels(data.index)] + arrays
    payloads = [payload_of(a.to_numpy() if type(a) is pd.arrays.NumpyExtensionArray else a, f[1]) for a, f in zip(arrays, index_fields + fields, strict=True)]
    is_frame = isinstance(data, pd.DataFrame)
    integer = is_frame and isinstance(data.columns, pd.RangeIndex)
    divisions = _divisions(data.index, cuts) if divisions is None else divisions
    expr = _core.from_columns("frame" if is_frame else "series", index_fields, fields, payloads, cuts, integer, data, divisions)
    if is_frame:
        note_columns(expr, data.columns)
    return expr


def is_ordered(dtype):
    """Whether single values of a dtype compare as an index of them is ordered, so that they can be borders between partitions."""
    if isinstance(dtype, pd.CategoricalDtype):
        return dtype.categories is not None and dtype.categories.is_monotonic_increasing and is_ordered(dtype.categories.dtype)
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biufmM"
    return isinstance(dtype, (pd.DatetimeTZDtype, pd.PeriodDtype, pd.StringDtype)) or bool(getattr(dtype, "_is_numeric", False)) and dtype.kind in "biuf"


def _divisions(index, cuts):
    if index.nlevels > 1 or len(index) == 0 or index.hasnans or not is_ordered(index.dtype) or not index.is_monotonic_increasing:
        return []
    return [_plain_label(index[i]) for i in [*cuts[:-1], len(index) - 1]]


def label_of(value):
    """Return a label or index value as pandas has it."""
    return _label(value)


def meta_of(expr, known=None):
    """Return the empty pandas object with an expression's labels and dtypes; what is known of its columns besides is known of the expression `known`."""

    def empty(name):
        dtype = dtype_of(name)
        if isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None:
            return pd.Categorical([], categories=unknown_categories(), ordered=dtype.ordered)
        return np.empty(0, dtype=dtype) if isinstance(dtype, np.dtype) else pd.array([], dtype=dtype)

    index = [(label, name) for label, name, _ in expr.index]
    if not index:
        pandas_index = pd.RangeIndex(0)
    elif len(index) == 1:
        pandas_index = pd.Index(empty(index[0][1]), name=_label(index[0][0]))
    else:
        pandas_index = pd.MultiIndex.from_arrays([empty(n) for _, n in index], names=[_label(x) for x, _ in index])
    arrays = [empty(name) for _, name, _ in expr.columns]
    if expr.kind in ("series", "scalar"):
        return pd.Series(arrays[0], index=pandas_index, name=_label(expr.columns[0][0]))
    frame = pd.DataFrame(dict(enumerate(arrays)), index=pandas_index)
    frame.columns = as_known(known or expr, _labels(expr.columns, expr.labels_integer))
    return frame


def has_unknown_categories(collection):
    """Whether a column of a lazy collection is of categories that are known only when the data is read."""
    dtypes = [dtype_of(name) for _, name, _ in collection._expr.columns if name.startswith("object:")]
    return any(isinstance(dtype, pd.CategoricalDtype) and dtype.categories is None for dtype in dtypes)


@functools.cache
def unknown_categories():
    """What stands in a meta for categories that are not known, as Dask's."""
    return pd.Index(["__UNKNOWN_CATEGORIES__"], dtype=object)


def sample_values(series, distinct=False):
    """Return two made-up values of a Series' dtype; labels have to be distinct, numbers otherwise rather not 0."""
    dtype = series.dtype
    numbers = [0, 1] if distinct else [1, 1]
    if isinstance(dtype, pd.CategoricalDtype):
        known = list(dtype.categories) if len(dtype.categories) else ["a"]
        return pd.Categorical([known[0], known[-1]], categories=dtype.categories if len(dtype.categories) else known, ordered=dtype.ordered)
    if dtype == np.dtype(object):
        return np.array(["foo", "bar"], dtype=object)
    if isinstance(dtype, np.dtype):
        return np.array([0, 1] if dtype.kind in "mM" else numbers, dtype=dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(np.array([0, 1], dtype=f"datetime64[{dtype.unit}]")).tz_localize("UTC").tz_convert(dtype.tz).array
    if isinstance(dtype, pd.PeriodDtype):
        return pd.period_range("2000-01-01", periods=2, freq=dtype.freq).array
    if isinstance(dtype, pd.IntervalDtype):
        return pd.arrays.IntervalArray.from_breaks(pd.Index([0, 1, 2]).astype(dtype.subtype), closed=dtype.closed)
    for values in (numbers, ["foo", "bar"], [bool(x) for x in numbers], ["2000-01-01", "2000-01-02"]):
        try:
            return pd.array(values, dtype=dtype)
        except (TypeError, ValueError, NotImplementedError):
            continue
    return pd.array([None, None], dtype=dtype)


def sample_of(expr):
    """Return a pandas object of two made-up rows with an expression's labels and dtypes: what a user's function is tried on. A scalar gives one value."""
    def level_of(index):
        return pd.Index(sample_values(index.to_series(), distinct=True), dtype=object if index.dtype == object else None)

    meta = meta_of(expr)
    if expr.kind == "scalar":
        return sample_values(meta)[0]
    index = meta.index
    if isinstance(index, pd.MultiIndex):
        index = pd.MultiIndex.from_arrays([level_of(level) for level in index.levels], names=index.names)
    elif not isinstance(index, pd.RangeIndex):
        index = level_of(index).rename(index.name)
    else:
        index = pd.RangeIndex(2)
    if len(index) != 2:
        index = pd.RangeIndex(2)

    def column(of):  # objects that are texts would become a text column
        return pd.Series(sample_values(of), dtype=object if of.dtype == object else None)

    if isinstance(meta, pd.Series):
        return column(meta).set_axis(index).rename(meta.name)
    frame = pd.DataFrame({i: column(meta.iloc[:, i]) for i in range(meta.shape[1])})
    frame.index, frame.columns = index, meta.columns
    return frame
