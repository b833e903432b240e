"""Print which names of the pandas-like surface are native, run through pandas, or are not there; ``--write`` puts the table into docs/coverage.md."""

import inspect
import pathlib
import re
import sys

import muster
import muster.dataframe as dd
from muster._generated import datetime
from muster.dataframe import _accessors, _groupby, _window, demo

ROOT = pathlib.Path(__file__).resolve().parent.parent

FRAME = """abs add align all any apply applymap assign astype axes bfill categorize clear_divisions clip columns combine combine_first compute copy
corr count cov cummax cummin cumprod cumsum describe diff div divide divisions dot drop drop_duplicates dropna dtypes empty eq eval
explain explode ffill fillna floordiv ge get_partition groupby gt head idxmax idxmin iloc index info isin isna isnull items iterrows
itertuples known_divisions kurt kurtosis le loc lt map map_overlap map_partitions mask max mean median median_approximate melt
memory_usage memory_usage_per_partition min mod mode mul ndim ne nlargest notnull npartitions nsmallest nunique nunique_approx optimize
partitions persist pipe pop pow prod product quantile query radd random_split rdiv reduction rename rename_axis repartition replace
reset_index resample rfloordiv rmod rmul rolling round rpow rsub rtruediv sample select_dtypes sem shape shift size skew squeeze std sub
sum tail to_csv to_delayed to_json to_parquet to_timestamp truediv var visualize where add_prefix add_suffix set_index merge join
sort_values shuffle pivot_table values to_dask_array to_bag to_sql""".split()
SERIES = """abs add align all any apply astype autocorr axes between bfill case_when cat clear_divisions clip combine combine_first compute copy corr
count cov cummax cummin cumprod cumsum describe diff div divisions dot drop_duplicates dropna dt dtype empty eq explode ffill fillna
floordiv ge get_partition groupby gt head idxmax idxmin index isin isna isnull is_monotonic_decreasing is_monotonic_increasing items
known_divisions kurt kurtosis le loc lt map map_overlap map_partitions mask max mean median min mod mode mul name nbytes ndim ne nlargest
notnull npartitions nsmallest nunique partitions persist pipe pow prod product quantile radd reduction rename rename_axis repartition
replace reset_index resample rolling round rsub sample sem shape shift size skew squeeze std str sub sum tail to_csv to_delayed to_frame
to_json to_timestamp truediv unique value_counts var visualize where add_prefix add_suffix sort_values shuffle to_bag""".split()
INDEX = (
    "compute count dtype isin is_monotonic_decreasing is_monotonic_increasing map max min name names npartitions nunique shape size to_frame to_series"
).split()
TEXT = """capitalize casefold cat center contains count decode encode endswith extract extractall find findall fullmatch get index isalnum isalpha
isdecimal isdigit islower isnumeric isspace istitle isupper join len ljust lower lstrip match normalize pad partition removeprefix
removesuffix repeat replace rfind rindex rjust rpartition rsplit rstrip slice slice_replace split startswith strip swapcase title
translate upper wrap zfill""".split()
TIME = """ceil day_name floor isocalendar month_name normalize round strftime to_period to_pydatetime to_pytimedelta to_timestamp total_seconds
tz_convert tz_localize components date day day_of_week day_of_year dayofweek dayofyear days days_in_month daysinmonth end_time freq hour
is_leap_year is_month_end is_month_start is_quarter_end is_quarter_start is_year_end is_year_start microsecond microseconds minute month
nanosecond nanoseconds quarter qyear second seconds start_time time timetz tz week weekday weekofyear year""".split()
CATEGORY = (
    "add_categories as_known as_ordered as_unknown as_unordered categories codes known ordered remove_categories remove_unused_categories rename_categories "
    "reorder_categories set_categories"
).split()
GROUPBY = """agg aggregate apply bfill compute corr count cov cumcount cumprod cumsum ffill first get_group head idxmax idxmin last max mean median min
nunique prod rolling shift size std sum tail transform value_counts var""".split()
ROLLING = "agg aggregate apply count cov kurt max mean median min quantile skew std sum var".split()
RESAMPLE = "agg count first last max mean median min nunique ohlc prod quantile sem size std sum var".split()
FUNCTIONS = """Aggregation DataFrame Index Scalar Series compute concat from_array from_delayed from_dict from_map from_pandas get_collection_type
get_dummies isna map_overlap map_partitions melt read_csv read_json read_parquet read_table repartition to_csv to_datetime to_json
to_numeric to_parquet to_timedelta merge merge_asof pivot_table read_orc to_orc read_sql read_sql_query read_sql_table to_sql from_dask_array
read_hdf read_fwf read_deltalake read_iceberg
to_bag""".split()

