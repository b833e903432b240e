"""Fail if a file uses what its layer may not: C++ folders by what they include, the Python package by what it imports. The tables are those of ARCHITECTURE.md.

Of C++, besides: what plans and runs knows no operator and no kernel by its name, but by what these say of themselves (src/expr/op.hpp, src/data/traits.hpp).

Of Python, besides: no circle of files, at the head of files or inside functions, and few imports inside functions at all, so that the head of a file says what
it stands on.
"""

import ast
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
MOST_INSIDE_FUNCTIONS = 15  # imports of the package's own modules
LIBRARIES = {"numpy", "pandas", "pyarrow"}  # imported when first used, by one module
THEIR_DOOR = "muster._base.libraries"
NAMELESS = ("plan", "expr", "api", "worker")  # folders of src/ in which no operator's or kernel's name is written


def rows(cells):
    """Yield the rows of so many cells of ARCHITECTURE.md's tables, without marks of code."""
    for line in (root / "ARCHITECTURE.md").read_text().splitlines():
        row = [c.strip().replace("`", "") for c in line.strip().strip("|").split("|")]
        if len(row) == cells:
            yield row


def listed(cell):
    return [c.strip() for c in cell.split(",") if c.strip() != "–"]


def check_includes():
    """Return (number of C++ folders, problems)."""
    allowed = {}
    for folders, may in rows(2):
        if re.fullmatch(r"[a-z/, ]+", folders) and re.fullmatch(r"[a-z/, –-]+", may) and folders != "folder":
            for folder in listed(folders):
                allowed[folder] = set(listed(may))
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
                problems.append(
                    f"{path.relative_to(root)} includes {included}: {folder} may include {', '.join(sorted(allowed.get(folder, set()))) or 'nothing else'}"
                )
    return len(allowed), problems


def check_names():
    """Return (number of names of operators and kernels, problems)."""
    names, arguments = set(), set()
    for path in (root / "src").rglob("*.?pp"):
        text = path.read_text()
        names.update(re.findall(r'\.name = "([\w.]+)"|of_each_column\("(\w+)"', text))
        arguments.update(re.findall(r'(?:\[|has\()"(\w+)"|[{ ]\{"(\w+)", ', text))
    names, arguments = ({name for found in all for name in found if name} for all in (names, arguments))
    problems = []
    for path in sorted(path for folder in NAMELESS for path in (root / "src" / folder).rglob("*.?pp")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = re.sub(r"//.*", "", line)
            for found in re.finditer(r'"([\w.]+)"|\boperators::\w+', code):
                before, after = code[: found.start()], code[found.end() :]
                called = found[1] and re.search(r"\b(call|op|traits|kernel)\($", before) and after[:1] in (",", ")")
                compared = re.search(r"(op(->|\.)name|\b(kernel|whole|source)) [!=]= $", before)
                value = re.search(r'\{"\w+", $', before)
                if called or compared or found[1] in names - arguments and not value:
                    problems.append(
                        f"{path.relative_to(root)}:{number} names {found[0]}: ask what it says of itself (Op, Traits), or call it by api/operators.hpp"
                    )
    return len(names), problems


def imported(path, module, modules):
    """Yield (imported module, line, whether inside a function) of a file; a name that is a module counts as that. What only type checkers read is left out."""

    def names(node):
        if isinstance(node, ast.Import):
            return [a.name for a in node.names]
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        origin = ".".join(filter(None, [package, node.module])) if node.level else node.module
        return [f"{origin}.{a.name}" if f"{origin}.{a.name}" in modules else origin for a in node.names]

    pending = [(ast.parse(path.read_text()), False)]
    while pending:
        node, inside = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((name, node.lineno, inside) for name in names(node))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        pending += [(child, inside) for child in ast.iter_child_nodes(node)]


def circle(needs):
    """Return the modules of a circle, in its order; none if there is no circle."""
    done, way = set(), []

    def enter(module):
        if module in way:
            return way[way.index(module) :]
        if module in done:
            return []
        way.append(module)
        found = next(filter(None, map(enter, sorted(needs[module]))), [])
        way.pop()
        done.add(module)
        return found

    return next(filter(None, map(enter, sorted(needs))), [])


def check_imports():
    """Return (number of Python layers, problems)."""
    package = root / "python/muster"
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    layer_of, allowed = {}, {}
    for layer, files, may in rows(3):
        if layer != "layer" and re.fullmatch(r"[a-z_]+", layer) and re.fullmatch(r"[a-z_/, ]+", files) and re.fullmatch(r"[a-z_, –]+", may):
            allowed[layer] = {layer, *listed(may)}
            layer_of.update({f"muster.{file.rstrip('/')}": layer for file in listed(files)})
    problems, needs, inside_functions = [], {module: set() for module in modules}, []
    for module, path in modules.items():
        file, layer = path.relative_to(root), layer_of.get(".".join(module.split(".")[:2]))
        if layer is None and module != "muster":
            problems.append(f"{file} is in no layer of ARCHITECTURE.md")
            continue
        for name, line, inside in imported(path, module, modules):
            if name.split(".")[0] in LIBRARIES and module != THEIR_DOOR:
                problems.append(f"{file}:{line} imports {name}: take it from {THEIR_DOOR}")
            if not name.startswith("muster.") or name == "muster._core" or name == module:
                continue
            if inside:
                inside_functions.append(f"{file}:{line}")
            if name in needs:
                needs[module].add(name)
            target = layer_of.get(".".join(name.split(".")[:2]))
            if target not in allowed.get(layer, ()):
                problems.append(f"{file}:{line} imports {name}: {layer} may import {', '.join(sorted(allowed.get(layer, set()) - {layer})) or 'nothing else'}")
    if found := circle(needs):
        problems.append(f"the files of python/muster import each other in a circle: {' -> '.join([*found, found[0]])}")
    if len(set(inside_functions)) > MOST_INSIDE_FUNCTIONS:
        problems.append(
            f"{len(set(inside_functions))} imports of python/muster's own modules stand inside functions, at most {MOST_INSIDE_FUNCTIONS} may: "
            f"{', '.join(sorted(set(inside_functions)))}"
        )
    return len(allowed), problems


folders, problems = check_includes()
names, named = check_names()
layers, more = check_imports()
problems += named + more
print(
    "\n".join(problems)
    or f"layers: {folders} folders, no forbidden include, none of {names} names where none may be; {layers} layers of Python, no forbidden import, no circle"
)
sys.exit(bool(problems))
