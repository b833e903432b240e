"""Bags against plain Python."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gzip
import itertools
import operator
import statistics
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muster
import muster.bag as db
from muster import delayed

NUMBERS = list(range(25))


@pytest.fixture(params=[1, 3, 25])
def numbers(request):
    return db.from_sequence(NUMBERS, npartitions=request.param)


def even(x):
    return x % 2 == 0


def as_other_object(text):
    return "".join(list(text))


def test_item_by_item(numbers):
    assert numbers.compute() == NUMBERS and list(numbers) == NUMBERS
    assert numbers.map(lambda x: x + 1).filter(even).compute() == [x + 1 for x in NUMBERS if even(x + 1)]
    assert numbers.remove(even).compute() == [x for x in NUMBERS if not even(x)]
    assert numbers.map(operator.add, 5).compute() == [x + 5 for x in NUMBERS]
    assert numbers.map(operator.add, numbers).compute() == [2 * x for x in NUMBERS]
    assert numbers.map(lambda x, y=0: x - y, y=numbers.max()).compute() == [x - 24 for x in NUMBERS]
    assert numbers.map(lambda x, y=0: x - y, y=numbers).compute() == [0] * 25
    assert db.map(pow, numbers, 2).compute() == [x**2 for x in NUMBERS]
    pairs = numbers.map(lambda x: (x, {"a": x}))
    assert pairs.pluck(0).compute() == NUMBERS and pairs.pluck(1).pluck("a").compute() == NUMBERS
    assert pairs.pluck(1).pluck("b", None).compute() == [None] * 25
    assert pairs.pluck([0, 0]).compute() == [(x, x) for x in NUMBERS]
    assert pairs.starmap(lambda x, d: x + d["a"]).compute() == [2 * x for x in NUMBERS]
    a, b = pairs.unzip(2)
    assert a.compute() == NUMBERS and b.pluck("a").compute() == NUMBERS
    assert numbers.map(lambda x: [x] * 2).flatten().compute() == [x for x in NUMBERS for _ in range(2)]
    assert numbers.map_partitions(lambda part: [sum(part)]).sum().compute() == sum(NUMBERS)
    assert numbers.filter(numbers.map(even)).compute() == [x for x in NUMBERS if even(x)]
    assert db.zip(numbers, numbers).compute() == [(x, x) for x in NUMBERS]
    assert db.concat([numbers, numbers]).compute() == NUMBERS * 2


def test_to_one_value(numbers):
    assert (numbers.sum().compute(), numbers.count().compute(), numbers.max().compute(), numbers.min().compute()) == (300, 25, 24, 0)
    assert numbers.mean().compute() == statistics.mean(NUMBERS)
    assert numbers.var().compute() == pytest.approx(statistics.pvariance(NUMBERS)) and numbers.std(ddof=1).compute() == pytest.approx(statistics.stdev(NUMBERS))
    assert numbers.any().compute() is True and numbers.all().compute() is False
    assert numbers.fold(operator.add).compute() == 300 and numbers.fold(operator.add, initial=10).compute() == 300 + 10 * numbers.npartitions
    assert numbers.fold(lambda total, x: total + [x], operator.add, []).compute() == NUMBERS
    assert numbers.reduction(sum, sum).compute() == 300 and numbers.reduction(sum, sum, split_every=2).compute() == 300
    assert int(numbers.sum()) == 300 and float(numbers.sum()) == 300.0 and bool(numbers.sum())
    assert numbers.sum().apply(lambda x: -x).compute() == -300
    assert muster.compute(numbers.sum(), numbers.count(), [numbers.max()]) == (300, 25, [24])
    assert (numbers.sum().to_delayed() + 1).compute() == 301
    assert db.Item.from_delayed(delayed(5)).compute() == 5
    assert delayed(len)(numbers).compute() == 25


def test_keys(numbers):
    words = numbers.map(lambda x: "abc"[x % 3])
    assert dict(words.frequencies()) == collections.Counter("abc"[x % 3] for x in NUMBERS)
    assert words.frequencies(sort=True).compute()[0] == ("a", 9)
    assert dict(words.frequencies(normalize=True))["a"] == 9 / 25
    assert numbers.topk(3).compute() == [24, 23, 22] and numbers.topk(2, key=lambda x: -x).compute() == [0, 1]
    assert sorted(words.distinct()) == ["a", "b", "c"]
    assert numbers.distinct(key=even).compute() == [0, 1]
    assert dict(numbers.foldby(even, operator.add, 0)) == {True: 156, False: 144}
    assert dict(numbers.foldby(even, lambda n, x: n + 1, 0, operator.add, 0)) == {True: 13, False: 12}
    assert {k: sorted(v) for k, v in numbers.groupby(lambda x: x % 4)} == {k: [x for x in NUMBERS if x % 4 == k] for k in range(4)}
    assert {k: len(v) for k, v in words.groupby(lambda w: w, npartitions=2)} == {"a": 9, "b": 8, "c": 8}
    assert sorted(numbers.join([1, 2, 30], on_self=lambda x: x)) == [(1, 1), (2, 2)]
    assert sorted(numbers.product(numbers)) == sorted(itertools.product(NUMBERS, NUMBERS))
    assert numbers.accumulate(operator.add).compute() == list(itertools.accumulate(NUMBERS))
    assert numbers.accumulate(operator.add, 100).compute() == list(itertools.accumulate(NUMBERS, initial=100))


def test_partitions(numbers):
    for n in (1, 2, 7, 30):
        again = numbers.repartition(n)
        assert again.npartitions == n and again.compute() == NUMBERS
    assert numbers.repartition(partition_size="1kB").compute() == NUMBERS
    assert [x for p in muster.compute(*numbers.to_delayed()) for x in p] == NUMBERS
    assert db.from_delayed(numbers.to_delayed()).compute() == NUMBERS
    assert numbers.persist().sum().compute() == 300
    assert db.range(25, npartitions=4).compute() == NUMBERS and db.range(25, npartitions=4).npartitions == 4
    with pytest.raises(ValueError, match="repartition|npartitions"):
        numbers.repartition()
    with pytest.raises(ValueError, match="partitions"):
        numbers.map(operator.add, db.from_sequence(NUMBERS, npartitions=7))


def test_take(numbers):
    assert numbers.take(1) == (0,)
    assert numbers.take(7, npartitions=-1) == tuple(range(7))
    assert numbers.take(2, npartitions=-1, compute=False).compute() == [0, 1]
    with pytest.raises(ValueError, match="only"):
        numbers.take(1, npartitions=99)
    with pytest.warns(UserWarning, match="Insufficient"):
        db.from_sequence([1], npartitions=1).take(5)


def test_text(tmp_path):
    for name, text in (("a.txt", "one\ntwo\nthree"), ("b.txt", "four\nfünf\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with gzip.open(tmp_path / "c.gz", "wt") as file:
        file.write("packed\nlines\n")
    bag = db.read_text(str(tmp_path / "*.txt"))
    assert bag.npartitions == 2 and bag.str.strip().compute() == ["one", "two", "three", "four", "fünf"]
    assert bag.str.strip().str.upper().take(1) == ("ONE",)
    assert bag.str.strip().str.match("*ee").compute() == ["three"]
    for blocksize in (1, 3, 5, 100):
        assert db.read_text(str(tmp_path / "*.txt"), blocksize=blocksize).str.strip().compute() == ["one", "two", "three", "four", "fünf"]
    assert db.read_text(str(tmp_path / "c.gz")).compute() == ["packed\n", "lines\n"]
    assert db.read_text([str(tmp_path / "a.txt")], include_path=True).pluck(1).distinct().compute() == [str(tmp_path / "a.txt")]
    assert db.read_text(str(tmp_path / "a.txt"), linedelimiter="t").compute() == ["one\nt", "wo\nt", "hree"]
    assert db.read_text(str(tmp_path / "*.txt"), files_per_partition=2).npartitions == 1
    with pytest.raises(OSError, match="nothing"):
        db.read_text(str(tmp_path / "nothing.txt"))
    with pytest.raises(OSError):
        db.read_text(str(tmp_path / "nothing*.txt"))
    paths = bag.str.strip().to_textfiles(str(tmp_path / "out" / "*.gz"))
    assert len(paths) == 2 and db.read_text(paths).str.strip().compute() == ["one", "two", "three", "four", "fünf"]
    assert db.read_text(bag.str.strip().to_textfiles(str(tmp_path / "plain"))).count().compute() == 5
    with pytest.raises(TypeError, match="texts"):
        db.from_sequence([1]).to_textfiles(str(tmp_path / "bad"))


ENCODINGS = {"utf-8": "ünï", "utf-8-sig": "é", "utf-16": "ਊĀ\u0d00", "utf-16-be": "ਊ\u0a0a", "utf-32": "あ", "latin-1": "é", "shift_jis": "あ", "gb18030": "中"}


@given(data=st.data())
def test_blocks_are_the_file(data, tmp_path_factory):
    encoding = data.draw(st.sampled_from(list(ENCODINGS)))
    wide = encoding in ("shift_jis", "gb18030")
    delimiter = data.draw(st.sampled_from([None, "\n", "\r\n"] + ([] if wide else ["--", "aa", "aba", "|||", "ab"] + ["é§"] * (encoding != "utf-16-be"))))
    pieces = [*"ab-|\n\rx", *ENCODINGS[encoding], delimiter or "\n", (delimiter or "\n")[0]]
    text = "".join(data.draw(st.lists(st.sampled_from(pieces), max_size=30)))
    path = str(tmp_path_factory.mktemp("blocks") / "lines.txt")
    with open(path, "wb") as file:
        file.write(text.encode(encoding))
    expected = db.read_text(path, linedelimiter=delimiter, encoding=encoding).compute(scheduler="synchronous")
    for size in range(1, len(text.encode(encoding)) + 2):
        found = db.read_text(path, blocksize=size, linedelimiter=delimiter, encoding=encoding).compute(scheduler="synchronous")
        assert found == expected, size
    packed = path + ".gz"
    with gzip.open(packed, "wb") as file:
        file.write(text.encode(encoding))
    assert db.read_text(packed, linedelimiter=delimiter, encoding=encoding).compute(scheduler="synchronous") == expected


def test_blocks_of_long_lines(tmp_path):
    path = tmp_path / "long.txt"
    lines = ["x" * 70_000 + "--", "-" * 65_535 + "y--", "z" * 131_071 + "--", "end"]
    path.write_text("".join(lines))
    expected = db.read_text(str(path), linedelimiter="--").compute()
    for size in (65_536, 65_537, 131_072):
        assert db.read_text(str(path), blocksize=size, linedelimiter="--").compute() == expected


def test_blocks_that_cannot_be_cut(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\n")
    for encoding, delimiter in (("utf-7", None), ("iso2022_jp", "\n"), ("shift_jis", "|"), ("big5", "a")):
        with pytest.raises(ValueError, match=f"{encoding}.*blocksize=None"):
            db.read_text(str(path), blocksize=5, encoding=encoding, linedelimiter=delimiter)
    with pytest.raises(ValueError, match="at least one byte"):
        db.read_text(str(path), blocksize=0)


def test_raw_graphs():
    bag = db.Bag({("x", 0): (range, 3), ("x", 1): (list, "y"), "y": (sorted, [5, 4])}, "x", 2)
    assert bag.npartitions == 2 and bag.name == "x" and bag.map(lambda v: v + 1).compute() == [1, 2, 3, 5, 6]
    with pytest.raises(KeyError, match="z"):
        db.Bag({}, "z", 1)
    zeros = db.from_sequence([0, 0, 1], npartitions=2).filter(None)
    assert zeros.compute() == [1] and zeros.min().compute() == 1


def test_dataframes():
    records = db.from_sequence([{"name": n, "x": i} for i, n in enumerate("abcde")], npartitions=2)
    expected = pd.DataFrame({"name": list("abcde"), "x": range(5)})
    got = records.to_dataframe().compute()
    assert got.x.tolist() == expected.x.tolist() and got.name.tolist() == expected.name.tolist()
    assert db.from_sequence([(1, 2.5), (3, 4.5)], npartitions=2).to_dataframe(columns=["a", "b"]).b.sum().compute() == 7
    assert db.from_sequence([1, 2], npartitions=2).to_dataframe(meta={"v": "float64"}).v.dtype == "float64"


def test_from_delayed_frames():
    import muster.dataframe as dd

    parts = [delayed(pd.DataFrame)({"x": [i, i + 1], "s": [str(i)] * 2}) for i in range(4)]
    df = dd.from_delayed(parts)
    assert df.npartitions == 4 and df.x.sum().compute() == 16 and df.s.nunique().compute() == 4
    back = muster.compute(*df.to_delayed())
    assert [len(p) for p in back] == [2] * 4
    assert df[df.x > 3].compute().x.tolist() == [4]
    with pytest.raises(ValueError, match="mismatch"):
        dd.from_delayed([parts[0], delayed(pd.DataFrame)({"y": [1]})]).compute()
    with pytest.raises(TypeError, match="Delayed"):
        dd.from_delayed([pd.DataFrame({"x": [1]})])


def test_sampling_repeats():
    bag = db.from_sequence(range(1000), npartitions=4)
    a = bag.random_sample(0.3, 5).compute()
    assert a == bag.random_sample(0.3, 5).compute() and 200 < len(a) < 400 and set(a) < set(range(1000))
    with pytest.raises(ValueError, match="prob"):
        bag.random_sample(2)


class Fold:
    """Equal without regard to case, as only it knows."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return self.text.lower() == other.text.lower()

    def __hash__(self):
        return hash(self.text.lower())


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_equal_keys_are_one_group(scheduler):
    class Kind(enum.Enum):
        A = "a"
        B = 2

    @dataclasses.dataclass(frozen=True)
    class Part:
        text: str
        seen: int = dataclasses.field(default=0, compare=False)

    keys = [
        lambda i: ("ab", "ab" if i % 2 else as_other_object("ab")),
        lambda i: [1, 1.0, True, decimal.Decimal(1), fractions.Fraction(1), complex(1)][i % 6],
        lambda i: [1, 1.0, True, np.int64(1), np.float32(1), np.bool_(True)][i % 6],
        lambda i: (1,) if i % 2 else (1.0,),
        lambda i: frozenset(["x", "yy", "zzz"] if i % 2 else ["zzz", "yy", "x"]),
        lambda i: pd.Timestamp("2020") if i % 2 else datetime.datetime(2020, 1, 1),
        lambda i: Part("x", i),
        lambda i: Fold("ab" if i % 2 else "AB"),
        lambda i: Kind.A,
        lambda i: uuid.UUID(int=5),
        lambda i: None,
    ]
    for number, key in enumerate(keys):
        found = db.from_sequence(range(28), npartitions=7).groupby(key, npartitions=5).compute(scheduler=scheduler)
        assert [sorted(v) for _, v in found] == [list(range(28))], number
    two = db.from_sequence(range(8), npartitions=4).groupby(lambda i: Kind.A if i % 2 else Kind.B).compute(scheduler=scheduler)
    assert sorted((k.name, sorted(v)) for k, v in two) == [("A", [1, 3, 5, 7]), ("B", [0, 2, 4, 6])]


