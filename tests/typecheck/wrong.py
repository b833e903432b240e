"""A program whose lines marked `# wrong` type checkers find, and no other."""

import muster
import muster.bag as db
import muster.dataframe as dd
from muster.distributed import Client


@muster.delayed
def inc(i: int) -> int:
    return i + 1


def rows(frame: dd.DataFrame) -> int:
    return len(frame)


df = dd.read_csv("*.csv")
grouped = df.groupby("k")
client = Client()

# A wrong argument.
dd.read_csv("*.csv", separator=";")  # wrong
dd.read_csv(3)  # wrong
dd.read_parquet("folder", column=["x"])  # wrong
df.head("five")  # wrong
df.round("a")  # wrong
df.drop(column="x")  # wrong
df.sum(axes=1)  # wrong
df.groupby(by="k", sorted=True)  # wrong
df.nlargest("x")  # wrong
df.repartition(n=2)  # wrong
df.compute(schedule="threads")  # wrong
df.to_parquet(df)  # wrong
df.to_csv("a.csv", separator=";")  # wrong
df.melt(ids=["x"])  # wrong
df.x.between(1)  # wrong
df.x.quantile("half")  # wrong
df.x.drop_duplicates(keep="some")  # wrong
df.x.sum().compute(workers=3)  # wrong
df.k.str.contains(1)  # wrong
df.t.dt.floor()  # wrong
grouped.x.std(dof=0)  # wrong
inc("a")  # wrong
inc(1, 2)  # wrong
inc(j=1)  # wrong
muster.compute(df, scheduler=3)  # wrong
muster.delayed(inc, nouts=2)  # wrong
db.from_sequence(3)  # wrong
db.from_sequence([1]).take("a")  # wrong
client.submit(3, 4)  # wrong

# A missing method or name.
df.sort_value("x")  # wrong
df.x.meen()  # wrong
df.x.sum().meen()  # wrong
df.k.str.lowr()  # wrong
df.t.dt.yaer  # wrong
grouped.x.summ()  # wrong
df.index.meen()  # wrong
df.shufle(on="k")  # wrong
dd.read_cvs("*.csv")  # wrong
muster.computed(df)  # wrong
db.from_sequence([1]).mapp(str)  # wrong
client.submitt(len, "ab")  # wrong

# A wrong type.
length: str = len(df)  # wrong
partitions: str = df.npartitions  # wrong
value: str = inc(1).compute()  # wrong
total: dd.Series = df.x.sum()  # wrong
several: dd.Scalar = df.sum()  # wrong
number: str = client.submit(len, "ab").result()  # wrong
items: list[str] = db.from_sequence([1, 2]).compute()  # wrong

# A Series used as a frame, and the other way round.
rows(df.x)  # wrong
rows(df["x"])  # wrong
rows(grouped.x.sum())  # wrong
column: dd.Series = df  # wrong
frame: dd.DataFrame = df.x  # wrong
df.x.columns  # wrong
df["x"].set_index("k")  # wrong
df.x.groupby("k").y  # wrong
df.x.iterrows()  # wrong
