"""The checks of layers and documents find what they are there for."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def check(tmp_path):
    """A function that adds texts to files of a copied package and returns the check's lines."""
    for part in ("ARCHITECTURE.md", "tools/check_layers.py"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, tmp_path / part)
    shutil.copytree(ROOT / "python/muster", tmp_path / "python/muster", ignore=shutil.ignore_patterns("__pycache__"))

    def run(**texts):
        for file, text in texts.items():
            with open(tmp_path / "python/muster" / f"{file.replace('__', '/')}.py", "a") as out:
                out.write(text)
        done = subprocess.run([sys.executable, tmp_path / "tools/check_layers.py"], capture_output=True, text=True)
        lines = done.stdout.splitlines()
        assert (done.returncode == 0) == lines[0].startswith("layers: "), done
        return lines

    return run


def test_what_only_type_checkers_read_is_no_import(check):
    assert check(delayed="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from muster.dataframe import DataFrame\n")[0].startswith("layers: ")


def test_faults_are_found(check):
    said = check(
        delayed="import muster.dataframe\n",
        config="def f():\n    from muster._collections import running\n",
        bag___item="def f():\n    from ..dataframe._frame import DataFrame\n",
        dataframe___row="def f():\n    import pandas.api\n",
        dataframe___series="def f():\n    from muster.dataframe._row import Row\n",
        _cli="".join(f"def f{i}():\n    from muster import config\n" for i in range(16)),
        stray="",
    )
    for part in (
        "imports muster.dataframe: delayed may import base, collections",
        "imports muster._collections.running: base may import nothing else",
        "imports muster.dataframe._frame: bag may import base, border, collections, delayed",
        "imports pandas.api: take it from muster._base.libraries",
        "import each other in a circle: ",
        "stand inside functions, at most 15 may: ",
        "python/muster/stray.py is in no layer of ARCHITECTURE.md",
    ):
        assert any(part in line for line in said), (part, said)


def test_names_of_operators_and_kernels_are_found(tmp_path):
    texts = {
        "ARCHITECTURE.md": "| plan | – |\n| ops | – |\n",
        "src/ops/frame/cube.cpp": '// The third power.\nOp cube() { return {.name = "cube", .kernels = {{.name = "third.power"}, {.name = "missing"}}}; }\n',
        "src/plan/right.cpp": '// Rules.\nauto a = args["missing"];  // of "cube"\nauto b = Dict{{"missing", 1}, {"how", "cube"}};\n'
        "auto c = call(operators::cube);\n",
        "src/plan/wrong.cpp": '// Rules.\nauto a = call("root");\nbool b = step.kernel == "anything";\nSink c{"third.power", args};\n'
        'bool d = op->name != "missing";\nbool e = op->name == operators::cube;\n',
    }
    for file, text in texts.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    (tmp_path / "tools").mkdir()
    (tmp_path / "python/muster").mkdir(parents=True)
    shutil.copy(ROOT / "tools/check_layers.py", tmp_path / "tools")
    done = subprocess.run([sys.executable, tmp_path / "tools/check_layers.py"], capture_output=True, text=True)
    named = [line.split(": ask ")[0] for line in done.stdout.splitlines() if " names " in line]
    wrong = ((2, '"root"'), (3, '"anything"'), (4, '"third.power"'), (5, '"missing"'), (6, "operators::cube"))
    assert named == [f"src/plan/wrong.cpp:{number} names {name}" for number, name in wrong]


def test_sources_say_what_they_are_in_short_lines(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "src/kernels").mkdir(parents=True)
    shutil.copy(ROOT / "tools/check_docs.py", tmp_path / "tools")
    (tmp_path / "src/kernels/cube.cpp").write_text('#include "kernels/cube.hpp"\n')
    (tmp_path / "src/kernels/fourth.cpp").write_text('#include "kernels/cube.hpp"\n')
    (tmp_path / "src/kernels/cube.hpp").write_text(f"// The third power.\n{'x' * 161}\n{'y' * 160}\n")
    done = subprocess.run([sys.executable, tmp_path / "tools/check_docs.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "src/kernels/cube.hpp:2 has 161 characters, at most 160 may be",
        "src/kernels/fourth.cpp does not begin with what it is, and which invariants it keeps",
    ]


def test_names_that_are_not_there_are_found(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "python/muster/part").mkdir(parents=True)
    shutil.copy(ROOT / "tools/check_docs.py", tmp_path / "tools")
    (tmp_path / "python/muster/__init__.py").write_text('"""See muster.part.thing.f, muster.part.Made and `tools/check_docs.py`."""\n')
    (tmp_path / "python/muster/part/__init__.py").write_text("# Parts.\nfrom muster.part.thing import Made\n")
    (tmp_path / "python/muster/part/thing.py").write_text("# Things.\nclass Made: ...\ndef f(): ...\n")

    def said():
        done = subprocess.run([sys.executable, tmp_path / "tools/check_docs.py"], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()

    assert said()[0] == 0
    missing = "nowhere.cpp"
    (tmp_path / "README.md").write_text(f"`src/{missing}`, muster.part.thing.g\n")
    (tmp_path / "python/muster/part/other.py").write_text("# as muster.elsewhere does\n")
    assert said() == (
        1,
        [
            "README.md names muster.part.thing.g, which is not there", f"README.md names src/{missing}, which is not there",
            "python/muster/part/other.py names muster.elsewhere, which is not there"
        ]
    )
