"""What the footers of many Parquet files say together: their columns, and the Arrow type that holds a column's values in all of them."""

import base64
import functools
import io
import json
from dataclasses import dataclass

from muster import _core
from muster._base.libraries import np, pa, pd, pq
from muster._border import files


@dataclass
class _Footer:
    file: str
    kinds: dict  # what each column is: its dtype in the engine, or what pyarrow must read
    dtypes: dict  # in pandas, as an empty file with the same Arrow schema gives them; {} without one
    arrow: object  # the Arrow schema, if the footer has it


class Schemas:
    """The footers of files, one of each kind."""

    def __init__(self, files, options, storage_options):
        found = _core.parquet_footers(files, options)
        self.kinds = {name: kind for name, kind, _ in found["columns"]}
        self.native = {name for name, _, native in found["columns"] if native}
        self.storage_options = storage_options
        self.pandas = pandas_metadata(found["schemas"][0])
        known = {}
        for footer in found["schemas"]:
            kinds = dict(map(tuple, footer["columns"]))
            arrow = _arrow_schema(footer)
            kinds |= {
                name: "null" for name, type in zip(*((arrow.names, arrow.types) if arrow is not None else ((), ())), strict=True) if str(type) == "null"
                and name in kinds
            }
            described = pandas_metadata(footer) if arrow is not None else {}
            key = tuple(kinds.items()), arrow and (*arrow.names, *map(str, arrow.types)), repr(described.get("columns")), repr(
                [i for i in described.get("index_columns", []) if isinstance(i, str)]
            )
            if key not in known:
                known[key] = _Footer(footer["file"], kinds, {} if arrow is None else _dtypes(footer["file"], arrow, described), arrow)
        self.footers = list(known.values())

    def special(self):
        """Columns whose dtype in pandas only the Arrow schema or pandas' description in a footer tells: categories, durations, nullable and Arrow dtypes."""
        empty = {name for name in self.kinds if all(f.kinds.get(name, "null") == "null" for f in self.footers)}  # of no type anywhere: objects
        return {
            name for f in self.footers for name, dtype in f.dtypes.items() if name in f.kinds and (f.kinds[name] != "null" or name in empty)
            and not _is_native(dtype, f.kinds[name])
        }

    def coarse(self):
        """Whether int96 may hold times beyond nanoseconds."""
        return any(f.kinds.get(name) == "datetime64[ns]" and "ns" not in str(dtype) for f in self.footers for name, dtype in f.dtypes.items())

    def common(self, names):
        """For each of the columns that is not the same in all files: the Arrow type of all its values and its dtype in pandas. Raises ValueError if there is
        none.
        """
        out = {}
        if len(self.footers) == 1:
            return out
        for name in names:
            found = [(self._type(f, name), f) for f in self.footers if f.kinds.get(name, "null") != "null"]
            if len(found) == len(self.footers) and len({str(t) for t, _ in found}) == 1:
                continue
            if not found:
                continue
            whole, first = found[0]
            for other, footer in found[1:]:
                both = _promoted(whole, other)
                if both is None:
                    raise ValueError(
                        f"column {name!r} is {other} in {footer.file!r} and {whole} in {first.file!r}; read them one by one, or write them anew with one type"
                    )
                whole = both
            out[name] = whole, first.dtypes.get(name) if whole == found[0][0] else None
        return out

    def type_of(self, name):
        """The Arrow type of a column's values in all files."""
        common = self.common([name]).get(name)
        return common[0] if common else self._type(next(f for f in self.footers if f.kinds.get(name, "null") != "null"), name)

    def _type(self, footer, name):
        if footer.arrow is None:
            system = files.system_of(footer.file, self.storage_options)
            with system.open(system._strip_protocol(footer.file), "rb") as handle:
                footer.arrow = pq.read_schema(handle)
        return footer.arrow.field(name).type


def fitted(table, types):
    """A table of one file with the types that its columns have in all files."""
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        wanted = types.get(name, (column.type,))[0]
        if column.type == wanted or pa.types.is_null(column.type) or pa.types.is_dictionary(wanted):
            continue
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        table = table.set_column(i, table.field(i).with_type(wanted), column.cast(wanted))
    return table


def completed(frame, columns, types, dtype_backend=None):
    """A frame of one file with the columns that only other files know, or know the values of: missing, in the dtype they have there."""
    for name in columns:
        unknown = name in frame.columns and dtype_backend is None and frame[name].dtype == object and frame[name].isna().all()
        if name in types and (name not in frame.columns or unknown):
            missing = pd.Series([], dtype=dtype_of(*types[name], dtype_backend)).reindex(range(len(frame))).set_axis(frame.index)
            if not (unknown and missing.dtype == object):
                frame[name] = missing
    return frame


