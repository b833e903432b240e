"""A lazy value beside bags."""

from types import GenericAlias

from muster._base.tasks import pack
from muster._base.tokenize import tokenize
from muster._collections import running
from muster.delayed import Delayed, delayed, funcname


def node(function, *args, name=None, **kwargs):
    """Return the task function(*args, **kwargs)."""
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
        return running.compute(self._node, traverse=False, **kwargs)[0]

    def persist(self, **kwargs):
        """Return an Item whose value is computed."""
        return running.persist(self, traverse=False, **kwargs)[0]

    def visualize(self, **kwargs):
        """Draw the tasks; see `muster.visualize`."""
        return running.visualize(self._node, **kwargs)

    def apply(self, func):
        """Return the Item func(value)."""
        return Item(node(func, self._node))

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
