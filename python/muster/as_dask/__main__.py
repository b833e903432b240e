"""``python -m muster.as_dask script.py args`` and ``python -m muster.as_dask -m module args``."""

import os
import runpy
import sys

from muster.as_dask import install, install_kernel

_USAGE = """usage: python -m muster.as_dask script.py [args...]
       python -m muster.as_dask -m module [args...]
       python -m muster.as_dask --install-kernel"""


def main(args):
    """Run a script or module with `dask` meaning muster; return the exit status."""
    if not args or args[0] in ("-h", "--help") or (args[0] == "-m" and len(args) < 2):
        print(_USAGE, file=sys.stdout if args and args[0] in ("-h", "--help") else sys.stderr)
        return 0 if args and args[0] in ("-h", "--help") else 2
    if args[0] == "--install-kernel":
        print(f"the kernel is in {install_kernel()}")
        return 0
    install()
    if args[0] == "-m":
        sys.argv = args[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = args
        sys.path.insert(0, os.path.dirname(os.path.abspath(args[0])))
        runpy.run_path(args[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
