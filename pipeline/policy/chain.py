"""A log in which every entry holds the SHA-256 of the one before, so that changes are noticed.

The chain shows that an entry was edited, moved or removed. It cannot show by itself that entries
are missing at the end: for that a head is kept elsewhere.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline.errors import InputError

_BEFORE_THE_FIRST = "0" * 64


@dataclass(frozen=True)
class Head:
    """The end of a log, in the form that is kept elsewhere."""

    log: str  # SHA-256 of the log's first line, which identifies it
    entries: int
    digest: str  # SHA-256 of its last line

    def __str__(self) -> str:
        return f"{self.log}:{self.entries}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` has written; `InputError` if it is anything else."""
        log, _, rest = text.partition(":")
        entries, _, digest = rest.partition(":")
        if not entries.isdigit() or len(log) != 64 or len(digest) != 64:
            raise InputError(
                f"{text!r} is not the head of a log; restore the tag that it was read from"
            )
        return cls(log, int(entries), digest)


def link(last: str | None, entry: dict[str, Any]) -> str:
    """Return the line that follows ``last``; None stands for no line before the first."""
    number = 1 if last is None else json.loads(last)["entry"] + 1
    previous = _BEFORE_THE_FIRST if last is None else _digest(last)
    linked = {**entry, "entry": number, "previous": previous}
    return json.dumps(linked, sort_keys=True, ensure_ascii=False)


def check(lines: Sequence[str], where: str) -> Head | None:
    """Check that each line follows the one before; return the end, None if there are no lines.

    Raises:
        InputError: naming the first line that does not.
    """
    before = _BEFORE_THE_FIRST
    for number, line in enumerate(lines, start=1):
        entry = _parse(line, f"{where}:{number}")
        if entry.get("entry") != number or entry.get("previous") != before:
            raise InputError(
                f"{where}:{number}: does not follow the entry before it: an entry was edited, moved"
                " or removed; restore the log from a copy"
            )
        before = _digest(line)
    return Head(_digest(lines[0]), len(lines), before) if lines else None


def check_head(lines: Sequence[str], head: Head, where: str) -> None:
    """Check that a log, already verified, holds the entries up to a head kept elsewhere.

    Raises:
        InputError: where entries are missing at the end, or were changed.
    """
    if len(lines) < head.entries:
        raise InputError(
            f"{where}: has {len(lines)} entries, and the registry knows of {head.entries}: it was"
            " cut short; restore the log from a copy"
        )
    if _digest(lines[head.entries - 1]) != head.digest:
        raise InputError(
            f"{where}:{head.entries}: is not the entry that the registry knows: the log was"
            " written anew; restore it from a copy"
        )


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON ({error.msg}); restore the log from a copy") from None
    if not isinstance(entry, dict):
        raise InputError(f"{where}: not an entry of a log; restore the log from a copy")
    return entry


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
