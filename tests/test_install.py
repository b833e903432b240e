"""The install tree and the wheel: they work where the source and the build are not."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

import muster

ROOT = pathlib.Path(__file__).resolve().parents[1]
PREFIX = pathlib.Path(muster.__file__).parent


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A moved copy of the installed prefix."""
    folder = tmp_path_factory.mktemp("prefix") / "muster"
    shutil.copytree(PREFIX, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_consumer_project(prefix, tmp_path):
    subprocess.run(["cmake", "-S", ROOT / "tests/consumer", "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", tmp_path / "build"], check=True, stdout=subprocess.DEVNULL)
    out = subprocess.run([tmp_path / "build/consumer"], cwd=tmp_path, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert "all checks passed" in out.stdout


def test_the_compiler_finds_misuse():
    """What would do nothing does not compile, and dropped results warn."""
    source = ROOT / "tests/consumer/misuse.cpp"
    done = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", f"-I{PREFIX}/include", source], capture_output=True, text=True)
    found = set(re.findall(r"misuse\.cpp:(\d+):\d+: (error|warning):", done.stderr))
    marked = {(str(number), match[1]) for number, line in enumerate(source.read_text().splitlines(), 1) if (match := re.search(r"// (error|warning)$", line))}
    assert found == marked
    assert 'df = df.assign("fare", ...)' in done.stderr


def test_public_functions_say_that_their_results_count():
    """What returns a plain value has the attribute itself; the classes have it as types."""
    for header in (PREFIX / "include/muster").glob("*.hpp"):
        text = header.read_text()
        marked = set(re.findall(r"^class \[\[nodiscard\]\] (\w+)", text, re.M))
        assert set(re.findall(r"^class (?:MUSTER_API )?(\w+)[^;]*\{", text, re.M)) - {
            "Error", "Operand", "ColumnName", "parse_dates", "Cluster", "Function"
        } <= marked, header
        dropped = re.findall(r"^  (?:bool|int64_t|double|std::[\w:<>, ]+|const [\w:<>]+&) (\w+)\([^;{]*\) const(?: \{.*\}|;)", text, re.M)
        assert set(dropped) <= {"to_parquet"}, (header, dropped)


def test_no_public_header_includes_a_library():
    for header in (PREFIX / "include/muster").glob("*.hpp"):
        for included in re.findall(r"#include [<\"](.*?)[>\"]", header.read_text()):
            assert included.startswith("muster/") or "/" not in included and not included.endswith(".h"), (header, included)


def test_wheel(tmp_path):
    """The wheel is self-contained: every library it needs is in it or in any Linux with Python."""
    raw = tmp_path / "raw"
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-build-isolation", "--no-deps",
            "--config-settings=build-dir=build/wheel", "-w", raw, ROOT
        ],
        check=True, env=environment, cwd=ROOT
    )
    subprocess.run([sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "-w", tmp_path, next(raw.glob("*.whl"))], check=True, env=environment)
    (wheel,) = tmp_path.glob("*.whl")
    folder = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(folder)
    system = {
        "libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2", "libz.so.1",
        "linux-vdso.so.1"
    }
    for library in [*folder.rglob("*.so"), *folder.rglob("*.so.*")]:
        needed = re.findall(r"NEEDED\s+(\S+)", subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout)
        for name in needed:
            assert name in system or list(folder.rglob(name)), f"{library.name} needs {name}"
    node = folder / "muster/bin/muster-node"
    node.chmod(0o755)  # zipfile leaves the mode behind, pip does not
    assert "usage" in subprocess.run([node], env={"PATH": "/nowhere"}, capture_output=True, text=True).stderr
    (tmp_path / "a.csv").write_text("k,x\na,1\nb,2\na,4\n")
    question = (
        "import sys; sys.path.insert(0, sys.argv[1]); import muster, muster.dataframe as dd; assert muster.__file__.startswith(sys.argv[1]); "
        "print(dd.read_csv(sys.argv[2]).groupby('k').x.mean().compute().to_dict())"
    )
    bare = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", question, folder, tmp_path / "a.csv"], env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "{'a': 2.5, 'b': 2.0}" in done.stdout


def test_wrong_python_is_one_sentence(prefix, tmp_path):
    (built,) = prefix.glob("_core.*.so")
    renamed = built.with_name("_core.cpython-310-x86_64-linux-gnu.so")
    built.rename(renamed)
    try:
        done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(prefix.parent)!r}); import muster"], capture_output=True, text=True)
        assert "ImportError: this muster was built for another Python" in done.stderr and "pip install" in done.stderr
    finally:
        renamed.rename(built)


def test_a_missing_package_is_one_sentence(tmp_path):
    done = subprocess.run(
        ["cmake", "-S", ROOT, "-B", tmp_path, "-DCMAKE_FIND_ROOT_PATH=/nowhere", "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY"], capture_output=True, text=True
    )
    assert done.returncode != 0 and "sudo apt-get install libhwy-dev" in done.stderr


def test_import_is_light():
    code = (
        "import time; t = time.process_time(); import muster, muster.dataframe; t = time.process_time() - t; "
        "import sys; print(t, *(library in sys.modules for library in ('pandas', 'pyarrow', 'numpy')))"
    )
    times = []
    for _ in range(3):
        seconds, *loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        assert loaded == ["False"] * 3
        times.append(float(seconds))
    assert min(times) < 0.3
