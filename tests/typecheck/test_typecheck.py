"""mypy and pyright find what is wrong in a program and nothing in a right one, and the stubs say what the package is."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
PROGRAMS = [HERE / "right.py", HERE / "wrong.py", *sorted((HERE.parents[1] / "examples").glob("*.py"))]
WRONG = {("wrong.py", number) for number, line in enumerate((HERE / "wrong.py").read_text().splitlines(), 1) if line.endswith("# wrong")}


def mypy(cache):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}", *map(str, [*PROGRAMS, HERE / "untyped.py"])], capture_output=True,
        text=True
    )
    return re.findall(r"([^/\n]+\.py):(\d+): error: (.*)", done.stdout + done.stderr)


def pyright(cache):
    settings = cache / "pyrightconfig.json"
    settings.write_text(json.dumps({"typeCheckingMode": "strict", "include": [str(p) for p in PROGRAMS]}))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", f"--pythonpath={sys.executable}", f"--project={settings}"], capture_output=True, text=True
    )
    return [
        (pathlib.Path(d["file"]).name, d["range"]["start"]["line"] + 1, d["message"]) for d in json.loads(done.stdout)["generalDiagnostics"]
        if d["severity"] == "error"
    ]


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_programs(checker, request):
    reports = checker(request.config.cache.mkdir(f"muster-{checker.__name__}"))
    found = {(file, int(line)) for file, line, _ in reports}
    assert [r for r in reports if (r[0], int(r[1])) not in WRONG] == []
    assert WRONG - found == set()


def test_types_take_parameters_at_run_time():
    from muster.bag import Bag, Item
    from muster.delayed import Delayed
    from muster.distributed import Future, as_completed

    for generic in (Bag, Item, Delayed, Future, as_completed):
        assert repr(generic[int]).endswith(f"{generic.__name__}[int]")


# What stubs leave out on purpose.
INTERNAL = [
    r"__(muster|dask|array)_\w+__ is not present in stub",  # protocols between the package and its neighbours
    r"__(del|dir|class_getitem)__ is not present in stub",
    r"__init__ is inconsistent",  # of classes that only the package makes
    r"^muster\.dataframe\._\w+\.\w+ is not present in stub",  # what modules give each other
    r"Frame\.values is not present in stub",  # raises
    r'stub does not have \*args parameter "args"',  # methods handed to pandas take what pandas' take
    r"default value of type muster\._base\.values\._NoDefault",  # which says that an argument was not given
    r"metaclass differs",  # of classes over native ones
]


@pytest.fixture(scope="module")
def disagreements():
    """What `stubs.py` finds: in the package as it is, and changed."""
    done = subprocess.run([sys.executable, "-W", "ignore", HERE / "stubs.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    is_internal = re.compile("|".join(INTERNAL)).search
    return [[line for line in part.splitlines() if line and not is_internal(line)] for part in done.stdout.split("=" * 80)]


def test_stubs_are_true(disagreements):
    assert disagreements[0] == []


@pytest.mark.parametrize("name", ["DataFrame.head", "Series.between", "Series.no_type_knows_it", "DataFrame.query"])
def test_stubs_that_are_not_true_are_found(disagreements, name):
    assert any(name in line for line in disagreements[1])
