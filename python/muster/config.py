"""Configuration: YAML files, environment variables, and `set`, as the field's other systems have it.

Values are looked up by dotted keys. Files: ``/etc/muster/*.yaml``, ``~/.config/muster/*.yaml``, the folder or file in ``MUSTER_CONFIG``. Variables:
``MUSTER_NUM_WORKERS=2`` is ``num-workers``, ``MUSTER_DATAFRAME__CONVERT_STRING=false`` is ``dataframe.convert-string``.
"""

import ast
import contextlib
import copy
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

defaults = [{"scheduler": None, "num-workers": None, "memory-limit": None, "temporary-directory": None, "dataframe": {"convert-string": None, "shuffle": {"method": None}}}]
config: dict[str, Any] = {}
config_lock = threading.RLock()
_missing = object()


def canonical_name(key: str, config: Mapping[str, Any]) -> str:
    """Return the name under which `key` stands in `config`: hyphen and underscore are the same."""
    for name in (key, str(key).replace("_", "-"), str(key).replace("-", "_")):
        if name in config:
            return name
    return key


def update(old: dict[str, Any], new: Mapping[str, Any], priority: str = "new") -> dict[str, Any]:
    """Merge the nested dict `new` into `old` and return `old`; with priority="old" what is there stays."""
    for key, value in new.items():
        name = canonical_name(key, old)
        if isinstance(value, dict):
            if not isinstance(old.get(name), dict):
                old[name] = {}
            update(old[name], value, priority)
        elif priority == "new" or name not in old:
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

    with open(path) as file:
        data = yaml.safe_load(file)
    if data is not None and not isinstance(data, dict):
        raise ValueError(f"config file {path!r} must hold a mapping, holds {type(data).__name__}")
    return data or {}


def collect_yaml(paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return the contents of the YAML files in these files and folders, in order."""
    found = []
    for path in paths:
        if os.path.isdir(path):
            with contextlib.suppress(PermissionError):
                found += [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith((".yaml", ".yml", ".json"))]
        elif os.path.isfile(path):
            found.append(path)
    return [_read_yaml(path) for path in found]


def interpret_value(value: str) -> Any:
    """Return the Python literal a text is, else the text."""
    try:
        return ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return {"true": True, "false": False, "none": None, "null": None}.get(value.lower(), value)


_OWN_VARIABLES = ("MUSTER_CONFIG", "MUSTER_LOG", "MUSTER_NODE", "MUSTER_SYS_PATH", "MUSTER_AS_DASK")


def collect_env(env: Mapping[str, str] | None = None, prefix: str = "MUSTER_") -> dict[str, Any]:
    """Return the nested dict that MUSTER_ variables stand for."""
    out = {}
    for name, value in (os.environ if env is None else env).items():
        if name.startswith(prefix) and name not in (*_OWN_VARIABLES, f"{prefix}CONFIG"):
            _assign([part.lower().replace("_", "-") for part in name[len(prefix) :].split("__")], interpret_value(value), out)
    return out


def read_dask() -> None:
    """Read Dask's files and variables too; what muster's say goes before."""
    paths = ["/etc/dask", os.path.expanduser("~/.config/dask"), *([os.environ["DASK_CONFIG"]] if "DASK_CONFIG" in os.environ else [])]
    update(config, merge(*collect_yaml(paths), collect_env(prefix="DASK_"), collect()))


def collect(paths: Iterable[str] | None = None, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the configuration of files and environment."""
    if paths is None:
        paths = ["/etc/muster", os.path.expanduser("~/.config/muster"), *([os.environ["MUSTER_CONFIG"]] if "MUSTER_CONFIG" in os.environ else [])]
    return merge(*collect_yaml(paths), collect_env(env))


def refresh(config: dict[str, Any] | None = None, defaults: list[dict[str, Any]] = defaults, **kwargs: Any) -> None:
    """Read files and environment again; values set in the program are forgotten."""
    config = globals()["config"] if config is None else config
    config.clear()
    for default in defaults:
        update(config, copy.deepcopy(default), "old")
    update(config, collect(**kwargs))


def update_defaults(new: Mapping[str, Any], config: dict[str, Any] | None = None, defaults: list[dict[str, Any]] = defaults) -> None:
    """Add defaults, for libraries built on muster."""
    defaults.append(new)
    update(globals()["config"] if config is None else config, new, "old")


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
    result = globals()["config"] if config is None else config
    for part in key.split("."):
        try:
            result = result[canonical_name(part, result)]
        except (TypeError, IndexError, KeyError):
            if default is _missing:
                raise KeyError(f"config has no {key!r}") from None
            return default
    return result


def _assign(keys, value, config):
    for key in keys[:-1]:
        key = canonical_name(key, config)
        if not isinstance(config.get(key), dict):
            config[key] = {}
        config = config[key]
    config[canonical_name(keys[-1], config)] = value


# What the field's programs set besides `defaults`; what stands below a name with a star is not looked at.
_ACCEPTED = frozenset(
    "admin* annotations array* bag* callbacks cloudprovider* dataframe.backend dataframe.parquet* dataframe.query-planning dataframe.query-planning-warning dataframe.shuffle* delayed-pure distributed* func-dumps "
    "func-loads fuse* gateway* get jobqueue* kubernetes* labextension* multiprocessing* optimization* optimize pool shuffle tokenize* visualization* yarn*".split()
)


def _check_key(key, value):
    """Refuse a key that is a known one misspelt, or not known below a name of ours; other programs keep settings of their own here."""
    from muster import _keywords

    here, before = config, ""
    for part in key.replace("_", "-").split("."):
        if f"{before}{part}*" in _ACCEPTED:
            return
        names = {str(n).replace("_", "-") for n in here} if isinstance(here, dict) else frozenset()
        names = names | {n[len(before) :].split(".")[0].rstrip("*") for n in _ACCEPTED if n.startswith(before)}
        if part not in names:
            namespace = "." in key or isinstance(value, dict)
            if not before.startswith("dataframe.") and (before or not _keywords.nearest(part, names, 0.8 if namespace else 0.6)):
                return  # a setting of somebody else's
            raise KeyError(f"config has no {key!r}{_keywords.nearest(part, names)}")
        here = here.get(canonical_name(part, here)) if isinstance(here, dict) else None
        before += f"{part}."
    for k, v in value.items() if isinstance(value, dict) else ():
        _check_key(f"{key}.{k}", v)


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
        if config is None:
            for key, value in values.items():
                _check_key(str(key), value)
        with self.lock:
            self.before = copy.deepcopy({k: v for k, v in self.config.items() if isinstance(v, dict)}) | {k: v for k, v in self.config.items() if not isinstance(v, dict)}
            for key, value in values.items():
                _assign(key.split("."), value, self.config)

    def __enter__(self) -> dict[str, Any]:
        return self.config

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self.config.clear()
            self.config.update(self.before)


refresh()
