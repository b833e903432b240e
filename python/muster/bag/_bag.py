"""Bag and Item: collections over one task per partition."""

import builtins
import collections
import functools
import heapq
import inspect
import itertools
import math
import operator
import random as _random
from collections.abc import Iterable, Iterator
from types import GenericAlias

from muster import _run
from muster._call import no_default
from muster._tokenize import tokenize
from muster.delayed import Delayed, funcname

_FAN_IN = 8


def _node(function, *args, name=None, **kwargs):
    """Return the task function(*args, **kwargs)."""
    from muster._tasks import pack

    arguments, keywords, nested = pack(args, kwargs)
    return Delayed(None, function, arguments, keywords, nested, None, name or funcname(function))


class Item:
    """A single lazy value, such as a bag's sum."""

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, node, content=None):
        self._node, self._content = node, content

    @staticmethod
    def from_delayed(value):
        """Return the Item of a Delayed."""
        from muster.delayed import delayed

        return Item(delayed(value))

    @property
    def key(self):
        """A name that says the content: equal for equal operations on equal bags."""
        return self._node.key if self._content is None else f"{self._content[0]}-{tokenize(*self._content)}"

    def __dask_tokenize__(self):
        return self.key

    def __muster_node__(self):
        return self._node

    def __muster_nodes__(self):
        return [self._node]

    def __muster_rebuild__(self, nodes):
        return Item(nodes[0])

    def compute(self, **kwargs):
        """Return the value."""
        return _run.compute(self._node, traverse=False, **kwargs)[0]

    def persist(self, **kwargs):
        """Return an Item whose value is computed."""
        return _run.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, **kwargs):
        """Draw the tasks; see `muster.visualize`."""
        return _run.visualize(self._node, **kwargs)

    def apply(self, func):
        """Return the Item func(value)."""
        return Item(_node(func, self._node))

    def to_delayed(self, optimize_graph=True):
        """Return the Delayed."""
        return self._node

    def __int__(self):
        return int(self.compute())

    def __float__(self):
        return float(self.compute())

    def __complex__(self):
        return complex(self.compute())

    def __bool__(self):
        return bool(self.compute())

    def __repr__(self):
        return f"<muster Item: {self._node.key}>"


# ---- what tasks run; each takes a partition, any iterable, and returns a list


def _mapped(func, args, kwargs, zipped, *parts):
    """Call a function item by item: those of partition number i go to the argument or keyword zipped[i]."""
    parts = [p if isinstance(p, list) else list(p) for p in parts]
    if len({len(p) for p in parts}) > 1:
        raise ValueError("map called with multiple bags that aren't identically partitioned. Please ensure that all bag arguments have the same partition lengths")
    if zipped == [0] and len(args) == 1:
        return _kept([func(x, **kwargs) for x in parts[0]])
    out, args = [], list(args)
    for values in builtins.zip(*parts, strict=True):
        keywords = kwargs
        for place, value in builtins.zip(zipped, values, strict=True):
            if isinstance(place, int):
                args[place] = value
            else:
                keywords = {**keywords, place: value}
        out.append(func(*args, **keywords))
    return _kept(out)


def _kept(items):
    """Return items; iterators, which could be read once only, become lists."""
    return [list(x) for x in items] if items and isinstance(items[0], Iterator) else items


def _filtered(predicate, part):
    return list(builtins.filter(predicate, part))


def _filtered_by(part, flags):
    return [x for x, keep in builtins.zip(part, flags, strict=True) if keep]


def _removed(predicate, part):
    return [x for x in part if not predicate(x)]


def _plucked(key, default, part):
    if type(key) is list:
        return [tuple(_get(x, k, default) for k in key) for x in part]
    return [_get(x, key, default) for x in part]


def _get(x, key, default):
    if default is no_default:
        return x[key]
    try:
        return x[key]
    except (KeyError, IndexError):
        return default


def _flattened(part):
    return [x for inner in part for x in inner]


def reify(part):
    """Return the items of a partition, a list."""
    return _kept(part if isinstance(part, list) else list(part))


def _starmapped(func, kwargs, part):
    return [func(*x, **kwargs) for x in part]


def _part_of(func, args, kwargs):
    out = func(*args, **kwargs)
    return list(out) if isinstance(out, Iterator) else out  # it may be read more than once


def _together(parts):
    return [x for p in parts for x in p]


def _results(parts):
    """Return the items of partitions; what map_partitions made that is no collection of items is one itself."""
    return _kept([x for p in parts for x in (p if isinstance(p, Iterable) and not isinstance(p, str) else (p,))])


