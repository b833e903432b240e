"""What Python, its types, the fallback to pandas and C++ say of an operator is written by the build from its form."""

import ast
import pathlib
import re

import pytest

import muster
import muster.dataframe as dd
from muster._generated.operators import OPERATORS, SHAPES

FOLDER = pathlib.Path(muster.__file__).parent
OWNERS = {
    "frame": ("dataframe/_frame.pyi", "DataFrame"),
    "series": ("dataframe/_series.pyi", "Series"),
    "scalar": ("dataframe/_scalar.pyi", "Scalar"),
    "groupby": ("dataframe/_groupby.pyi", "GroupBy"),
    "datetime": ("dataframe/_accessors.pyi", "DatetimeProperties"),
}


def methods(path, name=None):
    """Return {name: definition} of the only class of a file, or of the one of that name."""
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef) and name in (None, node.name)]
    assert len(classes) == 1
    return {node.name: node for node in classes[0].body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("owner", OWNERS)
def test_methods_have_documentation_and_types(owner):
    code, types = (methods(FOLDER / f"_generated/{owner}.{ending}") for ending in ("py", "pyi"))
    assert list(code) == list(types) != []
    for name, method in code.items():
        doc, stub = ast.get_docstring(method), types[name]
        assert doc, name
        assert stub.returns is not None, name
        given = [*stub.args.args, *stub.args.kwonlyargs][1:]
        assert [a.arg for a in given] == [a.arg for a in [*method.args.args, *method.args.kwonlyargs][1:]], name
        for parameter in given:
            assert parameter.annotation is not None, (name, parameter.arg)
            assert re.search(rf"^{parameter.arg}$", doc, re.MULTILINE), (name, parameter.arg)


@pytest.mark.parametrize("owner", OWNERS)
def test_no_type_is_written_twice(owner):
    stub, name = OWNERS[owner]
    twice = methods(FOLDER / f"_generated/{owner}.pyi").keys() & methods(FOLDER / stub, name).keys()
    assert twice <= ({"size"} if owner == "groupby" else set())  # of one column a Series


def test_few_methods_of_a_frame_are_written_by_hand():
    """The others are written from forms, or are functions in the files of what they do."""
    by_hand = {name for file, cls in (("_frame", "DataFrame"), ("_rows", "Frame")) for name in methods(FOLDER / f"dataframe/{file}.py", cls)}
    assert len({name for name in by_hand if not name.startswith("_")}) <= 35


def test_operators_have_a_shape():
    called = set()
    for owner in ("frame", "series", "scalar"):
        called |= set(re.findall(r"return _(?:call|operator)\(\"(\w+)\"", (FOLDER / f"_generated/{owner}.py").read_text()))
    assert called == SHAPES.keys() >= OPERATORS
    assert set(SHAPES.values()) == {"rows", "partitions", "whole", "beside"}


@pytest.mark.parametrize(
    "op, shape",
    [
        ("clip", "rows"), ("add", "rows"), ("astype", "rows"), ("cumsum", "beside"), ("bfill", "beside"), ("nlargest", "whole"), ("any", "whole"),
        ("mode", "whole"), ("dropna", "partitions")
    ]
)
def test_shapes_follow_from_what_an_operator_does(op, shape):
    assert SHAPES[op] == shape


def test_what_pandas_does_not_have_stays_refused(monkeypatch):
    from muster.dataframe._instead import instead

    monkeypatch.setitem(SHAPES, "cube", "rows")
    with pytest.raises(NotImplementedError, match="cube: of text"):
        instead("cube", dd.from_dict({"x": ["a"]}, npartitions=1).x, {}, NotImplementedError("cube: of text"))


@pytest.mark.parametrize("owner, header", [("frame", "dataframe_methods"), ("series", "series_methods")])
def test_methods_are_typed_in_cpp(owner, header):
    declared = set(re.findall(r"^  \w+ (\w+)\(.*\) const;$", (FOLDER / f"include/muster/{header}.inc").read_text(), re.MULTILINE))
    assert declared == {name for name in methods(FOLDER / f"_generated/{owner}.py") if not name.startswith("__")}


def test_second_names():
    for name, other in (("div", "truediv"), ("divide", "truediv"), ("rdiv", "rtruediv"), ("product", "prod"), ("isnull", "isna"), ("notnull", "notna")):
        for cls in (dd.DataFrame, dd.Series):
            assert getattr(cls, name).__doc__ == getattr(cls, other).__doc__