def test_on_a_cluster(client, tmp_path):
    bag = db.from_sequence(NUMBERS, npartitions=5)
    assert bag.map(lambda x: x + 1).filter(even).sum().compute() == sum(x + 1 for x in NUMBERS if even(x + 1))
    assert {k: len(v) for k, v in bag.map(str).groupby(len).compute()} == {1: 10, 2: 15}
    assert client.compute(bag.count()).result() == 25
    assert bag.persist().topk(1).compute() == [24]
    kept = client.persist(bag)
    assert kept.npartitions == 5 and kept.count().compute() == 25
    both = client.persist([bag, bag.sum()])
    assert both[0].max().compute() == 24 and both[1].compute() == 300
    assert functools.reduce(operator.add, bag.map_partitions(lambda p: [len(p)]).compute()) == 25
    import muster.dataframe as dd

    df = dd.from_delayed([delayed(pd.DataFrame)({"x": [i]}) for i in range(3)], meta={"x": "int64"})
    assert df.x.sum().compute() == 3
    assert dd.from_delayed(client.map(lambda i: pd.DataFrame({"x": [i]}), range(3))).x.max().compute() == 2


def test_many_failures_in_graphs_of_levels(python):
    program = """
import json
import muster
import muster.bag as mb
lines = ['{"a": %d}' % i for i in range(3000)]
lines[1700] = "broken"
for _ in range(20):
    try:
        mb.from_sequence(lines, npartitions=60).map(json.loads).pluck("a").map(lambda x: [x]).fold(lambda a, b: a + b, initial=[]).compute(scheduler="threads")
    except json.JSONDecodeError:
        pass
    else:
        raise SystemExit("nothing was raised")
    @muster.delayed
    def level(*inputs, n=0):
        if n % 7 == 3:
            raise KeyError(n)
        return [n, inputs]
    first = [level(n=n) for n in range(40)]
    second = [level(*first[i : i + 5], n=i) for i in range(0, 40)]
    try:
        muster.compute(*[level(*second[i : i + 5], n=0) for i in range(40)], scheduler="threads")
    except KeyError:
        pass
    else:
        raise SystemExit("nothing was raised")
print("alive")
"""
    assert python(program).stdout == "alive\n"


