"""Fail if a document, a docstring, a comment or a message names a file or a name of the Python package that is not there.

And if a source does not begin with what it is, or has a line beyond 160 characters.
"""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
PATH = re.compile(r"`((?:src|include|python|tests|bench|tools|examples|docs|\.ci)/[\w./-]*)`")
NAME = re.compile(r"(?<![\w./\"'-])muster((?:\.[A-Za-z_]\w*)+)(?![\w/])")
NO_NAMES = {"cpp", "hpp", "def", "git", "log", "py", "pyi", "so", "yaml"}  # endings of files
TO_COME = ("array", "ml", "sql")  # packages
BEGINS = {".cpp": "//", ".hpp": "//", ".py": ('"""', "#")}
LONGEST = 160


def is_there(parts):
    """Whether a dotted name of the package leads to a module, and what follows that is written in it."""
    place = root / "python/muster"
    for i, part in enumerate(parts):
        if (place / part).is_dir():
            place = place / part
            continue
        module = place / f"{part}.py"
        file = module if module.exists() else place / "__init__.py"
        rest = parts[i + 1 :] if module.exists() else parts[i:]
        text = file.read_text() + (file.with_suffix(".pyi").read_text() if file.with_suffix(".pyi").exists() else "")
        return not rest or rest[0].startswith("__") or re.search(rf"\b{rest[0]}\b", text) is not None
    return True


problems = []
files = [
    *root.glob("*.md"), *(path for folder in ("src", "include", "python", "tests", "bench", "tools", "examples", "docs") for path in (root / folder).rglob("*"))
]
for path in sorted(files):
    name = path.relative_to(root).as_posix()
    if path.suffix not in (".md", ".py", ".pyi", ".cpp", ".hpp", ".def") or "/." in name:
        continue
    text = path.read_text()
    begins = text.startswith(BEGINS.get(path.suffix, ""))
    if path.suffix == ".cpp" and not begins:  # the header beside it says it
        begins = path.with_suffix(".hpp").exists() and path.with_suffix(".hpp").read_text().startswith("//")
    if text and not begins:
        problems.append(f"{name} does not begin with what it is, and which invariants it keeps")
    if path.suffix != ".md":
        lengths = enumerate(map(len, text.splitlines()), 1)
        problems += [f"{name}:{number} has {length} characters, at most {LONGEST} may be" for number, length in lengths if length > LONGEST]
    for found in PATH.finditer(text):
        if "/x" not in found[1] and "*" not in found[1] and not (root / found[1]).exists():
            problems.append(f"{name} names {found[1]}, which is not there")
    for found in [] if name.startswith("tests/") else NAME.finditer(text):  # tests name what must not be there
        parts = found[1][1:].split(".")
        if parts[-1] in NO_NAMES or parts[0] in ("_core", "_generated", *TO_COME):
            continue
        if not is_there(parts):
            problems.append(f"{name} names muster{found[1]}, which is not there")
print("\n".join(sorted(set(problems))) or "documents: every path and name they mention is there, every source says what it is")
sys.exit(bool(problems))
