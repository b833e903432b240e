"""The examples in the comments of the public headers compile, and print what stands behind them."""

import pathlib
import re
import subprocess

import pytest

import muster

PREFIX = pathlib.Path(muster.__file__).parent
HEADERS = sorted((PREFIX / "include/muster").glob("*.hpp"))
FRAMES = {"trips": "city,fare\nb,3\na,1\nb,2\nc,4\n", "cities": "city,name\na,Aba\nb,Bo\n"}  # of which dataframe.hpp says what they are
MARK = "\x1e"


def examples():
    """Yield (header and line, code, output) of each example: lines of a comment that are indented, of which the last are comments themselves."""
    for header in HEADERS:
        block, begin = [], 0
        for number, line in enumerate(header.read_text().splitlines() + [""], 1):
            if found := re.match(r"\s*///     (.*)", line):
                begin = begin if block else number
                block.append(found[1])
            elif block:
                code = [text for text in block if not text.startswith("//")]
                yield f"{header.name}:{begin}", "\n".join(code), [text[3:] for text in block[len(code) :]]
                block = []


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each example prints, as lines."""
    folder = tmp_path_factory.mktemp("examples")
    for name, rows in FRAMES.items():
        (folder / f"{name}.csv").write_text(rows)
    frames = "".join(f'  const auto {name} = read_csv("{name}.csv");\n' for name in FRAMES)
    blocks = "".join(f'  {{\n{code}\n  }}\n  std::cout << "{MARK}";\n' for _, code, _ in EXAMPLES)
    (folder / "examples.cpp").write_text(
        f"#include <iostream>\n#include <muster/muster.hpp>\nusing namespace muster;\nint main() {{\n{frames}{blocks}}}\n"
    )
    subprocess.run(
        [
            "g++", "-std=c++20", "-Wall", "-Werror", f"-I{PREFIX}/include", "examples.cpp", "-o", "examples", f"-L{PREFIX}/lib", "-lmuster",
            f"-Wl,-rpath,{PREFIX}/lib"
        ],
        cwd=folder, check=True
    )
    done = subprocess.run(["./examples"], cwd=folder, check=True, capture_output=True, text=True)
    return [[line.rstrip() for line in out.rstrip("\n").split("\n")] for out in done.stdout.split(MARK)]


def test_there_are_examples():
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[place for place, _, _ in EXAMPLES])
def test_example(outputs, number):
    assert outputs[number] == [line.rstrip() for line in EXAMPLES[number][2]]
