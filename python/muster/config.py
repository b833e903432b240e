"""Configuration: YAML files, environment variables, and `set`, as the field's other systems have it.

Values are looked up by dotted keys, in which hyphen and underscore are the same. Files: ``/etc/muster/*.yaml`` (or the folder in ``MUSTER_ROOT_CONFIG``),
``etc/muster`` of the Python environment,
``~/.config/muster/*.yaml``, the folder or file in ``MUSTER_CONFIG``. Variables: ``MUSTER_NUM_WORKERS=2`` is ``num-workers``,
``MUSTER_DATAFRAME__CONVERT_STRING=false`` is ``dataframe.convert-string``.
"""

import ast
import base64
import builtins
import contextlib
import copy
import functools
import json
import os
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from muster._base import dask_settings
from muster._base.keywords import nearest

defaults: list[Mapping[str, Any]] = [
    {
        "scheduler": None, "num-workers": None, "memory-limit": None, "temporary-directory": None,
        "dataframe": {"convert-string": None, "shuffle": {"method": None}}
    }
]
config: dict[str, Any] = {}
global_config = config
config_lock = threading.RLock()
deprecations: dict[str, str | None] = {}
"""Older names of settings, and what they are called now; None: there is no such setting any more."""
PATH = os.environ.get("MUSTER_CONFIG") or os.path.expanduser("~/.config/muster")
_missing = object()
_read = ["muster"]  # whose files and variables are read; what later ones say goes before


def canonical_name(key: str, config: Mapping[str, Any]) -> str:
    """Return the name under which `key` stands in `config`: hyphen and underscore are the same."""
    for name in _spellings(key):
        if name in config:
            return name
    return key


@functools.lru_cache(1024)
def _spellings(key):
    return key, str(key).replace("_", "-"), str(key).replace("-", "_")


