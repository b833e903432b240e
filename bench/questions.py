"""Single-frame questions over 10^7 rows of Parquet: questions.py SYSTEM QUESTION FILE REPEAT [RESULT]. Also writes the data.

Each question stands here three times: for muster, for Polars, and in SQL. The result of the last call is written to RESULT, for run.py to compare.
"""

import os
import sys

ROWS = 10_000_000
WANTED = [f"key{7 * i:06d}" for i in range(50)]
CITIES = {f"City {i:03d} by the Sea": i % 7 for i in range(1000)}


def rows_file(path, rows=ROWS):
    """Write a table of texts, numbers and times, a row group a million rows; the same bytes each time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    random = np.random.default_rng(3)

    def digits(values, width=0):
        return pc.utf8_lpad(pc.cast(pa.array(values), pa.string()), width, "0")

    def joined(*parts):
        return pc.binary_join_element_wise(*parts, "")

    def part(n):
        x = random.normal(50, 15, n)
        cents = random.integers(0, 10_000_000, n)
        status = pa.array(["200", "200", "200", "301", "404", "500"]).take(pa.array(random.integers(0, 6, n)))
        return pa.table(
            {
                "key": joined("key", digits(random.integers(0, 100_000, n), 6)),
                "city": joined("City ", digits(random.integers(0, 1000, n), 3), " by the Sea"),
                "line": joined(
                    "GET /items/", digits(random.integers(0, 1_000_000, n)), "?user=", digits(random.integers(0, 1_000_000, n)), " HTTP/1.1 ", status
                ),
                "amount": joined(digits(cents // 100), ".", digits(cents % 100, 2)),
                "digits": digits(random.integers(-1_000_000_000, 1_000_000_000, n)),
                "x": x,
                "y": 0.5 * x + random.normal(0, 5, n),
                "z": pa.array(np.round(random.random(n) * 1000, 3), mask=random.random(n) < 0.05),
                "f": random.random(n).astype("float32"),
                "i": random.integers(0, 1_000_000, n),
                "g": random.integers(0, 100, n).astype("int32"),
                "small": random.integers(-100, 100, n).astype("int8"),
                "t": pa.array(random.integers(1_546_300_800_000_000, 1_577_836_800_000_000, n), pa.timestamp("us")),
                "flag": random.random(n) < 0.3,
            }
        )

    os.makedirs(os.path.dirname(path), exist_ok=True)
    first = part(min(rows, 1_000_000))
    with pq.ParquetWriter(path + ".part", first.schema) as writer:
        writer.write_table(first)
        for _ in range(1, rows // 1_000_000):
            writer.write_table(part(1_000_000))
    os.replace(path + ".part", path)


def dd():
    import muster.dataframe

    return muster.dataframe


def pl():
    import polars

    return polars


def c(*names):
    return pl().col(*names)


def by(df, keys):
    return df.groupby(keys, sort=False)


# name: muster, Polars, SQL of "t". Names that end in "*" have their rows in any order.
TABLE = {
    "equal": (
        lambda d: d[d.key == "key012345"].x.sum(), lambda d: d.filter(c("key") == "key012345").select(c("x").sum()),
        "select sum(x) from t where key = 'key012345'"
    ),
    "equal, few texts": (
        lambda d: d[d.city == "City 123 by the Sea"].x.sum(), lambda d: d.filter(c("city") == "City 123 by the Sea").select(c("x").sum()),
        "select sum(x) from t where city = 'City 123 by the Sea'"
    ),
    "isin of 50": (
        lambda d: d[d.key.isin(WANTED)].x.sum(), lambda d: d.filter(c("key").is_in(WANTED)).select(c("x").sum()),
        f"select sum(x) from t where key in {tuple(WANTED)}"
    ),
    "top 100 rows": (lambda d: d.nlargest(100, "x"), lambda d: d.sort("x", descending=True).head(100), "select * from t order by x desc limit 100"),
    "corr": (
        lambda d: d[["x", "y", "i", "f"]].corr().compute().to_numpy().ravel(),
        lambda d: d.select(pl().corr(a, b).alias(a + b) for a in "xyif" for b in "xyif").unpivot().select("value"),
        "select unnest([" + ", ".join(f"corr({a}, {b})" for a in "xyif" for b in "xyif") + "]) from t"
    ),
    "regular expression": (
        lambda d: d.line.str.contains("user=[0-9]*77 HTTP").sum(), lambda d: d.select(c("line").str.contains("user=[0-9]*77 HTTP").sum()),
        "select count(*) from t where regexp_matches(line, 'user=[0-9]*77 HTTP')"
    ),
    "text to float": (
        lambda d: d.amount.astype("float64").sum(), lambda d: d.select(c("amount").cast(pl().Float64).sum()), "select sum(cast(amount as double)) from t"
    ),
    "text to int": (
        lambda d: d.digits.astype("int64").sum(), lambda d: d.select(c("digits").cast(pl().Int64).sum()), "select sum(cast(digits as bigint))::bigint from t"
    ),
    "cumulative sums": (lambda d: d[["x", "i"]].cumsum(), lambda d: d.select(c("x").cum_sum(), c("i").cum_sum()), None),
    "max - min by key*": (
        lambda d: (lambda g: g.i - g.small)(by(d, "key").agg({"i": "max", "small": "min"})).rename("d"),
        lambda d: d.group_by("key").agg((c("i").max() - c("small").min()).alias("d")), "select key, max(i) - min(small) as d from t group by key"
    ),
    "median": (lambda d: d.x.median(), lambda d: d.select(c("x").median()), "select median(x) from t"),
    "quantiles": (
        lambda d: d.z.quantile([0.1, 0.5, 0.9]),
        lambda d: d.select(c("z").quantile(q, "linear").alias(str(q)) for q in (0.1, 0.5, 0.9)).unpivot().select("value"),
        "select unnest(quantile_cont(z, [0.1, 0.5, 0.9])) from t"
    ),
    "len under a mask": (lambda d: len(d[d.x > 60]), lambda d: d.filter(c("x") > 60).select(pl().len()), "select count(*) from t where x > 60"),
}
OWN = {
    "count texts*": (lambda d: d.city.value_counts(), lambda d: d.group_by("city").len(), "select city, count(*) from t group by city"),
    "distinct texts": (lambda d: d.key.nunique(), lambda d: d.select(c("key").n_unique()), "select count(distinct key) from t"),
    "distinct rows*": (
        lambda d: d[["g", "small", "flag"]].drop_duplicates(), lambda d: d.select("g", "small", "flag").unique(), "select distinct g, small, flag from t"
    ),
    "means": (
        lambda d: d[["x", "y", "z", "f"]].mean(), lambda d: d.select(pl().mean("x", "y", "z", "f")).unpivot().select("value"),
        "select unnest([avg(x), avg(y), avg(z), avg(f)]) from t"
    ),
    "deviations": (
        lambda d: d[["x", "y", "z", "i"]].std(), lambda d: d.select(c("x", "y", "z", "i").std()).unpivot().select("value"),
        "select unnest([stddev(x), stddev(y), stddev(z), stddev(i)]) from t"
    ),
    "two conditions": (
        lambda d: d[(d.x > 60) & d.flag].y.mean(), lambda d: d.filter((c("x") > 60) & c("flag")).select(c("y").mean()),
        "select avg(y) from t where x > 60 and flag"
    ),
    "between": (
        lambda d: d[d.i.between(1000, 50000)].z.sum(), lambda d: d.filter(c("i").is_between(1000, 50000)).select(c("z").sum()),
        "select sum(z) from t where i between 1000 and 50000"
    ),
    "query": (
        lambda d: d.query("small > 50 and g < 10").x.max(), lambda d: d.filter((c("small") > 50) & (c("g") < 10)).select(c("x").max()),
        "select max(x) from t where small > 50 and g < 10"
    ),
    "isin of numbers": (
        lambda d: d[d.i.isin(list(range(0, 1000000, 20000)))].x.sum(), lambda d: d.filter(c("i").is_in(list(range(0, 1000000, 20000)))).select(c("x").sum()),
        f"select sum(x) from t where i in {tuple(range(0, 1000000, 20000))}"
    ),
    "mean by text*": (lambda d: by(d, "city").x.mean(), lambda d: d.group_by("city").agg(c("x").mean()), "select city, avg(x) from t group by city"),
    "sum by many texts*": (
        lambda d: by(d, "key").agg({"x": "sum", "y": "mean"}), lambda d: d.group_by("key").agg(c("x").sum(), c("y").mean()),
        "select key, sum(x), avg(y) from t group by key"
    ),
    "by two keys*": (
        lambda d: by(d, ["city", "g"]).x.sum(), lambda d: d.group_by("city", "g").agg(c("x").sum()), "select city, g, sum(x) from t group by city, g"
    ),
    "distinct by key*": (lambda d: by(d, "g").i.nunique(), lambda d: d.group_by("g").agg(c("i").n_unique()), "select g, count(distinct i) from t group by g"),
    "median by key*": (lambda d: by(d, "g").z.median(), lambda d: d.group_by("g").agg(c("z").median()), "select g, median(z) from t group by g"),
    "deviation by key*": (
        lambda d: by(d, "g").agg({"x": "std", "y": "var"}), lambda d: d.group_by("g").agg(c("x").std(), c("y").var()),
        "select g, stddev(x), variance(y) from t group by g"
    ),
    "missing filled": (lambda d: d.z.fillna(0).mean(), lambda d: d.select(c("z").fill_null(0).mean()), "select avg(coalesce(z, 0)) from t"),
    "missing dropped": (
        lambda d: d[["z", "x"]].dropna().x.sum(), lambda d: d.select("z", "x").drop_nulls().select(c("x").sum()),
        "select sum(x) from t where z is not null and x is not null"
    ),
    "missing carried on": (lambda d: d.z.ffill().sum(), lambda d: d.select(c("z").forward_fill().sum()), None),
    "upper case*": (
        lambda d: d.city.str.upper().value_counts(), lambda d: d.group_by(c("city").str.to_uppercase()).len(), "select upper(city), count(*) from t group by 1"
    ),
    "length of texts": (lambda d: d.line.str.len().sum(), lambda d: d.select(c("line").str.len_chars().sum()), "select sum(length(line))::bigint from t"),
    "contains": (
        lambda d: d.line.str.contains("99?user", regex=False).sum(), lambda d: d.select(c("line").str.contains("99?user", literal=True).sum()),
        "select count(*) from t where contains(line, '99?user')"
    ),
    "first characters*": (
        lambda d: d.key.str.slice(3, 6).value_counts(), lambda d: d.group_by(c("key").str.slice(3, 3)).len(),
        "select substr(key, 4, 3), count(*) from t group by 1"
    ),
    "text replaced": (
        lambda d: d.line.str.replace("GET /items/", "/", regex=False).str.len().sum(),
        lambda d: d.select(c("line").str.replace("GET /items/", "/", literal=True).str.len_chars().sum()),
        "select sum(length(replace(line, 'GET /items/', '/')))::bigint from t"
    ),
    "by hour*": (
        lambda d: (lambda e: by(e, "h").x.mean())(d.assign(h=d.t.dt.hour)), lambda d: d.group_by(c("t").dt.hour()).agg(c("x").mean()),
        "select hour(t), avg(x) from t group by 1"
    ),
    "by day*": (
        lambda d: (lambda e: by(e, "day").x.sum())(d.assign(day=d.t.dt.floor("D"))), lambda d: d.group_by(c("t").dt.truncate("1d")).agg(c("x").sum()),
        "select date_trunc('day', t)::timestamp, sum(x) from t group by 1"
    ),
    "arithmetic": (
        lambda d: ((d.x * 2 + d.y) / (d.i + 1)).sum(), lambda d: d.select(((c("x") * 2 + c("y")) / (c("i") + 1)).sum()),
        "select sum((x * 2 + y) / (i + 1)) from t"
    ),
    "clipped": (
        lambda d: d.x.clip(40, 60).round(1).sum(), lambda d: d.select(c("x").clip(40, 60).round(1).sum()),
        "select sum(round(least(greatest(x, 40), 60), 1)) from t"
    ),
    "differences": (lambda d: d.x.diff().abs().sum(), lambda d: d.select(c("x").diff().abs().sum()), None),
    "running maximum": (lambda d: d.i.cummax(), lambda d: d.select(c("i").cum_max()), None),
    "covariance": (
        lambda d: d[["x", "y"]].cov().compute().to_numpy().ravel(),
        lambda d: d.select(pl().cov(a, b).alias(a + b) for a in "xy" for b in "xy").unpivot().select("value"),
        "select unnest([" + ", ".join(f"covar_samp({a}, {b})" for a in "xy" for b in "xy") + "]) from t"
    ),
    "texts mapped": (lambda d: d.city.map(CITIES).sum(), lambda d: d.select(c("city").replace_strict(CITIES).sum()), None),
    "row of the largest": (lambda d: d.x.idxmax(), lambda d: d.select(c("x").arg_max()), None),
    "rows of a filter": (lambda d: d[d.small == 99], lambda d: d.filter(c("small") == 99), "select * from t where small = 99"),
    "skewness": (lambda d: d.z.skew(), lambda d: d.select(c("z").skew(bias=False)), "select skewness(z) from t"),
}
QUESTIONS = {**TABLE, **OWN}


def muster(file, question):
    frame = dd()

    def run():
        made = question[0](frame.read_parquet(file))
        return made.compute() if hasattr(made, "compute") else made

    return run


def polars(file, question):
    return lambda: question[1](pl().scan_parquet(file)).collect()


def duckdb(file, question):
    import duckdb as db

    return lambda: db.sql(f"with t as (select * from '{file}') {question[2]}").to_arrow_table()


def write_result(made, path):
    """Write a result as Parquet, its labels as columns in front where they are named."""
    import pandas as pd

    if hasattr(made, "write_parquet"):
        return made.write_parquet(path)
    if hasattr(made, "schema"):
        import pyarrow.parquet as pq

        return pq.write_table(made, path)
    if not isinstance(made, (pd.Series, pd.DataFrame)):
        made = pd.Series(made if hasattr(made, "__len__") else [made])
    if isinstance(made, pd.Series):
        made = made.to_frame("value")
    if made.index.names != [None] * made.index.nlevels:
        made = made.reset_index()
    made.columns = [str(name) for name in made.columns]
    return made.to_parquet(path, index=False)


def difference(path, other, any_order):
    """Say how two results written as Parquet differ, or return None. Columns count by their place; numbers may differ by rounding."""
    import numpy as np
    import pandas as pd

    frames = []
    for file in (path, other):
        frame = pd.read_parquet(file)
        frame.columns = range(frame.shape[1])
        for i, dtype in enumerate(frame.dtypes):
            if getattr(dtype, "kind", "O") in "biuf":
                frame[i] = frame[i].astype("float64")
            elif dtype.kind == "M":
                frame[i] = frame[i].astype("datetime64[us]")
        frames.append(frame.sort_values(list(frame.columns), ignore_index=True) if any_order else frame)
    a, b = frames
    if a.shape != b.shape:
        return f"shape {a.shape} against {b.shape}"
    for i in range(a.shape[1]):
        same = (
            np.isclose(a[i], b[i], rtol=1e-9, atol=1e-9, equal_nan=True) if a[i].dtype == "float64" == b[i].dtype
            else ((a[i] == b[i]) | (a[i].isna() & b[i].isna())).to_numpy()
        )
        if not same.all():
            at = int(np.argmin(same))
            return f"column {i}, row {at}: {a[i][at]!r} against {b[i][at]!r}; {int((~same).sum())} of {len(a)} rows differ"
    return None


if __name__ == "__main__":
    from timing import report

    _, system, name, file, repeat, *path = sys.argv
    call = {"muster": muster, "polars": polars, "duckdb": duckdb}[system](file, QUESTIONS[name])
    report(call, int(repeat))
    if path:
        write_result(call(), path[0])
