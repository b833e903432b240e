"""The table of docs/coverage.md says what is there, and nothing that should be is missing."""

import importlib.util
import pathlib

import pytest

import muster.dataframe as dd

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("coverage_table", ROOT / "tools/coverage.py")
coverage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coverage)


def test_the_table_is_up_to_date():
    assert (ROOT / "docs/coverage.md").read_text() == coverage.text()


def test_only_what_moves_rows_is_missing():
    missing = {name for names in coverage.table().values() for name, state in names.items() if state == "missing"}
    assert missing <= coverage.LATER


@pytest.mark.parametrize("name", sorted(coverage.LATER))
def test_what_is_missing_says_so(name):
    df = dd.from_dict({"x": [1]}, npartitions=1)
    with pytest.raises(NotImplementedError, match=name):
        getattr(df, name)() if name in coverage.FRAME else getattr(dd, name)()
