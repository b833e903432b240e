"""Settings: files, variables, merging, older names."""

import os
import subprocess
import sys

import pytest

from muster import config


def test_update_says_which_value_stays():
    old = {"x": 1, "y": {"a": 2, "c-d": 3}}
    assert config.update({**old, "y": dict(old["y"])}, {"x": 9, "y": {"c_d": 8, "e": 7}}) == {"x": 9, "y": {"a": 2, "c-d": 8, "e": 7}}
    assert config.update({**old, "y": dict(old["y"])}, {"x": 9, "y": {"c_d": 8, "e": 7}}, priority="old") == {"x": 1, "y": {"a": 2, "c-d": 3, "e": 7}}
    # What the user left at its default gives way, what was set stays.
    assert config.update({"x": 1, "y": {"a": 2}}, {"x": 9, "y": {"a": 8}}, priority="new-defaults", defaults={"x": 1, "y": {"a": 0}}) == {"x": 9, "y": {"a": 2}}
    assert config.update({"x": [1]}, {"x": {"a": 1}}) == {"x": {"a": 1}} and config.update({"x": {"a": 1}}, {"x": [1]}) == {"x": [1]}


def test_defaults_of_libraries():
    defaults, mine = [{"a": 1, "b": {"c": 1}}], {"a": 1, "b": {"c": 5}}
    config.update_defaults({"a": 2, "b": {"c": 2, "d": 3}}, mine, defaults=defaults)
    assert mine == {"a": 2, "b": {"c": 5, "d": 3}} and len(defaults) == 2
    config.refresh(mine, defaults, paths=[], env={"MUSTER_A": "7"})
    assert mine == {"a": 7, "b": {"c": 2, "d": 3}}


def test_files(tmp_path):
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    one.write_text("x: 1\ny: {a: 1}\n")
    other.write_text("y: {b: 2}\n")
    assert list(config.collect_yaml([one, other], return_paths=True)) == [(one, {"x": 1, "y": {"a": 1}}), (other, {"y": {"b": 2}})]
    assert config.merge(*config.collect_yaml([tmp_path])) == {"x": 1, "y": {"a": 1, "b": 2}}
    assert list(config.paths_containing_key("y.b", [one, other])) == [other] and not list(config.paths_containing_key("z", [one]))
    for text in ("{", "[1, 2]"):
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"c\.yaml.*is malformed"):
            list(config.collect_yaml([tmp_path]))


@pytest.mark.parametrize(
    "text, value", [("None", None), ("null", None), ("TRUE", True), ("false", False), ("12", 12), ("1.5", 1.5), ("[1, '2']", [1, "2"]), ("/a/path", "/a/path")]
)
def test_variables(text, value):
    assert config.collect_env({"MUSTER_A_B": text, "OTHER": "x", "MUSTER_C__D_E": text}) == {"a_b": value, "c": {"d_e": value}}
    assert config.get("a-b", config=config.collect_env({"MUSTER_A_B": text})) == value


def test_settings_are_inherited_as_text():
    data = {"a": {"b": [1, "x", None]}}
    assert config.deserialize(config.serialize(data)) == data
    assert config.collect_env({"MUSTER_INTERNAL_INHERIT_CONFIG": config.serialize(data)}) == data


def test_variables_inside_of_values(monkeypatch):
    monkeypatch.setenv("WHERE", "here")
    for value, out in (
        (1, 1), ("a/$WHERE", "a/here"), (["$WHERE", 1], ["here", 1]), (("$WHERE",), ("here",)), ({"$WHERE"}, {"here"}),
        ({"a": {"b": "$WHERE"}}, {"a": {"b": "here"}})
    ):
        assert config.expand_environment_variables(value) == out


def test_pop():
    mine = {"a": {"b-c": 1, "d": 2}, "e": 3}
    assert config.pop("a.b_c", config=mine) == 1 and config.pop("e", config=mine) == 3 and config.pop("x.y", 4, mine) == 4
    assert mine == {"a": {"d": 2}}
    with pytest.raises(KeyError, match="x"):
        config.pop("x", config=mine)


def test_example_files(tmp_path):
    source = tmp_path / "mine.yaml"
    source.write_text("a:\n  b: 1\n")
    config.ensure_file(source, tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "mine.yaml").read_text() == "# a:\n#   b: 1\n"
    source.write_text("a: 2\n")
    config.ensure_file(source, tmp_path / "new" / "folder", comment=False)
    assert (tmp_path / "new" / "folder" / "mine.yaml").read_text().startswith("# a")  # what is there stays
    assert os.listdir(tmp_path / "new" / "folder") == ["mine.yaml"]


def test_older_names(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "deprecations", {"old-name": "new.name", "gone.now": None})
    mine = {"old_name": 1, "new": {"other": 2}}
    assert config.rename(config=mine) == {"old-name": "new.name"} and mine == {"new": {"other": 2, "name": 1}}
    with pytest.warns(FutureWarning, match=r"new\.name"), config.set(old_name=5):
        assert config.get("new.name") == 5
    with pytest.raises(ValueError, match="gone.now"):
        config.set({"gone.now": 1})
    (tmp_path / "1.yaml").write_text("old-name: 1\ngone: {now: 1}\n")
    with pytest.warns(FutureWarning) as said:
        assert config.collect([tmp_path], {}) == {"new": {"name": 1}, "gone": {}}
    assert len(said) == 2
    (tmp_path / "2.yaml").write_text("new: {name: 3}\nignore-deprecated: {gone: {now: 1}}\n")
    assert config.collect([tmp_path], {})["new"] == {"name": 3}  # and no warning: warnings are errors here


def test_settings_of_dask(tmp_path):
    (tmp_path / "x.yaml").write_text("mine: {a: 1}\n")
    program = (
        "import dask; c = dask.config; print(c.get('mine.a'), c.get('mine.b'), c.get('array.chunk-size'), c.collect_env({'DASK_X_Y': '1', 'MUSTER_Z': '2'}))\n"
        "c.PATH = 'elsewhere'\nimport muster\nprint(muster.config.PATH)"
    )
    (tmp_path / "program.py").write_text(program)
    env = {**os.environ, "DASK_CONFIG": str(tmp_path), "DASK_MINE__B": "2"}
    done = subprocess.run([sys.executable, "-m", "muster.as_dask", str(tmp_path / "program.py")], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.splitlines() == ["1 2 128MiB {'x_y': 1, 'z': 2}", "elsewhere"]
