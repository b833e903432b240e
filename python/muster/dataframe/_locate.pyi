"""Types of the places."""

from typing import Any

from muster._base.types import Axis

class ByLabel:
    def __getitem__(self, key: Any) -> Any: ...
    def __call__(self, axis: Axis | None = None) -> ByLabel: ...

class ByPosition:
    def __getitem__(self, key: Any) -> Any: ...
