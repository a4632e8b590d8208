"""A random sample that is the same on every machine."""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(items: Sequence[T], limit: int | None, text: Callable[[T], str]) -> list[T]:
    """Return the items whose texts have the lowest SHA-256, at most ``limit``, in their order."""

    def digest(place: int) -> tuple[str, int]:
        return hashlib.sha256(text(items[place]).encode()).hexdigest(), place

    chosen = sorted(range(len(items)), key=digest)[:limit]
    return [items[place] for place in sorted(chosen)]