GROUPS = {
    "DataFrame": (dd.DataFrame, FRAME),
    "Series": (dd.Series, SERIES),
    "Index": (dd.Index, INDEX),
    "Series.str": (_accessors.StringMethods, TEXT),
    "Series.dt": (_accessors.DatetimeProperties, TIME),
    "Series.cat": (_accessors.CategoricalMethods, CATEGORY),
    "DataFrame.groupby": (_groupby.DataFrameGroupBy, GROUPBY),
    "Series.groupby": (_groupby.SeriesGroupBy, GROUPBY),
    "rolling": (_window.Rolling, ROLLING),
    "resample": (_window.Resampler, RESAMPLE),
    "muster.dataframe": (dd, FUNCTIONS),
    "muster.dataframe.demo": (demo, demo.__all__),
}
# Rows would move between partitions, or another part of muster is needed: not there yet.
LATER = set(
    "values to_dask_array from_dask_array".split()
)
# Explicit methods whose work is a Python function on partitions or on all rows.
PYTHON = set(
    """align apply applymap map combine_first map_overlap map_partitions shift sample unique nunique_approx memory_usage_per_partition reduction to_csv
    to_json to_parquet categorize idxmax idxmin to_datetime to_numeric to_timedelta get_dummies from_map merge_asof
    read_sql read_sql_query read_sql_table to_sql read_orc to_orc read_fwf read_hdf read_deltalake read_iceberg make_timeseries with_spec read_json
    melt rename_axis""".split()
)
SYNONYMS = {"agg": "aggregate", "len": "shape"}
CLASSES = {
    "DataFrame": "DataFrame", "Series": "Series", "DataFrameGroupBy": "DataFrame.groupby", "SeriesGroupBy": "Series.groupby", "Rolling": "rolling",
    "Collection": None, "Scalar": None
}


def typed():
    """Return {group: names} of the typed methods of C++, written by hand or from the operators' forms; a second name of the same thing counts."""
    header = (ROOT / "include/muster/dataframe.hpp").read_text()
    written = pathlib.Path(muster.__file__).parent / "include/muster"
    names = {group: set() for group in GROUPS}
    for name, body in re.findall(r"^(?:template <class \w+> )?class MUSTER_API (\w+)[^;{]*\{(.*?)^\};", header, re.DOTALL | re.MULTILINE):
        methods = set(re.findall(r"^  (?:\[\[nodiscard\]\] )?(?!explicit)[\w:<>&, ]+? (\w+)\(.*\) const;", body, re.MULTILINE))
        methods |= {SYNONYMS[m] for m in methods if m in SYNONYMS}
        for group in ["DataFrame", "Series"] if name == "Collection" else [CLASSES.get(name)]:
            if group:
                names[group] |= methods
    for kind in ("DataFrame", "Series"):
        names[kind] |= set(re.findall(r"^  \w+ (\w+)\(.*\) const;", (written / f"{kind.lower()}_methods.inc").read_text(), re.MULTILINE))
    for prefix in ("str", "dt"):
        names[f"Series.{prefix}"] = {m.removeprefix(f"{prefix}_") for m in names["Series"] if m.startswith(f"{prefix}_")}
    names["Series.dt"] |= vars(datetime.DatetimeProperties).keys()  # dt("year")
    names["muster.dataframe"] = set(re.findall(r"^(?:\[\[nodiscard\]\] )?MUSTER_API .*?(\w+)\(", header, re.MULTILINE)) | {"DataFrame", "Series", "Scalar"}
    return names


def state(owner, name):
    """Return "native", "pandas" or "missing" for a name."""
    if (name in LATER and owner in (dd, dd.DataFrame, dd.Series)) or not hasattr(owner, name):
        return "missing"
    if getattr(getattr(owner, name), "__module__", "").startswith("muster._generated"):
        return "native"
    if name in PYTHON:
        return "pandas"
    text = inspect.getdoc(inspect.getattr_static(owner, name)) or ""
    return "pandas" if "through pandas" in text else "native"


def table():
    """Return {group: {name: state}}."""
    return {group: {name: state(owner, name) for name in sorted(set(names))} for group, (owner, names) in GROUPS.items()}


def text():
    """Return docs/coverage.md."""
    lines = [
        "# What is there",
        "",
        "Names of Dask's DataFrame API. *native*: a C++ kernel, or costs nothing. *pandas*: pandas' own function inside the graph, on partitions or on all "
        "rows in one task",
        "(`explain()` says `python:rows` or `python:whole`). *not there*: raises NotImplementedError. **Bold**: also a typed method of C++ "
        "(`include/muster/dataframe.hpp`).",
        "Native operators fall back to pandas for columns the engine only carries (categories, zones, nullable dtypes). Written by `tools/coverage.py "
        "--write`.",
        "",
        "| | native | pandas | not there |",
        "|---|---|---|---|",
    ]
    cpp = typed()
    for group, names in table().items():
        cells = [", ".join(f"**{n}**" if n in cpp[group] else n for n, s in names.items() if s == wanted) for wanted in ("native", "pandas", "missing")]
        lines.append(f"| `{group}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        (ROOT / "docs/coverage.md").write_text(text())
    else:
        for group, names in table().items():
            for wanted in ("native", "pandas", "missing"):
                chosen = [n for n, s in names.items() if s == wanted]
                print(f"{group:18} {wanted:8} {len(chosen):3}  {' '.join(chosen)}")