@functools.cache
def dtype_of(type, dtype, dtype_backend=None):
    """The dtype in pandas of an Arrow type, unless pandas' description of the file says it."""
    if pa.types.is_dictionary(type):
        return pd.CategoricalDtype(pd.Index([], dtype=dtype_of(type.value_type, None)), type.ordered)
    if dtype is not None and dtype_backend is None:
        return dtype
    buffer = io.BytesIO()
    pq.write_table(pa.schema([("x", type)]).empty_table(), buffer)
    return pd.read_parquet(buffer, **({"dtype_backend": dtype_backend} if dtype_backend else {})).x.dtype


def _promoted(a, b):
    """The Arrow type that holds the values of both, or None."""
    if a == b:
        return a
    plain = [t.value_type if pa.types.is_dictionary(t) else t for t in (a, b)]
    if pa.types.is_dictionary(a) and pa.types.is_dictionary(b) and plain[0] == plain[1]:
        return a
    a, b = plain
    times = [t for t in plain if pa.types.is_timestamp(t) and t.tz is None]
    if len(times) == 1 and (pa.types.is_date(a) or pa.types.is_date(b)):
        return times[0]
    if _is_text(a) and _is_text(b):
        return pa.large_string()
    if _is_text(a) != _is_text(b):  # pyarrow would make bytes of text
        return None
    if (
        (pa.types.is_integer(a) and pa.types.is_integer(b)) or (pa.types.is_floating(a) and pa.types.is_integer(b))
        or (pa.types.is_integer(a) and pa.types.is_floating(b))
    ):
        return pa.from_numpy_dtype(np.result_type(a.to_pandas_dtype(), b.to_pandas_dtype()))
    if pa.types.is_decimal(a) and pa.types.is_integer(b):
        return pa.decimal256(max(a.precision, 20 + a.scale), a.scale) if 20 + a.scale > 38 else pa.decimal128(max(a.precision, 20 + a.scale), a.scale)
    if pa.types.is_integer(a) and pa.types.is_decimal(b):
        return _promoted(b, a)
    try:
        return pa.unify_schemas([pa.schema([("x", t)]) for t in (a, b)], promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _is_text(type):
    return pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type)


def pandas_metadata(footer):
    """What pandas wrote into the footer, a dict."""
    try:
        parsed = json.loads(footer["metadata"].get("pandas", "{}"))
        if not isinstance(parsed, dict) or not all(isinstance(c, dict) for key in ("columns", "column_indexes") for c in parsed.get(key, [])):
            raise ValueError("it is no description of columns")
        return parsed
    except ValueError as error:
        raise OSError(f"{footer['file']!r}: the pandas metadata of the footer is damaged: {error}") from error


def index_names(pandas, index, columns):
    """The columns that are the index."""
    if index is False:
        return []
    if index is not None:
        return [index] if isinstance(index, str) else list(index)
    return [n for n in pandas.get("index_columns", []) if isinstance(n, str) and n in columns]


def _arrow_schema(footer):
    encoded = footer["metadata"].get("ARROW:schema")
    if encoded is None:
        return None
    try:
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(encoded)))
    except (OSError, pa.ArrowException, ValueError, TypeError) as error:
        raise _damaged(footer["file"], error) from error


def _dtypes(file, schema, pandas):
    """The dtypes of a file's columns by their names in the file, as pandas reads an empty one."""
    try:
        frame = schema.empty_table().to_pandas()
    except (pa.ArrowException, ValueError, TypeError, KeyError, UnicodeError) as error:
        raise _damaged(file, error) from error
    columns = [n for n in schema.names if n not in set(frame.index.names) and not n.startswith("__index_level_")]
    out = dict(zip(columns, frame.dtypes, strict=True)) if len(columns) == frame.shape[1] else {}
    levels = [frame.index.get_level_values(i).dtype for i in range(frame.index.nlevels)]
    names = index_names(pandas, None, schema.names)
    return out | (dict(zip(names, levels, strict=True)) if len(names) == len(levels) else {})


def _damaged(file, error):
    return OSError(f"{file!r}: the Arrow schema of the footer is damaged: {error}")


def _is_native(dtype, kind):
    if isinstance(dtype, np.dtype):
        return str(dtype) == kind if dtype.kind in "Mm" else dtype.kind in "iufb" and dtype.itemsize > (dtype.kind == "f") * 2
    return str(dtype) == "str"
