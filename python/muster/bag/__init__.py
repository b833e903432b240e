"""Bags: Python objects in partitions, in any order that repeats.

Examples
--------
>>> import muster.bag as db
>>> db.from_sequence([1, 2, 3, 4, 5], npartitions=3).filter(lambda x: x % 2).map(lambda x: x * 10).sum().compute()
90
"""

from muster._base.later import NotThereYet
from muster._collections.running import compute
from muster.bag._bag import Bag, Item, concat, map, map_partitions, zip
from muster.bag._files import to_textfiles
from muster.bag._io import from_delayed, from_sequence, from_url, range, read_text

__all__ = [
    "Bag", "Item", "compute", "concat", "from_delayed", "from_sequence", "from_url", "map", "map_partitions", "range", "read_text", "to_textfiles", "zip"
]


def __getattr__(name):
    if name in ("read_avro", "random"):
        raise NotThereYet(f"muster.bag.{name} is not there yet")
    raise AttributeError(f"module 'muster.bag' has no attribute {name!r}")
