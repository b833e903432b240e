"""Fail if a file includes what its folder may not: the table of allowed includes is the one in ARCHITECTURE.md."""

import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
allowed = {}
for line in (root / "ARCHITECTURE.md").read_text().splitlines():
    cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
    if len(cells) == 2 and re.fullmatch(r"[a-z/, ]+", cells[0]) and re.fullmatch(r"[a-z/, –-]+", cells[1]) and cells[0] != "folder":
        for folder in cells[0].split(", "):
            allowed[folder] = {c.strip() for c in cells[1].split(",")} - {"–"}
problems = []
for folder in sorted({p.relative_to(root / "src").parts[0] for p in (root / "src").rglob("*.?pp")}):
    if folder not in allowed:
        problems.append(f"src/{folder} has no row in ARCHITECTURE.md")
for path in sorted([*(root / "src").rglob("*.?pp"), *(root / "python/src").rglob("*.?pp"), *(root / "include").rglob("*.hpp")]):
    parts = path.relative_to(root).parts
    folder = parts[1] if parts[0] == "src" else parts[0]
    for included in re.findall(r'#\s*include\s+[<"]((?:[a-z_]+/)+[a-z_]+\.hpp)[>"]', path.read_text()):
        target = "include" if included.startswith("muster/") else included.split("/")[0]
        if target == folder or target in ("nanobind", "hwy") or not (root / "src" / target).exists() and target != "include":
            continue
        if target not in allowed.get(folder, set()):
            problems.append(f"{path.relative_to(root)} includes {included}: {folder} may include {', '.join(sorted(allowed.get(folder, set()))) or 'nothing else'}")
print("\n".join(problems) or f"layers: {len(allowed)} folders, no forbidden include")
sys.exit(bool(problems))