def update(old: dict[str, Any], new: Mapping[str, Any], priority: str = "new", defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Merge the nested dict `new` into `old` and return `old`.

    Parameters
    ----------
    old, new : dict
    priority : {"new", "old", "new-defaults"}
        Which value stays where both have one; "new-defaults": the new one if the old one is that of `defaults`.
    defaults : dict, optional
        For "new-defaults".

    Examples
    --------
    >>> from muster import config
    >>> config.update({"x": 1, "y": {"a": 2}}, {"x": 2, "y": {"b": 3}}, priority="old")
    {'x': 1, 'y': {'a': 2, 'b': 3}}
    """
    for key, value in new.items():
        name = canonical_name(key, old)
        default = defaults.get(canonical_name(key, defaults), _missing) if isinstance(defaults, Mapping) else _missing
        if isinstance(value, Mapping):
            if not isinstance(old.get(name), dict):
                old[name] = {}
            update(old[name], value, priority, default if isinstance(default, Mapping) else None)
        elif priority == "new" or name not in old or (priority == "new-defaults" and default is not _missing and default == old[name]):
            old[name] = value
    return old


def merge(*dicts: Mapping[str, Any]) -> dict[str, Any]:
    """Return one nested dict of all; later ones win."""
    out = {}
    for d in dicts:
        update(out, copy.deepcopy(d))
    return out


def _read_yaml(path):
    import yaml

    try:
        with open(path) as file:
            data = yaml.safe_load(file.read()) or {}
    except OSError:
        return None
    except yaml.YAMLError as error:
        raise ValueError(f"config file {os.fspath(path)!r} is malformed, original error message:\n\n{error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"config file {os.fspath(path)!r} is malformed: it must have a dict at the top level, has a {type(data).__name__}")
    return data


def _default_paths():
    out = []
    for name in _read:
        out += [
            os.environ.get(f"{name.upper()}_ROOT_CONFIG", f"/etc/{name}"), os.path.join(sys.prefix, "etc", name), os.path.expanduser(f"~/.config/{name}"),
            os.environ.get(f"{name.upper()}_CONFIG")
        ]
    return list(dict.fromkeys(path for path in out if path))


def collect_yaml(paths: Iterable[str | os.PathLike[str]] | None = None, *, return_paths: bool = False) -> Iterator[Any]:
    """Yield the contents of the YAML files in these files and folders, in order; what cannot be read is left out.

    Parameters
    ----------
    paths : list of path, optional
        Default: where configuration is looked for.
    return_paths : bool, default False
        Yield pairs of path and contents.

    Raises
    ------
    ValueError
        If a file is no YAML, or does not hold a dict; the message names it.
    """
    found: list[Any] = []
    for path in _default_paths() if paths is None else paths:
        if os.path.isdir(path):
            with contextlib.suppress(PermissionError):
                found += [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith((".yaml", ".yml", ".json"))]
        elif os.path.isfile(path):
            found.append(path)
    for path in found:
        data = _read_yaml(path)
        if data is not None:
            yield (path, data) if return_paths else data


def paths_containing_key(key: str, paths: Iterable[str | os.PathLike[str]] | None = None) -> Iterator[Any]:
    """Yield the YAML files that say something about a dotted key."""
    for path, data in collect_yaml(paths, return_paths=True):
        if _find(key, data) is not _missing:
            yield path


def interpret_value(value: str) -> Any:
    """Return the Python literal a text is, else the text."""
    try:
        return ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return {"true": True, "false": False, "none": None, "null": None}.get(value.lower(), value)


_OWN_VARIABLES = ("CONFIG", "ROOT_CONFIG", "LOG", "NODE", "SYS_PATH", "AS_DASK")
_INHERITED = "INTERNAL_INHERIT_CONFIG"


def collect_env(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the nested dict that MUSTER_ variables stand for."""
    env = os.environ if env is None else env
    out: dict[str, Any] = {}
    for prefix in (f"{name.upper()}_" for name in _read):
        for name, value in env.items():
            if name == prefix + _INHERITED:
                update(out, deserialize(value))
            elif name.startswith(prefix) and name[len(prefix) :] not in _OWN_VARIABLES:
                _assign(name[len(prefix) :].lower().split("__"), interpret_value(value), out)
    return out


def serialize(data: Any) -> str:
    """Return settings as a text for an environment variable; see `deserialize`."""
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode()


def deserialize(data: str) -> Any:
    """Return the settings of a text that `serialize` made."""
    return json.loads(base64.urlsafe_b64decode(data.encode()).decode())


def expand_environment_variables(config: Any) -> Any:
    """Return settings in which ``$NAME`` in texts is what the environment says, also inside dicts, lists, tuples and sets.

    Examples
    --------
    >>> import os
    >>> from muster import config
    >>> os.environ["WHERE"] = "here"
    >>> config.expand_environment_variables({"path": ["/data/$WHERE"]})
    {'path': ['/data/here']}
    """
    if isinstance(config, Mapping):
        return {k: expand_environment_variables(v) for k, v in config.items()}
    if isinstance(config, str):
        return os.path.expandvars(config)
    if isinstance(config, (list, tuple, builtins.set)):
        return type(config)(expand_environment_variables(v) for v in config)
    return config


def ensure_file(source: str | os.PathLike[str], destination: str | os.PathLike[str] | None = None, comment: bool = True) -> None:
    """Copy a YAML file of settings into a folder, unless it is there.

    Parameters
    ----------
    source : path
    destination : path, optional
        Folder, made if there is none; default `PATH`.
    comment : bool, default True
        Comment all lines out: an example of what can be set.
    """
    folder = PATH if destination is None else destination
    path = os.path.join(folder, os.path.basename(source))
    with contextlib.suppress(OSError):  # a home that cannot be written to needs no example
        os.makedirs(folder, exist_ok=True)
        if os.path.exists(path):
            return
        with open(source) as file:
            lines = file.readlines()
        whole = f"{path}.{os.getpid()}"
        with open(whole, "w") as file:
            file.writelines(f"# {line}" if comment and line.strip() and not line.startswith("#") else line for line in lines)
        os.replace(whole, path)


def rename(deprecations: Mapping[str, str | None] | None = None, config: dict[str, Any] | None = None) -> dict[str, str]:
    """Give settings under older names their new ones, in place; return those that were found, {old: new}."""
    deprecations = globals()["deprecations"] if deprecations is None else deprecations
    config = globals()["config"] if config is None else config
    values = {}
    for old, new in deprecations.items():
        if new is not None:
            value = _find(old, config, take=True)
            if value is not _missing:
                values[old.replace("_", "-")] = (new, value)
    for new, value in values.values():
        _assign(new.split("."), value, config)
    return {old: new for old, (new, _) in values.items()}


def _renamed(settings):
    """Yield settings with today's names; what is said under today's names later needs no warning."""
    old_names, gone = {}, {}
    for config in settings:
        config = copy.deepcopy(config)
        for old, new in list(old_names.items()):
            if _find(new, config) is not _missing:
                del old_names[old]
        old_names.update(rename(config=config))
        for key in [k for k, new in deprecations.items() if new is None]:
            if _find(key, config, take=True) is not _missing:
                gone[key] = True
            if _find(f"ignore-deprecated.{key}", config) is not _missing:
                gone.pop(key, None)
        yield config
    for old, new in old_names.items():
        warnings.warn(f"setting {old!r} is called {new!r} now", FutureWarning, stacklevel=2)
    for key in gone:
        warnings.warn(f"there is no setting {key!r} any more; where older programs need it, say so by ignore-deprecated.{key}", FutureWarning, stacklevel=2)


def read_dask() -> None:
    """Read Dask's files and variables too; what muster's say goes before."""
    if "dask" not in _read:
        _read.insert(0, "dask")
        deprecations.update(dask_settings.RENAMED)
        update_defaults(dask_settings.DEFAULTS)
        globals()["PATH"] = os.environ.get("DASK_CONFIG") or os.path.expanduser("~/.config/dask")
    update(config, collect())


def collect(paths: Iterable[str | os.PathLike[str]] | None = None, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the configuration of files and environment."""
    return merge(*_renamed([*collect_yaml(paths), collect_env(env)]))


def refresh(config: dict[str, Any] | None = None, defaults: list[Mapping[str, Any]] = defaults, **kwargs: Any) -> None:
    """Read files and environment again; values set in the program are forgotten."""
    config = globals()["config"] if config is None else config
    config.clear()
    for default in defaults:
        update(config, copy.deepcopy(default))
    update(config, collect(**kwargs))


def update_defaults(new: Mapping[str, Any], config: dict[str, Any] | None = None, defaults: list[Mapping[str, Any]] = defaults) -> None:
    """Add defaults, for libraries built on muster: they replace older defaults, not what the user set."""
    before = merge(*defaults)
    defaults.append(new)
    update(globals()["config"] if config is None else config, copy.deepcopy(new), "new-defaults", before)


def get(key: str, default: Any = _missing, config: dict[str, Any] | None = None, override_with: Any = None) -> Any:
    """Return the value under a dotted key.

    Raises
    ------
    KeyError
        If it is not there and no default is given.

    Examples
    --------
    >>> import muster
    >>> with muster.config.set({"num-workers": 2}):
    ...     muster.config.get("num_workers")
    2
    """
    if override_with is not None:
        return override_with
    found = _find(key, globals()["config"] if config is None else config)
    if found is not _missing:
        return found
    if default is _missing:
        raise KeyError(f"config has no {key!r}")
    return default


def _find(key, config, take=False):
    """Return the value under a dotted key, _missing if there is none; with take=True it is taken out."""
    *above, last = key.split(".") if "." in key else (key,)
    try:
        for part in above:
            config = config[canonical_name(part, config)]
        name = canonical_name(last, config)
        return config.pop(name) if take else config.get(name, _missing)
    except (TypeError, AttributeError, IndexError, KeyError):
        return _missing


def pop(key: str, default: Any = _missing, config: dict[str, Any] | None = None) -> Any:
    """Take the value under a dotted key out and return it.

    Raises
    ------
    KeyError
        If it is not there and no default is given.
    """
    found = _find(key, globals()["config"] if config is None else config, take=True)
    if found is not _missing:
        return found
    if default is _missing:
        raise KeyError(f"config has no {key!r}")
    return default


def _assign(keys, value, config):
    for key in keys[:-1]:
        key = canonical_name(key, config)
        if not isinstance(config.get(key), dict):
            config[key] = {}
        config = config[key]
    config[canonical_name(keys[-1], config)] = value


# What the field's programs set besides `defaults`; what stands below a name with a star is not looked at.
_ACCEPTED = frozenset(
    "admin* annotations array* bag* callbacks cloudprovider* dataframe.backend dataframe.parquet* dataframe.query-planning dataframe.query-planning-warning "
    "dataframe.shuffle* delayed-pure distributed* func-dumps func-loads fuse* gateway* get jobqueue* kubernetes* labextension* multiprocessing* "
    "optimization* optimize pool shuffle tokenize* visualization* yarn*".split()
)


def _check_key(key, value):
    """Refuse a key that is a known one misspelt, or not known below a name of ours; other programs keep settings of their own here."""
    here, before = config, ""
    for part in key.replace("_", "-").split("."):
        if f"{before}{part}*" in _ACCEPTED:
            return
        names = {str(n).replace("_", "-") for n in here} if isinstance(here, dict) else frozenset()
        names = names | {n[len(before) :].split(".")[0].rstrip("*") for n in _ACCEPTED if n.startswith(before)}
        if part not in names:
            namespace = "." in key or isinstance(value, dict)
            if not before.startswith("dataframe.") and (before or not nearest(part, names, 0.8 if namespace else 0.6)):
                return  # a setting of somebody else's
            raise KeyError(f"config has no {key!r}{nearest(part, names)}")
        here = here.get(canonical_name(part, here)) if isinstance(here, dict) else None
        before += f"{part}."
    for k, v in value.items() if isinstance(value, dict) else ():
        _check_key(f"{key}.{k}", v)


def _current_name(key):
    old = key.replace("_", "-")
    if old not in deprecations:
        return key
    new = deprecations[old]
    if new is None:
        raise ValueError(f"there is no setting {key!r} any more")
    warnings.warn(f"setting {key!r} is called {new!r} now", FutureWarning, stacklevel=3)
    return new


class set:
    """Set values, for good or inside a `with` block.

    Keys that are nearly known ones are refused; settings of somebody else's own, such as ``myproject.retries``, are kept.

    Parameters
    ----------
    arg : dict, optional
        Values by dotted key.
    **kwargs
        Values by key; ``__`` stands for a dot.

    Raises
    ------
    KeyError
        If a key looks like a known one misspelt; the message names it.
    ValueError
        If there is no such setting any more (`deprecations`).

    Examples
    --------
    >>> import muster
    >>> with muster.config.set(scheduler="synchronous"):
    ...     muster.config.get("scheduler")
    'synchronous'
    """

    def __init__(self, arg: Mapping[str, Any] | None = None, config: dict[str, Any] | None = None, lock: Any = config_lock, **kwargs: Any) -> None:
        self.config = globals()["config"] if config is None else config
        self.lock = lock
        values = dict(arg or {})
        values.update({key.replace("__", "."): value for key, value in kwargs.items()})
        values = {_current_name(str(key)): value for key, value in values.items()}
        if config is None:
            for key, value in values.items():
                _check_key(key, value)
        with self.lock:
            self.before = copy.deepcopy({k: v for k, v in self.config.items() if isinstance(v, dict)}) | {
                k: v for k, v in self.config.items() if not isinstance(v, dict)
            }
            for key, value in values.items():
                _assign(key.split("."), value, self.config)

    def __enter__(self) -> dict[str, Any]:
        return self.config

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self.config.clear()
            self.config.update(self.before)


refresh()
