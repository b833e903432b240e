"""What all collections of expressions have; each is a handle on one."""

from muster import _core
from muster._base import registry
from muster._base.libraries import np
from muster._border.known_columns import known_of, note_known, with_known_columns
from muster._border.pandas import label_of, meta_of
from muster._collections import running
from muster._collections.expressions import inputs_first
from muster.dataframe._known_index import with_known_index
from muster.delayed import Delayed

_classes = {}  # of collections, by the kind of their expressions


def collection_of(kind):
    """Return a decorator that makes a class the one of the collections of this kind of expressions."""

    def enter(cls):
        _classes[kind] = cls
        return cls

    return enter


def new_collection(expr):
    """Return the collection of an expression: DataFrame, Series, Index or Scalar by its kind."""
    return _classes[expr.kind](expr)


def raise_own(self, name):
    """Python asks __getattr__ when a property raised AttributeError: ask the property again, whose message is the better one."""
    own = getattr(type(self), name, None)
    if isinstance(own, property):
        own.fget(self)


def _computed(collection):
    return collection.compute()


_computed.of_collection = True  # a cluster computes the collection itself, natively


class Collection:
    """What all lazy collections have: an expression that can be computed, kept, drawn and explained."""

    _is_index = False

    def __init__(self, expr):
        self.__dict__["_expr"] = expr

    def _finish(self, result):
        return with_known_columns(self._expr, with_known_index(self._expr, result)) if "_expr" in self.__dict__ else result

    _finish.is_result = True

    def __muster_node__(self):
        return Delayed(f"compute-{self._name}", _computed, (self,))

    @property
    def expr(self):
        """The expression, an immutable tree named by its content."""
        return self._expr

    @property
    def npartitions(self):
        """Number of partitions."""
        return self._expr.npartitions

    @property
    def divisions(self):
        """Index values at the partitions' borders: npartitions + 1 values, all None where they are not known."""
        known = self._expr.divisions
        if not known:
            return (None,) * (self.npartitions + 1)
        return tuple(label_of(value) for value in known)

    @property
    def known_divisions(self):
        """Whether the divisions are known."""
        return bool(self._expr.divisions)

    @property
    def _name(self):
        return self._expr.name

    @property
    def _meta(self):
        try:
            return meta_of(_core.revised(self._expr), self._expr)
        except (TypeError, ValueError, NotImplementedError):  # what follows is not defined for the wider dtype: computing says so
            return meta_of(self._expr)

    def __dask_tokenize__(self):
        return self._expr.id

    def compute(self, **kwargs):
        """Return the result: a pandas DataFrame, Series, Index or a scalar.

        Parameters
        ----------
        **kwargs
            scheduler : "threads" (default) or "synchronous"; num_workers : threads.
        """
        return running.compute(self, traverse=False, **kwargs)[0]

    def to_delayed(self, optimize_graph=True):
        """Return a list of Delayed, the pandas objects of the partitions."""
        return [self.partitions[i].__muster_node__() for i in range(self.npartitions)]

    def persist(self, **kwargs):
        """Return the same collection with its partitions computed and kept in memory."""
        return running.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, filename="mydask", format=None, optimize_graph=False, **kwargs):
        """Draw the graph; see `muster.visualize`."""
        return running.visualize(self, filename=filename, format=format, optimize_graph=optimize_graph, **kwargs)

    def explain(self):
        """Print the logical, optimized and physical plan."""
        running.explain(self)

    def optimize(self, **kwargs):
        """Return self: a plan is optimized when it runs."""
        return self

    def pipe(self, func, *args, **kwargs):
        """Return ``func(self, *args, **kwargs)``."""
        if isinstance(func, tuple):
            func, target = func
            return func(*args, **{**kwargs, target: self})
        return func(self, *args, **kwargs)

    def _over(self, expr):
        """Return what this is, of another expression of the same values."""
        note_known(expr, known_of(self._expr))
        return type(self)(expr)

    def copy(self, deep=False):
        """Return another handle on the same expression."""
        return self._over(self._expr)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __bool__(self):
        raise ValueError(f"The truth value of a {type(self).__name__} is ambiguous. Use a.any() or a.all().")

    def __await__(self):
        import asyncio

        return asyncio.to_thread(self.compute).__await__()

    __pandas_priority__ = 5000  # above its DataFrame's: pandas leaves operators of its objects and collections to the collection

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.compute(), dtype=dtype)

    def __reduce__(self):
        address = None
        for node in inputs_first([self._expr]):
            if node.op == "from_tasks" and "holder" in node.args:
                future = node.args["holder"].value[0]
                future.result()  # that they are there
                address = future.client.scheduler_address
        return _restore, (type(self), _core.encode([self._expr]), address, known_of(self._expr))


def _restore(kind, data, address=None, known=None):
    if address is not None:
        registry.given("core")(address)
    expr = _core.decode(data)[0]
    note_known(expr, known)
    return kind(expr)


class Rows(Collection):
    """What has rows, in partitions: DataFrames and Series."""


def is_column(value):
    """Whether a value is a lazy Series."""
    return isinstance(value, Rows) and value.ndim == 1