def test_names_say_the_content():
    def bag():
        return db.from_sequence([3, 1, 2, 2], npartitions=2)

    operations = [
        lambda b: b, lambda b: b.map(abs), lambda b: b.map(max, b), lambda b: b.map(max, 1), lambda b: b.filter(bool), lambda b: b.pluck(0), lambda b: b.pluck(
            0, None
        ), lambda b: b.repartition(1), lambda b: b.repartition(4), lambda b: b.groupby(abs),
        lambda b: b.accumulate(max), lambda b: b.accumulate(max, 1), lambda b: b.frequencies(), lambda b: b.frequencies(
            split_every=2
        ), lambda b: b.topk(2), lambda b: b.topk(2, abs), lambda b: b.product(b), lambda b: b.str.match("a*"), lambda b: b.str.match("b*"),
        lambda b: b.random_sample(0.5, 1), lambda b: b.random_sample(0.5, 2), lambda b: b.map_partitions(len), lambda b: db.concat(
            [b, b]
        ), lambda b: db.zip(b, b), lambda b: b.take(1, compute=False), lambda b: b.distinct(), lambda b: b.foldby(abs, max),
    ]  # fmt: skip
    assert [f(bag()).name for f in operations] == [f(bag()).name for f in operations]
    assert len({f(bag()).name for f in operations}) == len(operations)
    assert bag().name != db.from_sequence([3, 1, 2, 3], npartitions=2).name and bag().random_sample(0.5).name != bag().random_sample(0.5).name
    values = [
        lambda b: b.sum(), lambda b: b.max(), lambda b: b.any(), lambda b: b.fold(max), lambda b: b.fold(max, initial=1), lambda b: b.var(),
        lambda b: b.var(ddof=1), lambda b: b.reduction(len, sum)
    ]
    assert [f(bag()).key for f in values] == [f(bag()).key for f in values] and len({f(bag()).key for f in values}) == len(values)


