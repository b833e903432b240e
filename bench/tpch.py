"""Nine questions of TPC-H as programs over frames: tpch.py SYSTEM QUESTION FOLDER REPEAT. Also makes the data, by tpchgen-cli, with doubles and timestamps.

The questions are those of the TPC-H specification, revision 3, with its validation parameters.
"""

import os
import subprocess
import sys

TABLES = ("lineitem", "orders", "customer", "supplier", "nation", "region", "part")


def write(folder, scale=1):
    """Write a Parquet file for each table: decimals as doubles, dates as timestamps, as frames of all systems have them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    os.makedirs(folder, exist_ok=True)
    made = os.path.join(folder, "made")
    tool = os.path.join(os.path.dirname(sys.executable), "tpchgen-cli")
    subprocess.run([tool, "parquet", "-s", str(scale), f"--tables={','.join(TABLES)}", f"--output-dir={made}"], check=True)
    for name in TABLES:
        source = pq.ParquetFile(f"{made}/{name}.parquet")
        writer = None
        for batch in source.iter_batches(1 << 20):
            columns = [
                c.cast(pa.float64()) if pa.types.is_decimal(c.type) else c.cast(pa.timestamp("us")) if pa.types.is_date(c.type)
                else c.cast(pa.string()) if pa.types.is_string_view(c.type) else c
                for c in batch.columns
            ]  # fmt: skip
            table = pa.table(columns, names=batch.schema.names)
            writer = writer or pq.ParquetWriter(f"{folder}/{name}.parquet", table.schema)
            writer.write_table(table)
        writer.close()
        os.remove(f"{made}/{name}.parquet")
    os.rmdir(made)


def q1(t, day):
    rows = t.lineitem[t.lineitem.l_shipdate <= day("1998-09-02")]
    price = rows.l_extendedprice * (1 - rows.l_discount)
    rows = rows.assign(disc_price=price, charge=price * (1 + rows.l_tax))
    sums = rows.groupby(["l_returnflag", "l_linestatus"]).agg(
        sum_qty=("l_quantity", "sum"), sum_base_price=("l_extendedprice", "sum"), sum_disc_price=("disc_price", "sum"), sum_charge=("charge", "sum"),
        avg_qty=("l_quantity", "mean"), avg_price=("l_extendedprice", "mean"), avg_disc=("l_discount", "mean"), count_order=("l_quantity", "size"),
    )  # fmt: skip
    return sums.reset_index().sort_values(["l_returnflag", "l_linestatus"])


def q3(t, day):
    customers = t.customer[t.customer.c_mktsegment == "BUILDING"][["c_custkey"]]
    orders = t.orders[t.orders.o_orderdate < day("1995-03-15")][["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"]]
    items = t.lineitem[t.lineitem.l_shipdate > day("1995-03-15")][["l_orderkey", "l_extendedprice", "l_discount"]]
    found = items.merge(orders.merge(customers, left_on="o_custkey", right_on="c_custkey"), left_on="l_orderkey", right_on="o_orderkey")
    found = found.assign(revenue=found.l_extendedprice * (1 - found.l_discount))
    sums = found.groupby(["l_orderkey", "o_orderdate", "o_shippriority"]).revenue.sum().reset_index()
    return sums[["l_orderkey", "revenue", "o_orderdate", "o_shippriority"]].sort_values(["revenue", "o_orderdate"], ascending=[False, True]).head(10, -1, False)


def q4(t, day):
    orders = t.orders[(t.orders.o_orderdate >= day("1993-07-01")) & (t.orders.o_orderdate < day("1993-10-01"))][["o_orderkey", "o_orderpriority"]]
    late = t.lineitem[t.lineitem.l_commitdate < t.lineitem.l_receiptdate][["l_orderkey"]]
    found = orders.merge(late, left_on="o_orderkey", right_on="l_orderkey", how="leftsemi")
    return found.groupby("o_orderpriority").size().rename("order_count").reset_index().sort_values("o_orderpriority")


def q5(t, day):
    orders = t.orders[(t.orders.o_orderdate >= day("1994-01-01")) & (t.orders.o_orderdate < day("1995-01-01"))][["o_orderkey", "o_custkey"]]
    nations = t.nation.merge(t.region[t.region.r_name == "ASIA"], left_on="n_regionkey", right_on="r_regionkey")[["n_nationkey", "n_name"]]
    orders = orders.merge(t.customer[["c_custkey", "c_nationkey"]], left_on="o_custkey", right_on="c_custkey")
    orders = orders.merge(nations, left_on="c_nationkey", right_on="n_nationkey")[["o_orderkey", "c_nationkey", "n_name"]]
    items = t.lineitem[["l_orderkey", "l_suppkey", "l_extendedprice", "l_discount"]].merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    found = items.merge(t.supplier[["s_suppkey", "s_nationkey"]], left_on=["l_suppkey", "c_nationkey"], right_on=["s_suppkey", "s_nationkey"])
    found = found.assign(revenue=found.l_extendedprice * (1 - found.l_discount))
    return found.groupby("n_name").revenue.sum().reset_index().sort_values("revenue", ascending=False)


def q6(t, day):
    i = t.lineitem
    kept = i[(i.l_shipdate >= day("1994-01-01")) & (i.l_shipdate < day("1995-01-01")) & (i.l_discount >= 0.05) & (i.l_discount <= 0.07) & (i.l_quantity < 24)]
    return (kept.l_extendedprice * kept.l_discount).sum()


def q10(t, day):
    orders = t.orders[(t.orders.o_orderdate >= day("1993-10-01")) & (t.orders.o_orderdate < day("1994-01-01"))][["o_orderkey", "o_custkey"]]
    items = t.lineitem[t.lineitem.l_returnflag == "R"][["l_orderkey", "l_extendedprice", "l_discount"]]
    found = items.merge(orders, left_on="l_orderkey", right_on="o_orderkey")
    found = found.assign(revenue=found.l_extendedprice * (1 - found.l_discount))
    sums = found.groupby("o_custkey").revenue.sum().reset_index()
    customers = sums.merge(t.customer, left_on="o_custkey", right_on="c_custkey").merge(t.nation, left_on="c_nationkey", right_on="n_nationkey")
    shown = ["c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment"]
    return customers[shown].sort_values("revenue", ascending=False).head(20, npartitions=-1, compute=False)


def q12(t, day):
    i = t.lineitem
    kept = i[
        i.l_shipmode.isin(["MAIL", "SHIP"]) & (i.l_commitdate < i.l_receiptdate) & (i.l_shipdate < i.l_commitdate)
        & (i.l_receiptdate >= day("1994-01-01")) & (i.l_receiptdate < day("1995-01-01"))
    ][["l_orderkey", "l_shipmode"]]  # fmt: skip
    found = t.orders[["o_orderkey", "o_orderpriority"]].merge(kept, left_on="o_orderkey", right_on="l_orderkey")
    high = found.o_orderpriority.isin(["1-URGENT", "2-HIGH"])
    found = found.assign(high_line_count=high.astype("int64"), low_line_count=(~high).astype("int64"))
    return found.groupby("l_shipmode")[["high_line_count", "low_line_count"]].sum().reset_index().sort_values("l_shipmode")


def q14(t, day):
    i = t.lineitem
    kept = i[(i.l_shipdate >= day("1995-09-01")) & (i.l_shipdate < day("1995-10-01"))][["l_partkey", "l_extendedprice", "l_discount"]]
    found = kept.merge(t.part[["p_partkey", "p_type"]], left_on="l_partkey", right_on="p_partkey")
    revenue = found.l_extendedprice * (1 - found.l_discount)
    return 100 * revenue.where(found.p_type.str.startswith("PROMO"), 0.0).sum() / revenue.sum()


def q18(t, day):
    sums = t.lineitem.groupby("l_orderkey").l_quantity.sum().reset_index()
    large = sums[sums.l_quantity > 300]
    orders = t.orders[["o_orderkey", "o_custkey", "o_orderdate", "o_totalprice"]].merge(large, left_on="o_orderkey", right_on="l_orderkey")
    found = orders.merge(t.customer[["c_custkey", "c_name"]], left_on="o_custkey", right_on="c_custkey")
    shown = ["c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "l_quantity"]
    return found[shown].sort_values(["o_totalprice", "o_orderdate"], ascending=[False, True]).head(100, npartitions=-1, compute=False)


PROGRAMS = {"q1": q1, "q3": q3, "q4": q4, "q5": q5, "q6": q6, "q10": q10, "q12": q12, "q14": q14, "q18": q18}
QUESTIONS = list(PROGRAMS)

REVENUE = "sum(l_extendedprice * (1 - l_discount))"
SQL = {
    "q1": f"""select l_returnflag, l_linestatus, sum(l_quantity) sum_qty, sum(l_extendedprice) sum_base_price, {REVENUE} sum_disc_price,
        sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) sum_charge, avg(l_quantity) avg_qty, avg(l_extendedprice) avg_price, avg(l_discount) avg_disc,
        count(*) count_order from lineitem where l_shipdate <= timestamp '1998-09-02'
        group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus""",
    "q3": f"""select l_orderkey, {REVENUE} revenue, o_orderdate, o_shippriority from customer join orders on c_custkey = o_custkey
        join lineitem on l_orderkey = o_orderkey where c_mktsegment = 'BUILDING' and o_orderdate < timestamp '1995-03-15'
        and l_shipdate > timestamp '1995-03-15' group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10""",
    "q4": """select o_orderpriority, count(*) order_count from orders where o_orderdate >= timestamp '1993-07-01' and o_orderdate < timestamp '1993-10-01'
        and o_orderkey in (select l_orderkey from lineitem where l_commitdate < l_receiptdate) group by o_orderpriority order by o_orderpriority""",
    "q5": f"""select n_name, {REVENUE} revenue from customer join orders on c_custkey = o_custkey join lineitem on l_orderkey = o_orderkey
        join supplier on l_suppkey = s_suppkey and c_nationkey = s_nationkey join nation on s_nationkey = n_nationkey join region on n_regionkey = r_regionkey
        where r_name = 'ASIA' and o_orderdate >= timestamp '1994-01-01' and o_orderdate < timestamp '1995-01-01'
        group by n_name order by revenue desc""",
    "q6": """select sum(l_extendedprice * l_discount) revenue from lineitem where l_shipdate >= timestamp '1994-01-01'
        and l_shipdate < timestamp '1995-01-01' and l_discount >= 0.05 and l_discount <= 0.07 and l_quantity < 24""",
    "q10": f"""select c_custkey, c_name, {REVENUE} revenue, c_acctbal, n_name, c_address, c_phone, c_comment from customer join orders on c_custkey = o_custkey
        join lineitem on l_orderkey = o_orderkey join nation on c_nationkey = n_nationkey where o_orderdate >= timestamp '1993-10-01'
        and o_orderdate < timestamp '1994-01-01' and l_returnflag = 'R' group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
        order by revenue desc limit 20""",
    "q12": """select l_shipmode, sum(case when o_orderpriority in ('1-URGENT', '2-HIGH') then 1 else 0 end) high_line_count,
        sum(case when o_orderpriority not in ('1-URGENT', '2-HIGH') then 1 else 0 end) low_line_count from orders join lineitem on o_orderkey = l_orderkey
        where l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate and l_shipdate < l_commitdate and l_receiptdate >= timestamp '1994-01-01'
        and l_receiptdate < timestamp '1995-01-01' group by l_shipmode order by l_shipmode""",
    "q14": """select 100.0 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end) / sum(l_extendedprice * (1 - l_discount))
        from lineitem join part on l_partkey = p_partkey where l_shipdate >= timestamp '1995-09-01' and l_shipdate < timestamp '1995-10-01'""",
    "q18": """select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) l_quantity from customer join orders on c_custkey = o_custkey
        join lineitem on o_orderkey = l_orderkey where o_orderkey in (select l_orderkey from lineitem group by l_orderkey having sum(l_quantity) > 300)
        group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice order by o_totalprice desc, o_orderdate limit 100""",
}  # fmt: skip


class Tables:
    """Lazy frames by name."""

    def __init__(self, read, folder):
        self.read, self.folder = read, folder

    def __getattr__(self, name):
        return self.read(f"{self.folder}/{name}.parquet")


def muster(folder, question):
    import pandas as pd

    import muster.dataframe as dd

    return lambda: PROGRAMS[question](Tables(dd.read_parquet, folder), pd.Timestamp).compute()


def duckdb(folder, question):
    import duckdb as db

    for name in TABLES:
        db.sql(f"create view {name} as select * from '{folder}/{name}.parquet'")
    return lambda: db.sql(SQL[question]).to_arrow_table()


def polars(folder, question):
    import polars as pl

    tables = {name: pl.scan_parquet(f"{folder}/{name}.parquet") for name in TABLES}
    return lambda: pl.SQLContext(tables).execute(SQL[question]).collect()


if __name__ == "__main__":
    from timing import report

    _, system, question, folder, repeat = sys.argv
    report({"muster": muster, "polars": polars, "duckdb": duckdb}[system](folder, question), int(repeat))
