"""Fail if a document names a file of the project that is not there."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
problems = []
for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
    for path in re.findall(r"`((?:src|include|python|tests|bench|tools|examples|docs|\.ci)/[\w./-]*)`", (root / name).read_text()):
        if "/x" in path or "*" in path:
            continue
        if not (root / path).exists():
            problems.append(f"{name} names {path}, which is not there")
print("\n".join(problems) or "documents: every path they name is there")
sys.exit(bool(problems))
