"""pandas, NumPy and Arrow, imported when one of their names is first used: `import muster.dataframe` needs none of them."""

import importlib


class _Library:
    """Stands for a module of another package; a name of it is looked up once."""

    def __init__(self, module):
        self.__name__ = module

    def __getattr__(self, name):
        value = self.__dict__[name] = getattr(importlib.import_module(self.__name__), name)
        return value


csv = _Library("pyarrow.csv")
fs = _Library("pyarrow.fs")
np = _Library("numpy")
orc = _Library("pyarrow.orc")
pa = _Library("pyarrow")
pc = _Library("pyarrow.compute")
pd = _Library("pandas")
pq = _Library("pyarrow.parquet")
