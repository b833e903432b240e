"""Bag: a collection over one task per partition."""

import builtins
import functools
import itertools
import random as _random
from types import GenericAlias

from muster._base import registry
from muster._base.later import NotThereYet
from muster._base.tokenize import tokenize
from muster._base.units import positive_bytes
from muster._base.values import no_default
from muster._collections import running
from muster._collections.graphs import to_nodes
from muster.bag import _partitions
from muster.bag._files import to_textfiles
from muster.bag._item import Item, node
from muster.bag._partitions import reify, takes_multiple_arguments, total_mem_usage  # noqa: F401 (Dask has them here)
from muster.delayed import Delayed, funcname

_FAN_IN = 8


class Bag:
    """Python objects in partitions; made by `from_sequence`, `read_text`, `from_delayed`.

    Operations are lazy: `compute()` returns a list.

    Parameters
    ----------
    dsk : list of Delayed, or dict
        The partitions; or a raw graph, of which the keys (name, 0) to (name, npartitions - 1) are the partitions.
    name : str
        What plans call it.
    npartitions : int, optional
        Given with a raw graph only.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, dsk, name="bag", npartitions=None):
        parts = dsk
        if npartitions is not None:  # a raw graph with the keys (name, 0), (name, 1), ...
            keys = [(name, i) for i in builtins.range(npartitions)]
            nodes = to_nodes(parts, keys, Delayed)
            parts = [node(_partitions.reify, nodes[k], name=name) for k in keys]
        self._parts = list(parts)
        self._label, self._name = name, name if npartitions is not None else None
        self._content = (self._parts,)

    @property
    def name(self):
        """A name that says the content: equal for equal operations on equal bags."""
        unnamed = [self]
        while unnamed:  # not by recursion: programs map thousands of times
            bag = unnamed[-1]
            before = [c for c in bag._content if isinstance(c, Bag) and c._name is None] if bag._name is None else []
            if bag._name is None and not before:
                bag._name = f"{bag._label}-{tokenize(bag._label, *bag._content)}"
            unnamed.extend(before) if before else unnamed.pop()
        return self._name

    def __dask_tokenize__(self):
        return self.name

    @property
    def npartitions(self):
        """Number of partitions."""
        return len(self._parts)

    def __muster_node__(self):
        return node(_partitions.results, list(self._parts), name="bag")

    def __muster_nodes__(self):
        return self._parts

    def __muster_rebuild__(self, nodes):
        return Bag(nodes, self._label)

    def compute(self, **kwargs):
        """Return all items, a list."""
        return running.compute(self.__muster_node__(), traverse=False, **kwargs)[0]

    def persist(self, **kwargs):
        """Return the bag with its partitions computed: here at once, on a cluster in the background."""
        return running.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, **kwargs):
        """Draw the tasks; see `muster.visualize`."""
        return running.visualize(*self._parts, **kwargs)

    def to_delayed(self, optimize_graph=True):
        """Return a list of Delayed, one for each partition."""
        return list(self._parts)

    def __iter__(self):
        return iter(self.compute())

    def __repr__(self):
        return f"muster.bag<{self._label}, npartitions={self.npartitions}>"

    def _each(self, function, *args, name):
        return _made([node(function, *args, p, name=name) for p in self._parts], name, self, *args)

    # ---- item by item

    def map(self, func, *args, **kwargs):
        """Apply a function to each item; further bags of the same partitions give further arguments, Items and Delayed their values."""
        return map(func, self, *args, **kwargs)

    def starmap(self, func, **kwargs):
        """Apply func(*item) to each item."""
        return self._each(_partitions.starmapped, func, kwargs, name=f"starmap-{funcname(func)}")

    def filter(self, predicate):
        """Keep the items for which the predicate is true (None: those that are true themselves); or those where a bag of flags is."""
        if isinstance(predicate, Bag):
            return _made(
                [node(_partitions.filtered_by, p, q, name="filter") for p, q in builtins.zip(self._parts, predicate._parts, strict=True)], "filter", self,
                predicate
            )
        return self._each(_partitions.filtered, predicate, name=f"filter-{funcname(predicate)}")

    def remove(self, predicate):
        """Leave out the items for which the predicate is true."""
        return self._each(_partitions.removed, predicate, name=f"remove-{funcname(predicate)}")

    def pluck(self, key, default=no_default):
        """Take an element of each item: by key, index, or a list of these."""
        return self._each(_partitions.plucked, key, default, name="pluck")

    def flatten(self):
        """Put the items of the items in their place."""
        return self._each(_partitions.flattened, name="flatten")

    def map_partitions(self, func, *args, **kwargs):
        """Apply a function to each partition, a list; it returns an iterable."""
        return map_partitions(func, self, *args, **kwargs)

    def unzip(self, n):
        """Return n bags of the first, second, ... elements of the items."""
        return tuple(self.pluck(i) for i in builtins.range(n))

    def random_sample(self, prob, random_state=None):
        """Keep each item with a probability."""
        if not 0 <= prob <= 1:
            raise ValueError("prob must be a number in the interval [0, 1]")
        seed = random_state if not isinstance(random_state, _random.Random) else random_state.random()
        source = _random.Random(seed)
        states = [_random.Random(source.random()).getstate() for _ in self._parts]
        return _made(
            [node(_partitions.sampled, state, prob, p, name="random-sample") for state, p in builtins.zip(states, self._parts, strict=True)], "random-sample",
            self, prob, states
        )

    @property
    def str(self):
        """Methods of str for each item, such as ``bag.str.upper()``."""
        return StringAccessor(self)

    # ---- to one value

    def _tree(self, nodes, function, split_every=None, name="aggregate"):
        fan = _FAN_IN if split_every is None else split_every
        if fan is False or fan < 2:
            fan = len(nodes) or 1
        while len(nodes) > fan:
            nodes = [node(function, nodes[i : i + fan], name=name) for i in builtins.range(0, len(nodes), fan)]
        return node(function, nodes, name=name)

    def reduction(self, perpartition, aggregate, split_every=None, out_type=Item, name=None):
        """Reduce each partition, then the list of what came out, in a tree."""
        label = name or funcname(perpartition)
        return self._value(
            label, (perpartition, aggregate, split_every), [node(_partitions.reduce_part, perpartition, p, name=label) for p in self._parts], aggregate,
            split_every, out_type
        )

    def _value(self, label, content, nodes, aggregate, split_every=None, out_type=Item):
        """Return the Item or bag of what a tree of `aggregate` makes of nodes, under a name that says the content."""
        if out_type is not Item:
            return _made([self._tree(nodes, aggregate, split_every, label)], label, self, *content)
        return Item(self._tree(nodes, aggregate, split_every, label), (label, self, *content))

    def fold(self, binop, combine=None, initial=no_default, split_every=None, out_type=Item):
        """Fold all items with a binary operator; `combine` folds the partitions' results, default the same."""
        nodes = [node(_partitions.fold_some, binop, initial, p, name="fold") for p in self._parts]
        return self._value(
            "fold", (binop, combine, initial, split_every), nodes, functools.partial(_partitions.folded_parts, combine or binop, initial), False, out_type
        )

    def count(self, split_every=None):
        """Number of items."""
        return self.reduction(_partitions.count, builtins.sum, split_every, name="count")

    def sum(self, split_every=None):
        """Sum of the items."""
        return self.reduction(builtins.sum, builtins.sum, split_every, name="sum")

    def _pick(self, function, name):
        return self._value(
            name, (), [node(_partitions.some, function, p, name=name) for p in self._parts], functools.partial(_partitions.present, function), False
        )

    def max(self, split_every=None):
        """The greatest item."""
        return self._pick(builtins.max, "max")

    def min(self, split_every=None):
        """The least item."""
        return self._pick(builtins.min, "min")

    def any(self, split_every=None):
        """Whether any item is true."""
        return self.reduction(builtins.any, builtins.any, split_every, name="any")

    def all(self, split_every=None):
        """Whether all items are true."""
        return self.reduction(builtins.all, builtins.all, split_every, name="all")

    def mean(self):
        """Mean of the items."""
        return self._value("mean", (), [node(_partitions.moments, p, name="mean") for p in self._parts], _partitions.mean_of, False)

    def var(self, ddof=0):
        """Variance of the items; `ddof` is taken from the number in the divisor."""
        return self._value(
            "var", (ddof,), [node(_partitions.moments, p, name="var") for p in self._parts], functools.partial(_partitions.var_of, ddof, False), False
        )

    def std(self, ddof=0):
        """Standard deviation of the items."""
        return self._value(
            "std", (ddof,), [node(_partitions.moments, p, name="std") for p in self._parts], functools.partial(_partitions.var_of, ddof, True), False
        )

    # ---- to bags

    def frequencies(self, split_every=None, normalize=False, sort=False):
        """Pairs of item and how often it is there."""
        counts = self._tree([node(_partitions.frequencies, p, name="frequencies") for p in self._parts], _partitions.summed, split_every, "frequencies")
        bag = _made([node(_partitions.sorted_items if sort else _partitions.items, counts, name="frequencies")], "frequencies", self, split_every, sort)
        if normalize:
            return bag.map_partitions(_partitions.shares)
        return bag

    def topk(self, k, key=None, split_every=None):
        """The k greatest items, by a key function or an element if given; the greatest first."""
        nodes = [node(_partitions.top, k, key, p, name="topk") for p in self._parts]
        return _made([self._tree(nodes, functools.partial(_partitions.top_of, k, key), split_every, "topk")], "topk", self, k, key, split_every)

    def distinct(self, key=None):
        """Each item once; with a key the first item of each key."""
        nodes = [node(_partitions.distinct, key, p, name="distinct") for p in self._parts]
        return _made([node(_partitions.distinct, key, node(_partitions.together, nodes, name="distinct"), name="distinct")], "distinct", self, key)

    def foldby(self, key, binop, initial=no_default, combine=None, combine_initial=no_default, split_every=None):
        """Fold the items of each key: pairs of key and result."""
        nodes = [node(_partitions.by_key, key, binop, initial, p, name="foldby") for p in self._parts]
        merge = functools.partial(_partitions.merged_keys, combine or binop, combine_initial)
        return _made(
            [node(_partitions.items, self._tree(nodes, merge, split_every, "foldby"), name="foldby")], "foldby", self, key, binop, initial, combine,
            combine_initial, split_every
        )

    def groupby(self, grouper, method=None, npartitions=None, blocksize=2**20, max_branch=None, shuffle=None):
        """Pairs of key and the list of its items. All items move: `foldby` is better where it can be used."""
        count = npartitions or self.npartitions
        split = [node(_partitions.grouped, grouper, count, p, name="groupby-split") for p in self._parts]
        return _made([node(_partitions.group_of, i, *split, name="groupby") for i in builtins.range(count)], "groupby", self, grouper, count)

    def join(self, other, on_self, on_other=None):
        """Pairs (item of `other`, own item) with equal keys; `other` is an iterable, a Delayed or a bag of one partition."""
        if isinstance(other, Bag):
            if other.npartitions != 1:
                raise NotImplementedError("join with a bag of several partitions; use other.repartition(1)")
            other = other._parts[0]
        return self._each(
            _partitions.joined, _partitions.key_function(on_self), _partitions.key_function(on_self if on_other is None else on_other), other, name="join"
        )

    def product(self, other):
        """Pairs of every own item and every item of another bag."""
        return _made([node(_partitions.product, p, q, name="product") for p in self._parts for q in other._parts], "product", self, other)

    def accumulate(self, binop, initial=no_default):
        """Running results of a binary operator."""
        parts, before = [], initial
        for i, p in enumerate(self._parts):
            both = node(_partitions.accumulated, binop, i == 0, p, before, name="accumulate")
            parts.append(both[0])
            before = both[1]
        return _made(parts, "accumulate", self, binop, initial)

    def take(self, k, npartitions=1, compute=True, warn=True):
        """The first k items, a tuple: of the first `npartitions` partitions, -1 for all."""
        if npartitions > self.npartitions:
            raise ValueError(f"only {self.npartitions} partitions, take received {npartitions}")
        parts = self._parts if npartitions <= -1 else self._parts[:npartitions]
        taken = node(_partitions.taken, k, warn, *parts, name="take")
        return running.compute(taken, traverse=False)[0] if compute else _made([taken], "take", self, k, npartitions)

    def repartition(self, npartitions=None, partition_size=None):
        """The same items in another number of partitions."""
        if (npartitions is None) == (partition_size is None):
            raise ValueError("Please provide either the `npartitions` or `partition_size` argument")
        if partition_size is not None:
            size = positive_bytes(partition_size, "partition_size")
            sizes = running.compute(*[node(_partitions.total_mem_usage, p, name="size") for p in self._parts])
            npartitions = builtins.max(1, -(-builtins.sum(sizes) // size))
        old = self.npartitions
        if npartitions == old:
            return self
        if npartitions < old:
            cuts = [round(old * i / npartitions) for i in builtins.range(npartitions + 1)]
            return _made(
                [node(_partitions.together, self._parts[a:b], name="repartition") for a, b in itertools.pairwise(cuts)], "repartition", self, npartitions
            )
        counts = [npartitions // old + (i < npartitions % old) for i in builtins.range(old)]
        parts = []
        for p, n in builtins.zip(self._parts, counts, strict=True):
            parts.extend(node(_partitions.slice_of, p, i, n, name="repartition") for i in builtins.range(n))
        return _made(parts, "repartition", self, npartitions)

    def to_textfiles(self, path, name_function=None, compression="infer", encoding="utf-8", compute=True, storage_options=None, last_endline=False, **kwargs):
        """Write each partition to a file of lines; see `muster.bag.to_textfiles`."""
        return to_textfiles(self, path, name_function, compression, encoding, compute, storage_options, last_endline, **kwargs)

    def to_dataframe(self, meta=None, columns=None, optimize_graph=True):
        """Return a DataFrame of the items: dicts, tuples or values.

        Parameters
        ----------
        meta : empty DataFrame, dict or list of pairs, optional
            Names and dtypes; default: guessed from the first item, which is computed.
        columns : list, optional
        """
        return registry.given("frame_of_bag")(self, meta, columns)

    def __getattr__(self, name):
        if name == "to_avro":
            raise NotThereYet("Bag.to_avro is not there yet")
        raise AttributeError(f"'Bag' object has no attribute {name!r}")


class _StringMethod:
    """Calls a method of a text."""

    def __init__(self, name, args, kwargs):
        self.__name__, self.args, self.kwargs = name, args, kwargs

    def __call__(self, text):
        return getattr(text, self.__name__)(*self.args, **self.kwargs)


class StringAccessor:
    """Methods of str for each item."""

    def __init__(self, bag):
        self._bag = bag

    def __getattr__(self, name):
        if name.startswith("_") or not hasattr(builtins.str, name):
            raise AttributeError(f"'StringAccessor' object has no attribute {name!r}")

        def method(*args, **kwargs):
            return self._bag.map(_StringMethod(name, args, kwargs))

        return method

    def match(self, pattern):
        """Keep the items that fit a pattern of fnmatch."""
        from fnmatch import fnmatch

        return self._bag.filter(functools.partial(_partitions.fits, fnmatch, pattern))

    def __dir__(self):
        return [n for n in dir(builtins.str) if not n.startswith("_")] + ["match"]


def _made(parts, label, *content):
    """Return a bag whose name says what it is made of."""
    out = Bag(parts, label)
    out._content = content
    return out


def _bags(function, args, kwargs):
    """Return the bags among arguments: {place or name: bag}."""
    found = {i: a for i, a in enumerate(args) if isinstance(a, Bag)} | {k: v for k, v in kwargs.items() if isinstance(v, Bag)}
    if not found:
        raise ValueError(f"{function}: at least one argument must be a Bag")
    if len({b.npartitions for b in found.values()}) > 1:
        raise ValueError(f"{function}: all bags must have the same number of partitions")
    return found


def map(func, *args, **kwargs):
    """Apply a function to the items of bags; see `Bag.map`."""
    bags = _bags("map", args, kwargs)
    label, zipped = funcname(func), list(bags)
    rest, keywords = [None if i in bags else a for i, a in enumerate(args)], {k: v for k, v in kwargs.items() if k not in bags}
    parts = builtins.zip(*(b._parts for b in bags.values()), strict=True)
    return _made([node(_partitions.mapped, func, rest, keywords, zipped, *p, name=label) for p in parts], label, func, *args, *kwargs.items(), *bags.values())


def map_partitions(func, *args, **kwargs):
    """Apply a function to the partitions of bags; see `Bag.map_partitions`."""
    bags = _bags("map_partitions", args, kwargs)
    label = funcname(func)

    def at(value, i):
        return value._parts[i] if isinstance(value, Bag) else value

    n = next(iter(bags.values())).npartitions
    parts = [node(_partitions.part_of, func, tuple(at(a, i) for a in args), {k: at(v, i) for k, v in kwargs.items()}, name=label) for i in builtins.range(n)]
    return _made(parts, label, "partitions", func, *args, *kwargs.items(), *bags.values())


def zip(*bags):
    """Return the bag of tuples of the items of bags of the same partitions."""
    if len({b.npartitions for b in bags}) != 1:
        raise ValueError("All bags must have the same number of partitions")
    return _made([node(_partitions.zipped, *(b._parts[i] for b in bags), name="zip") for i in builtins.range(bags[0].npartitions)], "zip", *bags)


def concat(bags):
    """Return the bag of all items of several bags, one after the other."""
    bags = list(bags)
    return _made([p for b in bags for p in b._parts], "concat", *bags)