def test_names_of_long_chains():
    b = db.range(4, 2)
    for _ in range(2000):
        b = b.map(abs)
    assert b.name.startswith("abs-")


def test_map_takes_bags_anywhere():
    def add(a=1, b=2, c=3):
        return a * 100 + b * 10 + c

    x, y = db.range(4, 2), db.range(8, 2).filter(lambda i: i % 2)
    lazy, item = muster.delayed(7), db.range(4, 2).sum()
    assert db.map(add, a=x).compute() == [add(i) for i in range(4)]
    assert db.map(add, 5, b=x).compute() == [add(5, i) for i in range(4)]
    assert db.map(add, item, b=x, c=y).compute() == [add(6, i, j) for i, j in zip(range(4), (1, 3, 5, 7), strict=True)]
    assert x.map(add, lazy, c=y).compute() == db.map(add, x, b=lazy, c=y).compute() == [add(i, 7, j) for i, j in zip(range(4), (1, 3, 5, 7), strict=True)]
    assert db.map_partitions(lambda n, part: [n + len(list(part))], 10, x).compute() == [12, 12]
    with pytest.raises(ValueError, match="at least one argument must be a Bag"):
        db.map(add, item, 1)
    with pytest.raises(ValueError, match="identically partitioned"):
        x.map(add, c=db.range(6, 2)).compute()


