"""The check of layers finds what it is there for, in a copy of the package."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def copy(tmp_path):
    """A function that adds text to a file of a copied package and returns what the check says."""
    for part in ("ARCHITECTURE.md", "tools/check_layers.py"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, tmp_path / part)
    shutil.copytree(ROOT / "python/muster", tmp_path / "python/muster", ignore=shutil.ignore_patterns("__pycache__"))

    def check(file, text):
        with open(tmp_path / "python/muster" / file, "a") as out:
            out.write(text)
        done = subprocess.run([sys.executable, tmp_path / "tools/check_layers.py"], capture_output=True, text=True)
        assert (done.returncode == 0) == done.stdout.startswith("layers: "), done
        return done.stdout

    return check


def test_the_package_is_in_layers(copy):
    assert copy("bag/_bag.py", "").startswith("layers: ")


@pytest.mark.parametrize("text", ["import muster.dataframe\n", "from muster import dataframe\n", "def f():\n    from ..dataframe import DataFrame\n"])
def test_upward(copy, text):
    said = copy("bag/_bag.py", text)
    assert "bag/_bag.py" in said and "imports muster.dataframe: bag may import" in said


def test_circle(copy):
    said = copy("dataframe/_series.py", "def f():\n    from muster.dataframe._row import Row\n")
    assert "in a circle: " in said and "muster.dataframe._row" in said and "muster.dataframe._series" in said


def test_libraries_have_one_door(copy):
    assert "imports pandas.api: take it from muster._base.libraries" in copy("dataframe/_row.py", "def f():\n    import pandas.api\n")


def test_imports_inside_functions_are_few(copy):
    said = copy("_cli.py", "".join(f"def f{i}():\n    from muster import config\n" for i in range(16)))
    assert "stand inside functions, at most 15 may" in said


def test_what_only_type_checkers_read_counts_as_nothing(copy):
    assert copy("bag/_bag.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from muster.dataframe import DataFrame\n").startswith("layers: ")


def test_every_file_is_in_a_layer(copy):
    assert "python/muster/stray.py is in no layer of ARCHITECTURE.md" in copy("stray.py", "")
