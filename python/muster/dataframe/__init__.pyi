"""Types of pandas-like DataFrames."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Protocol, overload, type_check_only

import pandas

from muster import compute as compute
from muster._base.types import Axis, Function, Label, Labels, Options, Scheduler
from muster.bag import Bag
from muster.dataframe import extensions as extensions
from muster.dataframe._frame import DataFrame as DataFrame
from muster.dataframe._groupby import Aggregation as Aggregation
from muster.dataframe._index import Index as Index
from muster.dataframe._scalar import Scalar as Scalar
from muster.dataframe._series import Series as Series
from muster.delayed import Delayed

__all__ = [
    "Aggregation", "DataFrame", "Index", "Scalar", "Series", "compute", "concat", "extensions", "from_array", "from_arrow", "from_delayed", "from_dict",
    "from_map", "from_pandas", "get_collection_type", "get_dummies", "isna", "map_overlap", "map_partitions", "melt", "merge", "merge_asof",
    "pivot_table", "read_csv", "read_deltalake", "read_fwf", "read_hdf", "read_iceberg", "read_json", "read_orc", "read_parquet", "read_sql",
    "read_sql_query", "read_sql_table", "read_table", "repartition", "to_bag", "to_csv", "to_datetime", "to_delayed", "to_json", "to_numeric", "to_orc",
    "to_parquet", "to_sql", "to_timedelta",
]

# By what they can do: without pandas-stubs mypy takes pandas' own classes for Any, and all are one.
@type_check_only
class _PandasFrame(Protocol):
    def iterrows(self) -> Any: ...

@type_check_only
class _PandasSeries(Protocol):
    def to_frame(self) -> Any: ...

def read_csv(
    urlpath: str | PathLike[str] | Sequence[str | PathLike[str]], blocksize: int | str | None = "default", lineterminator: str | None = None,
    compression: str | None = "infer", sample: int | str | bool = 256000, sample_rows: int = 10, enforce: bool = False, assume_missing: bool = False,
    storage_options: Options | None = None, include_path_column: bool | str = False, *, sep: str = ..., delimiter: str | None = ...,
    index_col: Literal[False] | None = ..., header: int | list[int] | Literal["infer"] | None = ..., names: Sequence[Any] | None = ...,
    usecols: Sequence[Any] | Callable[[Any], bool] | None = ..., dtype: Any = ..., true_values: list[str] | None = ..., false_values: list[str] | None = ...,
    skiprows: int | list[int] | Callable[[int], bool] | None = ..., na_values: Any = ..., keep_default_na: bool = ..., na_filter: bool = ...,
    parse_dates: bool | list[Any] | dict[Any, Any] | None = ..., date_format: str | dict[Any, str] | None = ..., dayfirst: bool = ...,
    thousands: str | None = ..., decimal: str = ..., quotechar: str = ..., quoting: int = ..., doublequote: bool = ..., escapechar: str | None = ...,
    comment: str | None = ..., encoding: str | None = ..., encoding_errors: str | None = ...,
    on_bad_lines: Literal["error", "warn", "skip"] | Callable[[list[str]], Any] = ..., delim_whitespace: bool = ..., skipinitialspace: bool = ...,
    skip_blank_lines: bool = ..., skipfooter: int = ..., converters: Mapping[Any, Callable[[str], Any]] | None = ...,
    dtype_backend: Literal["pyarrow", "numpy_nullable"] = ..., engine: Literal["c", "python", "pyarrow", "python-fwf"] | None = ..., low_memory: bool = ...,
    memory_map: bool = ..., float_precision: str | None = ..., cache_dates: bool = ..., dialect: Any = ..., verbose: bool = ...,
    infer_datetime_format: bool = ..., keep_date_col: bool = ...
) -> DataFrame: ...
def read_table(
    urlpath: str | PathLike[str] | Sequence[str | PathLike[str]], sep: str = "\t", *, blocksize: int | str | None = "default",
    lineterminator: str | None = None, compression: str | None = "infer", sample: int | str | bool = 256000, sample_rows: int = 10, enforce: bool = False,
    assume_missing: bool = False, storage_options: Options | None = None, include_path_column: bool | str = False, delimiter: str | None = ...,
    index_col: Literal[False] | None = ..., header: int | list[int] | Literal["infer"] | None = ..., names: Sequence[Any] | None = ...,
    usecols: Sequence[Any] | Callable[[Any], bool] | None = ..., dtype: Any = ..., true_values: list[str] | None = ..., false_values: list[str] | None = ...,
    skiprows: int | list[int] | Callable[[int], bool] | None = ..., na_values: Any = ..., keep_default_na: bool = ..., na_filter: bool = ...,
    parse_dates: bool | list[Any] | dict[Any, Any] | None = ..., date_format: str | dict[Any, str] | None = ..., dayfirst: bool = ...,
    thousands: str | None = ..., decimal: str = ..., quotechar: str = ..., quoting: int = ..., doublequote: bool = ..., escapechar: str | None = ...,
    comment: str | None = ..., encoding: str | None = ..., encoding_errors: str | None = ...,
    on_bad_lines: Literal["error", "warn", "skip"] | Callable[[list[str]], Any] = ..., delim_whitespace: bool = ..., skipinitialspace: bool = ...,
    skip_blank_lines: bool = ..., skipfooter: int = ..., converters: Mapping[Any, Callable[[str], Any]] | None = ...,
    dtype_backend: Literal["pyarrow", "numpy_nullable"] = ..., engine: Literal["c", "python", "pyarrow", "python-fwf"] | None = ..., low_memory: bool = ...,
    memory_map: bool = ..., float_precision: str | None = ..., cache_dates: bool = ..., dialect: Any = ..., verbose: bool = ...,
    infer_datetime_format: bool = ..., keep_date_col: bool = ...
) -> DataFrame: ...
@overload
def from_pandas(data: _PandasFrame, npartitions: int | None = None, chunksize: int | None = None, sort: bool = True) -> DataFrame: ...
@overload
def from_pandas(data: _PandasSeries, npartitions: int | None = None, chunksize: int | None = None, sort: bool = True) -> Series: ...
def from_dict(
    data: Mapping[Any, Any], npartitions: int = 1, orient: Literal["columns", "index", "tight"] = "columns", dtype: Any = None,
    columns: list[Any] | None = None, constructor: Any = None
) -> DataFrame: ...
def read_parquet(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], columns: Labels | None = None, filters: Any = None, categories: Any = None,
    index: Label | list[Any] | Literal[False] | None = None, storage_options: Options | None = None,
    dtype_backend: Literal["pyarrow", "numpy_nullable"] | None = None, calculate_divisions: bool = False, ignore_metadata_file: bool = False,
    metadata_task_size: int | None = None, split_row_groups: bool | int | Literal["infer", "adaptive"] = "infer", blocksize: int | str | None = "default",
    aggregate_files: Any = None, parquet_file_extension: str | tuple[str, ...] | None = ..., filesystem: Any = "fsspec", engine: str | None = None,
    arrow_to_pandas: Options | None = None
) -> DataFrame: ...
def read_json(
    url_path: str | PathLike[str] | Sequence[str | PathLike[str]], orient: str = "records", lines: bool | None = None, storage_options: Options | None = None,
    blocksize: int | str | None = None, sample: int = 1048576, encoding: str = "utf-8", errors: str = "strict", compression: str | None = "infer",
    meta: Any = None, engine: Any = None, include_path_column: bool | str = False, path_converter: Callable[[str], str] | None = None, **kwargs: Any
) -> DataFrame: ...
def read_fwf(
    urlpath: str | PathLike[str] | Sequence[str | PathLike[str]], blocksize: int | str | None = "default", lineterminator: str | None = None,
    compression: str | None = "infer", sample: int | str = 256000, sample_rows: int = 10, enforce: bool = False, assume_missing: bool = False,
    storage_options: Options | None = None, include_path_column: bool | str = False, **kwargs: Any
) -> DataFrame: ...
def read_hdf(
    pattern: str | PathLike[str] | Sequence[str | PathLike[str]], key: str, start: int = 0, stop: int | None = None, columns: list[str] | None = None,
    chunksize: int = 1_000_000, sorted_index: bool = False, lock: Any = True, mode: str = "r"
) -> Any: ...
def read_deltalake(
    path: str | PathLike[str], version: int | None = None, columns: list[str] | None = None, storage_options: Options | None = None, datetime: Any = None
) -> DataFrame: ...
def read_iceberg(
    identifier: str, catalog: str = "default", columns: list[str] | None = None, snapshot_id: int | None = None, properties: Options | None = None
) -> DataFrame: ...
def read_orc(
    path: str | PathLike[str] | Sequence[str | PathLike[str]], engine: Literal["pyarrow"] = "pyarrow", columns: list[str] | None = None,
    index: str | None = None, split_stripes: int | Literal[False] | None = 1, aggregate_files: bool | None = None, storage_options: Options | None = None
) -> DataFrame: ...
def read_sql_table(
    table_name: str, con: str, index_col: Any, divisions: Sequence[Any] | None = None, npartitions: int | None = None, limits: Sequence[Any] | None = None,
    columns: Sequence[Any] | None = None, bytes_per_chunk: int | str = "256 MiB", head_rows: int = 5, schema: str | None = None, meta: Any = None,
    engine_kwargs: Options | None = None, *, coerce_float: bool = True, params: Any = None, parse_dates: Any = None, dtype: Any = None,
    dtype_backend: Literal["pyarrow", "numpy_nullable"] = ...
) -> DataFrame: ...
def read_sql_query(
    sql: Any, con: str, index_col: Any, divisions: Sequence[Any] | None = None, npartitions: int | None = None, limits: Sequence[Any] | None = None,
    bytes_per_chunk: int | str = "256 MiB", head_rows: int = 5, meta: Any = None, engine_kwargs: Options | None = None, *, coerce_float: bool = True,
    params: Any = None, parse_dates: Any = None, dtype: Any = None, dtype_backend: Literal["pyarrow", "numpy_nullable"] = ...
) -> DataFrame: ...
def read_sql(sql: Any, con: str, index_col: Any, **kwargs: Any) -> DataFrame: ...
def from_array(arr: Any, chunksize: int = 50000, columns: Any = None, meta: Any = None) -> Any: ...
def from_arrow(data: Any, npartitions: int = 1) -> DataFrame: ...
def from_delayed(dfs: Delayed | Iterable[Any], meta: Any = ..., divisions: Any = None, prefix: str = "from-delayed", verify_meta: bool = True) -> Any: ...
def from_map(
    func: Function, *iterables: Iterable[Any], args: tuple[Any, ...] | None = None, meta: Any = ..., divisions: Any = None, label: str | None = None,
    enforce_metadata: bool = True, **kwargs: Any
) -> Any: ...
def to_bag(df: DataFrame | Series, index: bool = False, format: Literal["tuple", "dict", "frame"] = "tuple") -> Bag[Any]: ...
def to_csv(
    frame: DataFrame | Series, filename: str | PathLike[str] | Sequence[str | PathLike[str]], single_file: bool = False, encoding: str = "utf-8",
    mode: str = "wt", name_function: Callable[[int], str] | None = None, compression: str | None = None, compute: bool = True,
    scheduler: Scheduler | None = None, storage_options: Options | None = None, header_first_partition_only: bool | None = None,
    compute_kwargs: Options | None = None, *, sep: str = ",", na_rep: str = "", float_format: Any = None, columns: list[Any] | None = None,
    header: bool | list[str] = True, index: bool = True, index_label: Any = None, quoting: int | None = None, quotechar: str = '"',
    lineterminator: str | None = None, chunksize: int | None = None, date_format: str | None = None, doublequote: bool = True, escapechar: str | None = None,
    decimal: str = ".", errors: str = "strict"
) -> list[Any]: ...
def to_json(
    frame: DataFrame | Series, filename: str | PathLike[str] | Sequence[str | PathLike[str]], orient: str = "records", lines: bool | None = None,
    storage_options: Options | None = None, compute: bool = True, encoding: str = "utf-8", errors: str = "strict", compression: str | None = None,
    compute_kwargs: Options | None = None, name_function: Callable[[int], str] | None = None, *, date_format: str | None = None, double_precision: int = 10,
    force_ascii: bool = True, date_unit: str = "ms", default_handler: Function | None = None, index: bool | None = None, indent: int | None = None,
    mode: str = "w"
) -> list[Any]: ...
def to_parquet(
    frame: DataFrame, path: str | PathLike[str], compression: str | Mapping[str, str] | None = "snappy", write_index: bool = True, append: bool = False,
    overwrite: bool = False, ignore_divisions: bool = False, partition_on: str | list[str] | None = None, storage_options: Options | None = None,
    custom_metadata: Options | None = None, write_metadata_file: bool | None = None, compute: bool = True, compute_kwargs: Options | None = None,
    schema: Any = "infer", name_function: Callable[[int], str] | None = None, filesystem: Any = None, engine: str | None = None, **kwargs: Any
) -> Any: ...
def to_orc(
    df: DataFrame | Series, path: str | PathLike[str], engine: Literal["pyarrow"] = "pyarrow", write_index: bool = True,
    storage_options: Options | None = None, compute: bool = True, compute_kwargs: Options | None = None
) -> Any: ...
def to_sql(
    df: DataFrame | Series, name: str, uri: str, schema: str | None = None, if_exists: Literal["fail", "replace", "append"] = "fail", index: bool = True,
    index_label: str | list[str] | None = None, chunksize: int | None = None, dtype: Any = None,
    method: Literal["multi"] | Callable[[Any, Any, list[str], Any], Any] | None = None, compute: bool = True, parallel: bool = False,
    engine_kwargs: Options | None = None
) -> Any: ...
def to_delayed(frame: DataFrame | Series | Index) -> list[Delayed]: ...
def map_partitions(func: Function, *args: Any, meta: Any = ..., enforce_metadata: bool = True, **kwargs: Any) -> Any: ...
def map_overlap(func: Function, df: DataFrame | Series, before: Any, after: Any, *args: Any, **kwargs: Any) -> Any: ...
def repartition(
    frame: Any, divisions: Any = None, npartitions: int | None = None, partition_size: int | str | None = None, freq: Any = None, force: bool = False
) -> Any: ...
def concat(
    dfs: Sequence[Any], axis: Axis = 0, join: Literal["outer", "inner"] = "outer", ignore_unknown_divisions: bool = False, ignore_order: bool = False,
    interleave_partitions: bool = False, *, ignore_index: bool = False
) -> Any: ...
def merge(
    left: DataFrame | Series | pandas.DataFrame | pandas.Series, right: DataFrame | Series | pandas.DataFrame | pandas.Series,
    how: Literal["inner", "left", "right", "outer", "cross", "leftsemi", "leftanti", "left_anti", "right_anti"] = "inner", on: Labels | None = None,
    left_on: Labels | None = None, right_on: Labels | None = None, left_index: bool = False, right_index: bool = False,
    suffixes: tuple[str | None, str | None] | list[str | None] = ("_x", "_y"), indicator: bool | str = False, npartitions: int | None = None,
    shuffle_method: str | None = None, broadcast: bool | float | None = None, validate: str | None = None
) -> DataFrame: ...
def merge_asof(
    left: DataFrame | Series | pandas.DataFrame | pandas.Series, right: DataFrame | Series | pandas.DataFrame | pandas.Series, on: Label | None = None,
    left_on: Label | None = None, right_on: Label | None = None, left_index: bool = False, right_index: bool = False, by: Labels | None = None,
    left_by: Labels | None = None, right_by: Labels | None = None, suffixes: tuple[str | None, str | None] = ("_x", "_y"), tolerance: Any = None,
    allow_exact_matches: bool = True, direction: Literal["backward", "forward", "nearest"] = "backward"
) -> DataFrame: ...
def melt(
    frame: DataFrame, id_vars: Labels | None = None, value_vars: Labels | None = None, var_name: Label | None = None, value_name: Label = "value",
    col_level: Any = None
) -> DataFrame: ...
def pivot_table(
    df: DataFrame, index: Label, columns: Label, values: Labels, aggfunc: Literal["mean", "sum", "count", "first", "last"] = "mean"
) -> DataFrame: ...
def get_dummies(
    data: DataFrame | Series, prefix: Any = None, prefix_sep: Any = "_", dummy_na: bool = False, columns: list[Any] | None = None, sparse: bool = False,
    drop_first: bool = False, dtype: Any = ...
) -> DataFrame: ...
@overload
def isna(arg: DataFrame) -> DataFrame: ...
@overload
def isna(arg: Any) -> Any: ...
def to_datetime(
    arg: Any, meta: Any = None, *, errors: Literal["raise", "coerce"] = "raise", dayfirst: bool = False, yearfirst: bool = False, utc: bool = False,
    format: str | None = None, exact: bool = ..., unit: str | None = None, origin: Any = "unix", cache: bool = True
) -> Series: ...
def to_numeric(
    arg: Any, errors: Literal["raise", "coerce"] = "raise", downcast: Literal["integer", "signed", "unsigned", "float"] | None = None, meta: Any = None
) -> Any: ...
def to_timedelta(arg: Any, unit: str | None = None, errors: Literal["raise", "coerce"] = "raise") -> Any: ...
def get_collection_type(value: Any) -> type[Any]: ...
