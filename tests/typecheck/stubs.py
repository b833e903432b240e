"""Prints what mypy's stubtest finds where the stubs and the package differ; then, below a line, what it finds when they are made to differ. In a process of its
own: accessors that programs register are members of classes too.
"""

import pathlib

from mypy import stubtest
from mypy.options import Options

import muster
import muster.dataframe as dd

folder = pathlib.Path(muster.__file__).parent
modules = [
    ".".join(["muster", *(p for p in stub.relative_to(folder).with_suffix("").parts if p != "__init__")]) for stub in sorted(folder.rglob("*.pyi"))
    if stub.stem != "_core"
]
assert {"muster", "muster.bag", "muster.dataframe", "muster.dataframe._frame", "muster.delayed", "muster.distributed"} <= set(modules)
options = Options()
options.incremental = False
options.ignore_errors = options.ignore_missing_imports = True
options.per_module_options = {"numpy.*": {"follow_imports": "skip"}}
stubtest.build_stubs(modules, options, find_submodules=False)


def report():
    for module in modules:
        for error in stubtest.test_module(module):
            print(error.get_description(concise=True))


report()
print("=" * 80)
dd.DataFrame.head = lambda self, rows=5, compute=True: None
dd.Series.between = None
dd.Series.no_type_knows_it = lambda self: None
del dd.DataFrame.query
report()
