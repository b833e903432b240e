"""Names of the field's API that are not there yet."""


class NotThereYet(NotImplementedError, AttributeError):
    """A name that is not there yet: an error to whoever uses it, an answer to whoever asks (`hasattr` is False, `getattr` gives its default)."""


class Later:
    """Stands for a name that is not there yet: it can be imported and passed around, nothing is an instance of it, using it raises NotThereYet."""

    def __init__(self, name):
        self.__name__ = self.__qualname__ = name.rsplit(".", 1)[-1]
        self._full = name

    def _raise(self, *args, **kwargs):
        raise NotThereYet(f"{self._full} is not there yet{'' if self._full.startswith('muster.') else ' in muster'}")

    __call__ = __enter__ = __iter__ = __getitem__ = __mro_entries__ = _raise

    def __instancecheck__(self, instance):
        return False

    def __subclasscheck__(self, cls):
        return False

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._raise()

    def __reduce__(self):
        return Later, (self._full,)

    def __repr__(self):
        return f"<{self._full}: not there yet>"


# Public names of Dask's collections (Dask's API reference); those that muster has not yet raise NotImplementedError.
FRAME_NAMES = frozenset(
    "abs add align all any apply applymap append assign astype axes bfill clear_divisions clip columns combine combine_first copy corr count cov cummax cummin "
    "cumprod cumsum dask describe diff div divide divisions dot drop_duplicates dropna enforce_runtime_divisions eq eval explode ffill fillna floordiv "
    "from_dict ge groupby gt idxmax idxmin iloc info isin isna isnull items iterrows itertuples join kurtosis kurt known_divisions le loc lt map map_overlap "
    "mask max mean median median_approximate melt memory_usage memory_usage_per_partition merge min mod mode mul nbytes ne notnull nunique nunique_approx "
    "pivot_table pop pow prod product quantile query radd random_split rdiv reduction rename_axis repartition replace resample reset_index rfloordiv rmod rmul "
    "rolling round rpow rsub rtruediv sample sem set_index shift shuffle skew sort_values squeeze std sub sum to_backend to_bag to_csv to_dask_array to_hdf "
    "to_html to_json to_legacy_dataframe to_orc to_parquet to_records to_sql to_string to_timestamp truediv values var where add_prefix add_suffix".split()
)
_OF_FRAMES_ALONE = {"columns", "applymap", "melt", "merge", "join", "iterrows", "itertuples", "pivot_table", "set_index", "query", "eval"}
SERIES_NAMES = (FRAME_NAMES - _OF_FRAMES_ALONE) | frozenset(
    "autocorr between cat case_when str unique value_counts is_monotonic_increasing is_monotonic_decreasing to_frame".split()
)
DATETIME_NAMES = frozenset(
    "ceil day_name floor isocalendar month_name normalize round strftime to_period to_pydatetime to_pytimedelta to_timestamp total_seconds tz_convert "
    "tz_localize components date day_of_year dayofyear days days_in_month daysinmonth end_time freq is_leap_year is_month_end is_month_start "
    "is_quarter_end is_quarter_start is_year_end is_year_start microsecond microseconds minute nanosecond nanoseconds quarter qyear second seconds "
    "start_time time timetz tz week weekofyear".split()
)
DATAFRAME_NAMES = frozenset(
    "Aggregation concat from_array from_dask_array from_graph from_map get_collection_type get_dummies isna map_overlap melt merge merge_asof "
    "pivot_table read_fwf read_hdf read_json read_orc read_parquet read_sql read_sql_query read_sql_table repartition to_bag to_csv to_datetime to_hdf to_json "
    "to_numeric to_orc to_parquet to_records to_sql to_timedelta assert_eq".split()
)
