"""The log of decisions, .charter/decisions.jsonl: who may be champion, since when and why.

It is append-only and chained, see `policy.chain`. Its end is also kept with the registered model,
so that a log that was cut short is noticed.
"""

import json
import time
from typing import Any, NamedTuple

from pipeline import files, layout
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.policy import chain
from pipeline.policy.chain import Head

LOG = layout.STATE / "decisions.jsonl"
_LOCK = layout.STATE / "decisions.lock"
_HEAD = "decisions_head"  # begins a tag of the registered model, one for each log: its end
_MOVES = {"promote": "version", "rollback": "to_version", "withdraw": "to_version"}


def append(action: str, **facts: Any) -> Head:
    """Append an entry, write it through to the disk, and return the log's new end.

    Raises:
        InputError: where the log was tampered with: nothing is added to it then.
    """
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with files.locked(_LOCK):
        lines, _ = read_whole()
        line = chain.link(lines[-1] if lines else None, {"time": now, "action": action, **facts})
        files.write_text(
            LOG, "".join(f"{each}\n" for each in (*lines, line))
        )  # whole, or as it was
        head = chain.check([*lines, line], str(LOG))
    assert head is not None
    return head


def read() -> list[str]:
    """Return the log's lines; none where there is no log."""
    if not LOG.is_file():
        return []
    try:
        text = LOG.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{LOG}: byte {error.start} is not UTF-8; restore the log") from None
    return text.removesuffix("\n").split("\n") if text else []


def read_whole() -> tuple[list[str], Head | None]:
    """Return the log's lines and its end, after checking that each line follows the one before.

    Raises:
        InputError: naming the first line that does not.
    """
    lines = read()
    return lines, chain.check(lines, str(LOG))


def entries() -> list[dict[str, Any]]:
    """Return the log's entries in order, checked as by `read_whole`."""
    lines, _ = read_whole()
    return [json.loads(line) for line in lines]


def log_id() -> str | None:
    """Return the id of the log here, the digest of its first entry; None if there is no log."""
    _, head = read_whole()
    return head.log if head else None


class Move(NamedTuple):
    """An entry by which the champion of a model changes."""

    entry: int
    action: str
    from_version: str | None  # the champion before, of a promotion
    to_version: str | None  # the champion after; none where there is none


def last_move(name: str, log: str) -> Move | None:
    """Return the last change of a model's champion; None if the log here is not ``log``."""
    lines, head = read_whole()
    if head is None or head.log != log:
        return None
    found = map(json.loads, lines)
    moves = [each for each in found if each["action"] in _MOVES and each["name"] == name]
    if not moves:
        return None
    last = moves[-1]
    to_version = last[_MOVES[last["action"]]]
    return Move(last["entry"], last["action"], last.get("from_version"), to_version)


def witness(registry: Registry, head: Head) -> None:
    """Keep the log's end with the registered model."""
    registry.tag_model(_tag(head.log), str(head))


def check(registry: Registry, log: str = "") -> str:
    """Check the log here against its chain and the registry; say what was found.

    Args:
        registry: Where the log's end is kept.
        log: The id of the log that must be here; empty for any.

    Raises:
        InputError: naming the line, or saying that entries or the log are missing.
    """
    lines, head = read_whole()
    if head is None or (log and head.log != log):
        raise InputError(
            f"{LOG}: is not the log {log[:12]} in which this version was promoted; restore it from"
            " a copy, or verify where it is"
        )
    witnessed = registry.model_tags().get(_tag(head.log))
    if witnessed is None:
        raise InputError(f"{LOG}: the registry does not know this log; `publish` makes it known")
    chain.check_head(lines, Head.parse(witnessed), str(LOG))
    return f"log {head.log[:12]}: {head.entries} entries, whole"


def _tag(log: str) -> str:
    return f"{_HEAD}_{log[:16]}"