def _taken(k, warn, *parts):
    import warnings

    out = list(itertools.islice(itertools.chain.from_iterable(parts), k))
    if warn and len(out) < k:
        warnings.warn(f"Insufficient elements for `take`. {k} elements requested, only {len(out)} elements available. Try passing larger `npartitions` to `take`.", stacklevel=2)
    return tuple(out)


def _folded(binop, initial, part):
    return functools.reduce(binop, part) if initial is no_default else functools.reduce(binop, part, initial)


def _folded_parts(combine, initial, parts):
    parts = [p[0] for p in parts if p]
    if not parts:
        if initial is no_default:
            raise TypeError("reduce() of empty iterable with no initial value")
        return initial
    return functools.reduce(combine, parts)


def _fold_some(binop, initial, part):
    part = list(part)
    return [_folded(binop, initial, part)] if part or initial is not no_default else []


def _by_key(key, binop, initial, part):
    out = {}
    key = _key_function(key)
    for x in part:
        k = key(x)
        if k in out:
            out[k] = binop(out[k], x)
        else:
            out[k] = x if initial is no_default else binop(initial, x)
    return out


def _merged_keys(combine, initial, parts):
    out = {}
    for part in parts:
        for k, v in part.items():
            out[k] = combine(out[k], v) if k in out else (v if initial is no_default else combine(initial, v))
    return out


def _items(d):
    return list(d.items())


def takes_multiple_arguments(func, varargs=True):
    """Return whether a function must be given several arguments; with varargs whether it takes any number."""
    if isinstance(func, type) and func.__module__ == "builtins":
        return False
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return False
    if varargs and builtins.any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    return builtins.sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) > 1


def _key_function(key):
    if callable(key):
        return key
    return (lambda x: tuple(x[k] for k in key)) if type(key) is list else (lambda x: x[key])


def _grouped(key, count, part):
    out = [collections.defaultdict(list) for _ in builtins.range(count)]
    key = _key_function(key)
    for x in part:
        k = key(x)
        out[_stable_hash(k) % count][k].append(x)
    return [dict(d) for d in out]


def _stable_hash(value):
    """Return a hash that is the same in every process."""
    if isinstance(value, (int, bool)):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    import pickle
    import zlib

    return zlib.crc32(pickle.dumps(value, protocol=4))


def _group_of(number, *parts):
    out = collections.defaultdict(list)
    for p in parts:
        for k, values in p[number].items():
            out[k].extend(values)
    return list(out.items())


def _distinct(key, part):
    if key is None:
        return list(dict.fromkeys(part))
    key, seen = _key_function(key), {}
    for x in part:
        seen.setdefault(key(x), x)
    return list(seen.values())


def _moments(part):
    n = total = squares = 0
    for x in part:
        n, total, squares = n + 1, total + x, squares + x * x
    return n, total, squares


def _mean_of(parts):
    n = builtins.sum(p[0] for p in parts)
    return builtins.sum(p[1] for p in parts) / n


def _var_of(ddof, root, parts):
    n, total, squares = (builtins.sum(p[i] for p in parts) for i in builtins.range(3))
    out = (squares / n - (total / n) ** 2) * n / (n - ddof)
    return math.sqrt(out) if root else out


def _top(k, key, part):
    if key is not None:
        of_items = callable(key) and takes_multiple_arguments(key)
        key = (lambda item, key=key: key(*item)) if of_items else _key_function(key)
    return heapq.nlargest(k, part, key=key)


def _top_of(k, key, parts):
    return _top(k, key, _together(parts))


def _count(part):
    return len(part) if isinstance(part, list) else builtins.sum(1 for _ in part)


def _frequencies(part):
    return dict(collections.Counter(part))


def _summed(parts):
    out = collections.Counter()
    for p in parts:
        out.update(p)
    return dict(out)


def _sorted_items(d):
    return sorted(d.items(), key=operator.itemgetter(1), reverse=True)


def _joined(on_self, on_other, others, part):
    table = collections.defaultdict(list)
    for o in others:
        table[on_other(o)].append(o)
    return [(o, x) for x in part for o in table.get(on_self(x), ())]


def _product(left, right):
    return list(itertools.product(left, right))


def _sampled(state, probability, part):
    random = _random.Random()
    random.setstate(state)
    return [x for x in part if random.random() < probability]


def _accumulated(binop, first, part, before):
    out = list(itertools.accumulate(part, binop, initial=before if before is not no_default else None) if before is not no_default else itertools.accumulate(part, binop))
    return (out[1:] if before is not no_default and not first else out), (out[-1] if out else before)


