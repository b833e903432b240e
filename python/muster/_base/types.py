"""Names for types that signatures share; only type checkers read them."""

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from muster.distributed import Client

Axis: TypeAlias = Literal[0, 1, "index", "columns", "rows"]
Function: TypeAlias = Callable[..., Any]
Keep: TypeAlias = Literal["first", "last", False]
Label: TypeAlias = Hashable
Labels: TypeAlias = Hashable | list[Any]
Options: TypeAlias = Mapping[str, Any]
Scheduler: TypeAlias = "str | Client | Executor | Callable[..., Any]"
Side: TypeAlias = Literal["both", "neither", "left", "right"]
