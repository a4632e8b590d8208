"""Paths into the reports, and the evidence there. Evidence that is malformed counts as missing.

A path is names joined by dots, the first one a stage: ``evaluate.versus.tfidf.difference``. In a
list, entries are chosen by their fields: ``audit.gaps[column=gender,metric=accuracy].gap``; every
entry that matches is evidence, and each must satisfy the rule.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import nearest

_STEP = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<where>[^\[\]]+)\])?(?:\.|$)")


BOUNDS = ("point", "low", "high")  # the fields that only an estimate has


class MissingEvidenceError(Exception):
    """There is no valid evidence at a path; the message says what is wrong and where."""


@dataclass(frozen=True)
class Step:
    """A name, and the fields by which entries of the list of that name are chosen."""

    name: str
    where: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        chosen = ",".join(f"{key}={value}" for key, value in self.where)
        return f"{self.name}[{chosen}]" if chosen else self.name


@dataclass(frozen=True)
class Figure:
    """An estimate of a report, checked: finite, ordered, with its support."""

    point: float
    low: float
    high: float
    n: int


def parse_path(text: str) -> tuple[Step, ...]:
    """Parse a path; `ValueError` says what is wrong with it."""
    steps, end = [], 0
    while match := _STEP.match(text, end):
        steps.append(Step(match["name"].strip(), _parse_where(match["where"] or "")))
        end = match.end()
    if not text or end != len(text) or text.endswith("."):
        raise ValueError(f"{text!r} is no path; write stage.field, or list[key=value].field")
    return tuple(steps)


def _parse_where(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.partition("=") for pair in text.split(",")] if text else []
    if not all(key.strip() and value.strip() for key, _, value in pairs):
        raise ValueError(f"[{text}] chooses nothing; write [key=value] or [key=value,key=value]")
    return tuple((key.strip(), value.strip()) for key, _, value in pairs)


def find(evidence: Mapping[str, Any], path: str) -> list[Any]:
    """Return every value at a path, one or more.

    Raises:
        MissingEvidenceError: where a step leads nowhere.
    """
    return [value for value, _ in find_held(evidence, path)]


def find_held(evidence: Mapping[str, Any], path: str) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return every value at a path with the objects that contain it, outermost first.

    Raises:
        MissingEvidenceError: where a step leads nowhere.
    """
    found: list[tuple[Any, tuple[Any, ...]]] = [(evidence, ())]
    walked = ""
    for step in parse_path(path):
        found = [
            (value, (*holders, node))
            for node, holders in found
            for value in _step_into(node, step, walked)
        ]
        walked = f"{walked}.{step}" if walked else str(step)
    return found


def _step_into(node: Any, step: Step, walked: str) -> list[Any]:
    if not isinstance(node, Mapping):
        raise MissingEvidenceError(f"{walked} is {_show(node)}, which has no {step.name}")
    if step.name not in node:
        here = f"{walked} has" if walked else "there is"
        raise MissingEvidenceError(f"{here} no {step.name}{nearest(step.name, map(str, node))}")
    value = node[step.name]
    return _choose(value, step) if step.where else [value]


def _choose(entries: Any, step: Step) -> list[Any]:
    if not isinstance(entries, list | tuple):
        raise MissingEvidenceError(f"{step.name} is {_show(entries)}, not a list")
    for key, _ in step.where:
        if not all(isinstance(entry, Mapping) and _is_text(entry.get(key)) for entry in entries):
            raise MissingEvidenceError(f"an entry of {step.name} has no {key}")
    chosen = [entry for entry in entries if all(entry[key] == value for key, value in step.where)]
    if not chosen:
        raise MissingEvidenceError(f"there is no {step}")
    return chosen


def refuse_parts(holders: Iterable[Any]) -> None:
    """Refuse a part of an estimate, which by itself has neither an interval nor support."""
    if any(isinstance(each, Mapping) and all(b in each for b in BOUNDS) for each in holders):
        raise MissingEvidenceError("part of an estimate, which no rule may step into")


def read_number(value: Any) -> float:
    """Return a finite number; booleans, text, NaN, infinities and null are missing evidence."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MissingEvidenceError(f"the value is {_show(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MissingEvidenceError(f"the value is {number}, not a figure")
    return number


def read_text(value: Any) -> str:
    """Return text that is not blank; anything else is missing evidence."""
    if not _is_text(value):
        raise MissingEvidenceError(f"the value is {_show(value)}, not text")
    return str(value)


def read_figure(value: Mapping[str, Any], min_n: int, confidence: float) -> Figure:
    """Return an estimate with a support of at least ``min_n`` and at least this ``confidence``.

    Raises:
        MissingEvidenceError: where it is undefined, malformed, or rests on too little.
    """
    for key in (*BOUNDS, "n", "confidence"):
        if key not in value:
            raise MissingEvidenceError(f"the estimate has no {key}")
    if value["point"] is None:
        raise MissingEvidenceError(f"undefined: {value.get('note') or 'no reason given'}")
    point, low, high = (read_number(value[key]) for key in BOUNDS)
    if low > high:
        raise MissingEvidenceError(f"the interval [{low:g}, {high:g}] is upside down")
    n = value["n"]
    if isinstance(n, bool) or not isinstance(n, int) or n < min_n:
        raise MissingEvidenceError(f"rests on {_show(n)}, and the rule asks for {min_n} or more")
    if read_number(value["confidence"]) < confidence:
        raise MissingEvidenceError(
            f"the interval's confidence is {value['confidence']:g}, and the policy asks for"
            f" {confidence:g} or more"
        )
    return Figure(point, low, high, n)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _show(value: Any) -> str:
    if value is None:
        return "null"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