def _frame(columns, part):
    import pandas as pd

    return pd.DataFrame(list(part), columns=columns)


def _reduce_part(perpartition, part):
    return perpartition(part)


def _present(function, parts):
    parts = [p[0] for p in parts if p]
    return function(parts)


def _some(function, part):
    part = list(part)
    return [function(part)] if part else []


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
            from muster._graphs import to_nodes

            keys = [(name, i) for i in builtins.range(npartitions)]
            nodes = to_nodes(parts, keys)
            parts = [_node(reify, nodes[k], name=name) for k in keys]
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
        return _node(_results, list(self._parts), name="bag")

    def __muster_nodes__(self):
        return self._parts

    def __muster_rebuild__(self, nodes):
        return Bag(nodes, self._label)

    def compute(self, **kwargs):
        """Return all items, a list."""
        return _run.compute(self.__muster_node__(), traverse=False, **kwargs)[0]

    def persist(self, **kwargs):
        """Return the bag with its partitions computed: here at once, on a cluster in the background."""
        return _run.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, **kwargs):
        """Draw the tasks; see `muster.visualize`."""
        return _run.visualize(*self._parts, **kwargs)

    def to_delayed(self, optimize_graph=True):
        """Return a list of Delayed, one for each partition."""
        return list(self._parts)

    def __iter__(self):
        return iter(self.compute())

    def __repr__(self):
        return f"muster.bag<{self._label}, npartitions={self.npartitions}>"

    def _each(self, function, *args, name):
        return _made([_node(function, *args, p, name=name) for p in self._parts], name, self, *args)

    # ---- item by item

    def map(self, func, *args, **kwargs):
        """Apply a function to each item; further bags of the same partitions give further arguments, Items and Delayed their values."""
        return map(func, self, *args, **kwargs)

    def starmap(self, func, **kwargs):
        """Apply func(*item) to each item."""
        return self._each(_starmapped, func, kwargs, name=f"starmap-{funcname(func)}")

    def filter(self, predicate):
        """Keep the items for which the predicate is true (None: those that are true themselves); or those where a bag of flags is."""
        if isinstance(predicate, Bag):
            return _made([_node(_filtered_by, p, q, name="filter") for p, q in builtins.zip(self._parts, predicate._parts, strict=True)], "filter", self, predicate)
        return self._each(_filtered, predicate, name=f"filter-{funcname(predicate)}")

    def remove(self, predicate):
        """Leave out the items for which the predicate is true."""
        return self._each(_removed, predicate, name=f"remove-{funcname(predicate)}")

    def pluck(self, key, default=no_default):
        """Take an element of each item: by key, index, or a list of these."""
        return self._each(_plucked, key, default, name="pluck")

    def flatten(self):
        """Put the items of the items in their place."""
        return self._each(_flattened, name="flatten")

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
        return _made([_node(_sampled, state, prob, p, name="random-sample") for state, p in builtins.zip(states, self._parts, strict=True)], "random-sample", self, prob, states)

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
            nodes = [_node(function, nodes[i : i + fan], name=name) for i in builtins.range(0, len(nodes), fan)]
        return _node(function, nodes, name=name)

    def reduction(self, perpartition, aggregate, split_every=None, out_type=Item, name=None):
        """Reduce each partition, then the list of what came out, in a tree."""
        label = name or funcname(perpartition)
        return self._value(label, (perpartition, aggregate, split_every), [_node(_reduce_part, perpartition, p, name=label) for p in self._parts], aggregate, split_every, out_type)

    def _value(self, label, content, nodes, aggregate, split_every=None, out_type=Item):
        """Return the Item or bag of what a tree of `aggregate` makes of nodes, under a name that says the content."""
        if out_type is not Item:
            return _made([self._tree(nodes, aggregate, split_every, label)], label, self, *content)
        return Item(self._tree(nodes, aggregate, split_every, label), (label, self, *content))

    def fold(self, binop, combine=None, initial=no_default, split_every=None, out_type=Item):
        """Fold all items with a binary operator; `combine` folds the partitions' results, default the same."""
        nodes = [_node(_fold_some, binop, initial, p, name="fold") for p in self._parts]
        return self._value("fold", (binop, combine, initial, split_every), nodes, functools.partial(_folded_parts, combine or binop, initial), False, out_type)

    def count(self, split_every=None):
        """Number of items."""
        return self.reduction(_count, builtins.sum, split_every, name="count")

    def sum(self, split_every=None):
        """Sum of the items."""
        return self.reduction(builtins.sum, builtins.sum, split_every, name="sum")

    def _pick(self, function, name):
        return self._value(name, (), [_node(_some, function, p, name=name) for p in self._parts], functools.partial(_present, function), False)

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
        return self._value("mean", (), [_node(_moments, p, name="mean") for p in self._parts], _mean_of, False)

    def var(self, ddof=0):
        """Variance of the items; `ddof` is taken from the number in the divisor."""
        return self._value("var", (ddof,), [_node(_moments, p, name="var") for p in self._parts], functools.partial(_var_of, ddof, False), False)

    def std(self, ddof=0):
        """Standard deviation of the items."""
        return self._value("std", (ddof,), [_node(_moments, p, name="std") for p in self._parts], functools.partial(_var_of, ddof, True), False)

    # ---- to bags

    def frequencies(self, split_every=None, normalize=False, sort=False):
        """Pairs of item and how often it is there."""
        node = self._tree([_node(_frequencies, p, name="frequencies") for p in self._parts], _summed, split_every, "frequencies")
        bag = _made([_node(_sorted_items if sort else _items, node, name="frequencies")], "frequencies", self, split_every, sort)
        if normalize:
            return bag.map_partitions(_shares)
        return bag

    def topk(self, k, key=None, split_every=None):
        """The k greatest items, by a key function or an element if given; the greatest first."""
        nodes = [_node(_top, k, key, p, name="topk") for p in self._parts]
        return _made([self._tree(nodes, functools.partial(_top_of, k, key), split_every, "topk")], "topk", self, k, key, split_every)

    def distinct(self, key=None):
        """Each item once; with a key the first item of each key."""
        nodes = [_node(_distinct, key, p, name="distinct") for p in self._parts]
        return _made([_node(_distinct, key, _node(_together, nodes, name="distinct"), name="distinct")], "distinct", self, key)

    def foldby(self, key, binop, initial=no_default, combine=None, combine_initial=no_default, split_every=None):
        """Fold the items of each key: pairs of key and result."""
        nodes = [_node(_by_key, key, binop, initial, p, name="foldby") for p in self._parts]
        merge = functools.partial(_merged_keys, combine or binop, combine_initial)
        return _made([_node(_items, self._tree(nodes, merge, split_every, "foldby"), name="foldby")], "foldby", self, key, binop, initial, combine, combine_initial, split_every)

    def groupby(self, grouper, method=None, npartitions=None, blocksize=2**20, max_branch=None, shuffle=None):
        """Pairs of key and the list of its items. All items move: `foldby` is better where it can be used."""
        count = npartitions or self.npartitions
        split = [_node(_grouped, grouper, count, p, name="groupby-split") for p in self._parts]
        return _made([_node(_group_of, i, *split, name="groupby") for i in builtins.range(count)], "groupby", self, grouper, count)

    def join(self, other, on_self, on_other=None):
        """Pairs (item of `other`, own item) with equal keys; `other` is an iterable, a Delayed or a bag of one partition."""
        if isinstance(other, Bag):
            if other.npartitions != 1:
                raise NotImplementedError("join with a bag of several partitions; use other.repartition(1)")
            other = other._parts[0]
        return self._each(_joined, _key_function(on_self), _key_function(on_self if on_other is None else on_other), other, name="join")

    def product(self, other):
        """Pairs of every own item and every item of another bag."""
        return _made([_node(_product, p, q, name="product") for p in self._parts for q in other._parts], "product", self, other)

    def accumulate(self, binop, initial=no_default):
        """Running results of a binary operator."""
        parts, before = [], initial
        for i, p in enumerate(self._parts):
            both = _node(_accumulated, binop, i == 0, p, before, name="accumulate")
            parts.append(both[0])
            before = both[1]
        return _made(parts, "accumulate", self, binop, initial)

    def take(self, k, npartitions=1, compute=True, warn=True):
        """The first k items, a tuple: of the first `npartitions` partitions, -1 for all."""
        if npartitions > self.npartitions:
            raise ValueError(f"only {self.npartitions} partitions, take received {npartitions}")
        parts = self._parts if npartitions <= -1 else self._parts[:npartitions]
        node = _node(_taken, k, warn, *parts, name="take")
        return _run.compute(node, traverse=False)[0] if compute else _made([node], "take", self, k, npartitions)

    def repartition(self, npartitions=None, partition_size=None):
        """The same items in another number of partitions."""
        if (npartitions is None) == (partition_size is None):
            raise ValueError("Please provide either the `npartitions` or `partition_size` argument")
        if partition_size is not None:
            from muster._run import parse_bytes

            sizes = _run.compute(*[_node(total_mem_usage, p, name="size") for p in self._parts])
            npartitions = builtins.max(1, -(-builtins.sum(sizes) // parse_bytes(partition_size)))
        old = self.npartitions
        if npartitions == old:
            return self
        if npartitions < old:
            cuts = [round(old * i / npartitions) for i in builtins.range(npartitions + 1)]
            return _made([_node(_together, self._parts[a:b], name="repartition") for a, b in itertools.pairwise(cuts)], "repartition", self, npartitions)
        counts = [npartitions // old + (i < npartitions % old) for i in builtins.range(old)]
        parts = []
        for p, n in builtins.zip(self._parts, counts, strict=True):
            parts.extend(_node(_slice_of, p, i, n, name="repartition") for i in builtins.range(n))
        return _made(parts, "repartition", self, npartitions)

    def to_textfiles(self, path, name_function=None, compression="infer", encoding="utf-8", compute=True, storage_options=None, last_endline=False, **kwargs):
        """Write each partition to a file of lines; see `muster.bag.to_textfiles`."""
        from muster.bag._io import to_textfiles

        return to_textfiles(self, path, name_function, compression, encoding, compute, storage_options, last_endline, **kwargs)

    def to_dataframe(self, meta=None, columns=None, optimize_graph=True):
        """Return a DataFrame of the items: dicts, tuples or values.

        Parameters
        ----------
        meta : empty DataFrame, dict or list of pairs, optional
            Names and dtypes; default: guessed from the first item, which is computed.
        columns : list, optional
        """
        import pandas as pd

        import muster.dataframe as dd
        from muster.dataframe._map_partitions import meta_object

        given = meta is not None
        if meta is None:
            head = self.take(1, warn=False)
            if not head:
                raise ValueError("`dask.bag.Bag.to_dataframe` failed to properly infer metadata, please pass in metadata via the `meta` keyword")
            meta = pd.DataFrame(list(head), columns=columns).iloc[:0]
        else:
            meta = meta_object(meta)
        if columns is not None and list(meta.columns) != list(columns):
            raise ValueError("Can't specify both `meta` and `columns`")
        frames = [_node(_frame, list(meta.columns), p, name="to-dataframe") for p in self._parts]
        return dd.from_delayed(frames, meta=meta, verify_meta=given)

    def __getattr__(self, name):
        if name == "to_avro":
            from muster._later import NotThereYet

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

        return self._bag.filter(functools.partial(_fits, fnmatch, pattern))

    def __dir__(self):
        return [n for n in dir(builtins.str) if not n.startswith("_")] + ["match"]


def _fits(fnmatch, pattern, text):
    return fnmatch(text, pattern)


def _shares(part):
    part = list(part)
    total = builtins.sum(n for _, n in part)
    return [(x, n / total) for x, n in part]


def total_mem_usage(part):
    """Return the bytes of a partition's items."""
    from muster.sizeof import sizeof

    return sizeof(reify(part))


def _slice_of(part, i, n):
    part = list(part)
    return part[len(part) * i // n : len(part) * (i + 1) // n]


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
    return _made([_node(_mapped, func, rest, keywords, zipped, *p, name=label) for p in parts], label, func, *args, *kwargs.items(), *bags.values())


def map_partitions(func, *args, **kwargs):
    """Apply a function to the partitions of bags; see `Bag.map_partitions`."""
    bags = _bags("map_partitions", args, kwargs)
    label = funcname(func)

    def at(value, i):
        return value._parts[i] if isinstance(value, Bag) else value

    n = next(iter(bags.values())).npartitions
    parts = [_node(_part_of, func, tuple(at(a, i) for a in args), {k: at(v, i) for k, v in kwargs.items()}, name=label) for i in builtins.range(n)]
    return _made(parts, label, "partitions", func, *args, *kwargs.items(), *bags.values())


def zip(*bags):
    """Return the bag of tuples of the items of bags of the same partitions."""
    if len({b.npartitions for b in bags}) != 1:
        raise ValueError("All bags must have the same number of partitions")
    return _made([_node(_zipped, *(b._parts[i] for b in bags), name="zip") for i in builtins.range(bags[0].npartitions)], "zip", *bags)


def _zipped(*parts):
    return list(builtins.zip(*parts, strict=False))


def concat(bags):
    """Return the bag of all items of several bags, one after the other."""
    bags = list(bags)
    return _made([p for b in bags for p in b._parts], "concat", *bags)