def test_results_that_are_iterators():
    b = db.from_sequence([[1, 2], [3]], npartitions=2)
    assert b.map(lambda part: (i + 1 for i in part)).compute() == [[2, 3], [4]]
    each = b.map_partitions(lambda part: (sum(i) for i in part))
    assert muster.compute(each.sum(), each.count(), each) == (6, 2, [3, 3])  # read three times
    assert b.map_partitions(len).compute() == [1, 1] and b.map_partitions(lambda part: "text").compute() == ["text", "text"]


def test_topk_by_a_function_of_elements():
    b = db.from_sequence([(1, 10), (2, 9), (3, 8)], npartitions=2)
    assert b.topk(2, key=lambda a, b: b).compute() == [(1, 10), (2, 9)] and b.topk(1, key=lambda pair: pair[0]).compute() == [(3, 8)]


def test_no_tree_of_partial_results():
    seen = []
    b = db.range(40, 20)
    assert b.reduction(sum, lambda parts: seen.append(len(list(parts))) or 0, split_every=False).compute(scheduler="sync") == 0 and seen == [20]


def test_parts_of_a_size():
    b = db.from_sequence([bytes(1000)] * 40, npartitions=1)
    assert b.repartition(partition_size=10_000).npartitions >= 4 and b.repartition(partition_size="1MB").npartitions == 1
    with pytest.raises(ValueError, match="partition_size must be at least 1 byte, got 0"):
        b.repartition(partition_size=0)
