"""read_csv with options that only pandas' reader knows: a partition a file, inside the graph."""

import collections
import os
import re

from muster._base.libraries import pd
from muster._border.files import stamp_of, stamps_of, system_of, unchanged
from muster._border.pandas import unknown_categories
from muster._collections.running import memory_limit
from muster.dataframe._make import from_map

_SAMPLE_ROWS = 1000  # of the first file, for labels and dtypes

# What the engine has no way for, and what of it pandas' C parser has none for either.
OPTIONS = frozenset("converters dtype_backend skipfooter encoding_errors lineterminator".split())
_DIRECTIVES = frozenset("YymdHIMSfbBp%")  # of date_format, that the engine reads


def is_needed(kwargs):
    """Whether pandas' reader has to read the files: an option or a dtype that the engine does not have."""
    if any(kwargs.get(name) not in (None, 0, {}, "strict") for name in OPTIONS):
        return True
    if any(callable(kwargs.get(name)) for name in ("usecols", "skiprows", "on_bad_lines")):
        return True
    formats = kwargs.get("date_format")
    for f in formats.values() if isinstance(formats, dict) else [formats]:
        if f == "mixed" or isinstance(f, str) and not _DIRECTIVES.issuperset(re.findall("%(.)", f)):
            return True
    dtype = kwargs.get("dtype")
    given = [*dtype.values()] if isinstance(dtype, dict) else [dtype]
    if isinstance(dtype, collections.defaultdict) and dtype.default_factory is not None:
        given.append(dtype.default_factory())
    for d in given:
        if d is None or isinstance(d, (str, type)) and str(getattr(d, "__name__", d)) in ("str", "object"):
            continue
        if isinstance(pd.api.types.pandas_dtype(d), pd.api.extensions.ExtensionDtype):
            return True
    return False


class _ReadFile:
    """Reads one file."""

    def __init__(self, files, kwargs, storage_options, assume_missing, path_column):
        self.stamps = stamps_of(files)
        self.kwargs, self.storage_options, self.assume_missing, self.path_column = kwargs, storage_options, assume_missing, path_column

    def check_size(self, path):
        """Raise MemoryError for a file that is larger than the memory limit: it is read at once."""
        system = system_of(path, self.storage_options)
        size, limit = system.size(system._strip_protocol(path)), memory_limit()
        if size and size > limit:
            raise MemoryError(
                f"read_csv: file '{path}' has {size:,} bytes and would be read at once, with a memory limit of {limit:,}: pandas reads what the engine has no "
                "way for, such as converters, skipfooter, "
                "encoding_errors, separators of several characters, and no blocksize cuts it; leave the option out, cut the file, or raise the limit"
            )

    def __call__(self, path, rows=None):
        options = dict(self.kwargs)
        if rows is None:
            self.check_size(path)
        elif not options.get("skipfooter"):
            options["nrows"] = rows
        if "://" in path and not path.startswith("file://"):
            options["storage_options"] = self.storage_options
        try:
            with unchanged(path, stamp_of(path), "read_csv"):
                frame = pd.read_csv(path.removeprefix("file://"), **options)
        except Exception as error:
            error.add_note(f"read_csv: file '{path}'")
            raise
        if self.assume_missing:
            dtype = options.get("dtype") or {}
            named = set(dtype) if isinstance(dtype, dict) else set(frame.columns)
            frame = frame.astype({label: "float64" for label, d in frame.dtypes.items() if label not in named and d == "int64"})
        if self.path_column:
            if self.path_column in frame.columns:
                raise ValueError(
                    f"Files already contain the column name: {self.path_column}, so the path column cannot use this name; set include_path_column to a unique "
                    "name"
                )
            frame[self.path_column] = pd.Series([path] * len(frame), index=frame.index, dtype="str")
        return frame


def read_csv(paths, kwargs, compression, assume_missing, storage_options, include_path_column):
    """Return the rows of CSV files as pandas reads them, a partition a file."""
    files = [file for path in paths for file in _files(path, storage_options)]
    kwargs = {k: v for k, v in kwargs.items() if k not in ("low_memory", "memory_map") or v is not None}
    label = "path" if include_path_column is True else include_path_column
    read = _ReadFile(files, {**kwargs, "compression": compression}, storage_options, bool(assume_missing), label)
    meta = read(files[0], rows=_SAMPLE_ROWS).iloc[:0]
    categories = kwargs.get("dtype") or {}
    for column, dtype in meta.dtypes.items():
        asked = categories.get(column) if isinstance(categories, dict) else categories
        if isinstance(dtype, pd.CategoricalDtype) and not (isinstance(asked, pd.CategoricalDtype) and asked.categories is not None):
            meta[column] = meta[column].astype(pd.CategoricalDtype(unknown_categories(), dtype.ordered))
    return from_map(read, files, meta=meta, label="read_csv", enforce_metadata=False)


def _files(path, storage_options):
    import glob

    if "://" in path and not path.startswith("file://"):
        import fsspec

        found = [f.full_name for f in fsspec.open_files(path, **(storage_options or {}))]
    else:
        inner = path.removeprefix("file://")
        if os.path.isdir(inner):
            found = sorted(os.path.join(inner, n) for n in os.listdir(inner) if not n.startswith(".") and os.path.isfile(os.path.join(inner, n)))
        else:
            found = [inner] if os.path.exists(inner) else sorted(f for f in glob.glob(inner) if os.path.isfile(f))
    if not found:
        raise FileNotFoundError(f"no file matches '{path}'; check the path, it is looked up from the current directory")
    return found
